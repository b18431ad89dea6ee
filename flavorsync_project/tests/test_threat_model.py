"""The pages of the documentation name tests that exist."""

import ast
import re

from testing.source import ROOT

PAGE = ROOT / "docs" / "threat-model.md"
FILE = re.compile(r"`([\w/]+/test_\w+\.py)")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def _tests_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert named
    missing = [f"{path}::{name}" for path, name in named if name not in _tests_of(path)]
    assert not missing, f"docs/threat-model.md names tests that are not there: {', '.join(missing)}"


def test_every_threat_has_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    assert rows
    unshown = [row for row in rows if not NAMED.search(row.rpartition(" | ")[2])]
    assert not unshown, f"docs/threat-model.md names no test in: {unshown}"


def test_every_file_of_tests_that_a_page_names_is_there() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"]
    named = {path for page in pages for path in FILE.findall(page.read_text(encoding="utf-8"))}
    assert "synchronisation/tests/test_sync_killed.py" in named
    assert not sorted(path for path in named if not (ROOT / path).is_file())
