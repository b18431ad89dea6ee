"""What the gate of known vulnerabilities makes of pip-audit's words."""

import json
from typing import Any

import pytest

from scripts.audit import NOT_AUDITED, judge

CLEAN = {"name": "django", "version": "5.2.19", "vulns": []}
SKIPPED = {"name": "attrs", "skip_reason": "Dependency not found on PyPI and could not be audited: attrs (26.1.0)"}
VULNERABLE = {
    "name": "requests",
    "version": "2.0.0",
    "vulns": [{"id": "PYSEC-2018-28", "aliases": ["CVE-2018-18074"], "fix_versions": ["2.20.0"], "description": "x"}],
}


def judged(*dependencies: dict[str, Any]) -> tuple[int, list[str]]:
    return judge(json.dumps({"dependencies": dependencies, "fixes": []}), "")


def test_no_vulnerability_passes() -> None:
    assert judged(CLEAN) == (0, ["1 packages, 0 vulnerabilities"])


def test_a_vulnerability_fails_and_is_named() -> None:
    assert judged(CLEAN, VULNERABLE) == (
        1,
        ["requests 2.0.0: PYSEC-2018-28, CVE-2018-18074, fixed in 2.20.0", "2 packages, 1 vulnerabilities"],
    )


def test_a_package_that_nobody_knows_fails() -> None:
    assert judged(CLEAN, SKIPPED) == (1, [SKIPPED["skip_reason"], "2 packages, 0 vulnerabilities"])


def test_a_service_that_knows_no_package_at_all_is_not_there() -> None:
    assert judged(SKIPPED, SKIPPED) == (0, [NOT_AUDITED])


@pytest.mark.parametrize("reason", ["requests.exceptions.ConnectionError: …", "ReadTimeout", "NameResolutionError("])
def test_a_service_that_does_not_answer_passes_and_says_so(reason: str) -> None:
    assert judge("", f"Traceback\n{reason}") == (0, [NOT_AUDITED])


@pytest.mark.parametrize("output", ["", "[]", "{}", "no JSON"])
def test_any_other_failure_fails(output: str) -> None:
    assert judge(output, "ERROR: requirements.txt is not there") == (
        1,
        ["pip-audit failed:", "ERROR: requirements.txt is not there"],
    )
