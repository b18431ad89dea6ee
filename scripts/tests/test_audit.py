"""What the gate of known vulnerabilities makes of pip-audit's words."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts.advisories import vulnerabilities
from scripts.audit import NOT_AUDITED, judge, offline
from scripts.tests.checkout import ROOT

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


def advisory(id: str, name: str, **affected: Any) -> dict[str, Any]:
    """Return an advisory as OSV writes it."""
    return {
        "id": id,
        "aliases": [f"CVE-{id}"],
        "affected": [{"package": {"ecosystem": "PyPI", "name": name}} | affected],
    }


def within(*events: dict[str, str]) -> dict[str, Any]:
    return {"ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}


def copy_of(folder: Path, *advisories: dict[str, Any]) -> Path:
    """Write a copy of the advisories, as the file that OSV has of them."""
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for each in advisories:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return folder / "all.zip"


@pytest.mark.parametrize(
    ("affected", "is_affected"),
    [
        ({"versions": ["5.2.18", "5.2.19"]}, True),
        ({"versions": ["5.2.18"]}, False),
        (within({"introduced": "0"}, {"fixed": "5.2.20"}), True),
        (within({"introduced": "0"}, {"fixed": "5.2.19"}), False),
        (within({"introduced": "0"}, {"last_affected": "5.2.19"}), True),
        (within({"introduced": "0"}, {"fixed": "4.2.1"}, {"introduced": "5.0"}, {"fixed": "5.3"}), True),
        (within({"introduced": "5.10"}), False),  # and not by letters, where it would come before 5.2
        (within({"introduced": "6.0"}), False),
    ],
)
def test_a_copy_of_the_advisories_says_which_versions_are_affected(
    tmp_path: Path, affected: dict[str, Any], is_affected: bool
) -> None:
    copy = copy_of(tmp_path, advisory("1", "Django", **affected), advisory("2", "other", versions=["5.2.19"]))
    found = ["django 5.2.19: 1, CVE-1"] if is_affected else []
    assert vulnerabilities({"django": "5.2.19"}, copy) == (2, found)


def test_withdrawn_advisories_do_not_count_and_a_folder_does_as_well(tmp_path: Path) -> None:
    gone = advisory("1", "django", versions=["5.2.19"]) | {"withdrawn": "2026-01-01T00:00:00Z"}
    (tmp_path / "1.json").write_text(json.dumps(gone), encoding="utf-8")
    assert vulnerabilities({"django": "5.2.19"}, tmp_path) == (1, [])


def test_what_is_pinned_here_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    status, lines = offline(str(copy_of(tmp_path, advisory("1", "Django", **within({"introduced": "0"})))))
    assert (status, len(lines)) == (1, 2)
    assert lines[0].startswith("django 5.")
    assert lines[1].endswith(" packages, 1 vulnerabilities, in 1 advisories")


def test_a_copy_without_advisories_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert offline(str(tmp_path)) == (1, [f"AUDIT_ADVISORIES cannot be read: {tmp_path} has no advisories"])
    assert offline(str(tmp_path / "none"))[0] == 1
