"""docs/api.md and the OpenAPI document tell of the same operations, with the same statuses."""

import re
from typing import Any

import pytest
import yaml
from rest_framework.test import APIClient

from testing.source import ROOT

# The index is described in a sentence, the synchronisation on a page of its own.
ELSEWHERE = {("get", "/v1")}
PAGES = ("api.md", "synchronisation.md")
ROW = re.compile(r"^\| `(GET|POST|PUT|DELETE) ([^`]+)`( \(\*\*not there yet\*\*\))? \| (.*) \|$", re.MULTILINE)


def _promised() -> dict[tuple[str, str], set[str]]:
    """Return the statuses of each operation that the pages promise, by method and path."""
    promised: dict[tuple[str, str], set[str]] = {}
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for method, url, not_built, answers in ROW.findall(text):
            path = re.split(r"\{?\?", url)[0].replace("{r}", "{region}")
            if not not_built:
                promised[method.lower(), path] = {answer[:3] for answer in answers.split(" · ")}
    return promised


@pytest.fixture(scope="module")
def described() -> dict[tuple[str, str], set[str]]:
    document: Any = yaml.safe_load(APIClient().get("/v1/schema").content)
    return {
        (method, path): set(operation["responses"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def test_every_operation_is_on_a_page(described: dict[tuple[str, str], set[str]]) -> None:
    assert set(_promised()) == set(described) - ELSEWHERE


def test_every_status_of_a_page_is_in_the_openapi_document(described: dict[tuple[str, str], set[str]]) -> None:
    missing = {operation: statuses - described[operation] for operation, statuses in _promised().items()}
    assert not {operation: statuses for operation, statuses in missing.items() if statuses}


def test_the_sections_that_tests_cite_have_their_numbers() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d+\. .*)$", text, re.MULTILINE) == [
        "1. Common rules",
        "2. Who may do what",
        "3. Promoted flavors",
        "4. Regions and their private flavors",
        "5. Infrastructures",
        "6. Flavors: the lifecycle",
        "7. Other identities",
        "8. Retiring",
    ]
