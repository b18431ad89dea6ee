"""scripts/release --cut writes a version wherever it stands."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from packaging.version import Version

from scripts.cut import ROOT, UNRELEASED, CannotCut, cut, versions

TODAY = date(2027, 1, 31)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that name the version, and the changelog, at 1.2.0.dev0."""
    for name in [*versions(ROOT), "CHANGELOG.md"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(f"# Changelog\n\n{UNRELEASED}\n### Added\n\n- Much.\n\n## [0.9.0] - 2026-01-01\n\n- Old.\n")
    pyproject = tmp_path / "pyproject.toml"
    (now,) = versions(tmp_path)["pyproject.toml"]
    pyproject.write_text(pyproject.read_text().replace(f'"{now}"', '"1.2.0.dev0"'))
    return tmp_path


def test_this_project_names_one_version_everywhere() -> None:
    found = versions(ROOT)
    assert len(found) == 7, found
    assert {version for named in found.values() for version in named} == found["pyproject.toml"]


def test_a_final_version_gets_a_heading_and_leaves_an_empty_one(project: Path) -> None:
    cut(project, "1.2.0", TODAY)
    assert {version for named in versions(project).values() for version in named} == {"1.2.0"}
    changelog = (project / "CHANGELOG.md").read_text()
    assert f"{UNRELEASED}\n## [1.2.0] - 2027-01-31\n\n### Added\n\n- Much.\n\n## [0.9.0]" in changelog
    cut(project, "1.3.0.dev0", TODAY)
    with pytest.raises(CannotCut, match="nothing under Unreleased"):
        cut(project, "1.3.0", TODAY)
    assert versions(project)["pyproject.toml"] == {"1.3.0.dev0"}


def test_a_candidate_has_no_heading_of_its_own(project: Path) -> None:
    before = (project / "CHANGELOG.md").read_text()
    cut(project, "1.2.0rc1", TODAY)
    assert {version for named in versions(project).values() for version in named} == {"1.2.0rc1"}
    assert (project / "CHANGELOG.md").read_text() == before


@pytest.mark.parametrize("version", ["1.1.9", "1.2.0.dev0", "1.2", "v1.2.0", "1.2.0rc0", ""])
def test_what_is_no_later_version_changes_nothing(project: Path, version: str) -> None:
    before = {path: path.read_text() for path in project.rglob("*") if path.is_file()}
    with pytest.raises(CannotCut, match="no version|not later"):
        cut(project, version, TODAY)
    assert {path: path.read_text() for path in project.rglob("*") if path.is_file()} == before


def test_versions_sort_as_the_policy_says() -> None:
    order = ["1.0.0.dev0", "1.0.0rc1", "1.0.0", "1.0.1", "1.1.0.dev0"]
    assert sorted(order, key=Version) == order
