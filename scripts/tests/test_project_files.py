"""Several files of the project, each for its own tool, say the same."""

import configparser
import re
import tomllib
from typing import Any

import yaml
from packaging.version import Version

from scripts.tests.checkout import ROOT


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _pyproject() -> dict[str, Any]:
    return tomllib.loads(_read("pyproject.toml"))


def _oldest_python() -> str:
    return str(_pyproject()["project"]["requires-python"]).removeprefix(">=")


def _supported_pythons() -> set[str]:
    prefix = "Programming Language :: Python :: "
    classifiers = _pyproject()["project"]["classifiers"]
    return {text.removeprefix(prefix) for text in classifiers if text.startswith(prefix)}


def _gates() -> set[str]:
    (names,) = re.findall(r"^GATES=\((.*)\)$", _read("scripts/check"), re.MULTILINE)
    return set(names.split())


def test_the_oldest_python_is_the_same_everywhere() -> None:
    oldest = _oldest_python()
    assert min(_supported_pythons(), key=lambda version: int(version.partition(".")[2])) == oldest
    assert f"\nOLDEST_PYTHON={oldest}\n" in _read("scripts/environment.sh")
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in _read("scripts/lab")
    assert _pyproject()["tool"]["mypy"]["python_version"] == oldest
    assert "target-version" not in _pyproject()["tool"]["ruff"]  # ruff then reads requires-python
    assert set(re.findall(r"^FROM python:([\d.]+)-", _read("deploy/Dockerfile"), re.MULTILINE)) == {oldest}
    for page in ("README.md", "CONTRIBUTING.md", "docs/lab.md"):
        assert f"Python {oldest} or newer" in _read(page), page


def test_both_ci_services_run_everything_on_the_oldest_python_and_all_without_the_lab_on_the_others() -> None:
    github = yaml.safe_load(_read(".github/workflows/ci.yml"))["jobs"]
    gitlab = yaml.safe_load(_read(".gitlab-ci.yml"))
    image = f"python:{_oldest_python()}-bookworm"
    assert (github["all"]["container"], gitlab["all"]["image"]) == (image, image)
    assert (github["all"]["steps"][-1], gitlab["all"]["script"]) == ({"run": ".ci/run"}, [".ci/run"])
    assert gitlab["all"]["timeout"] == f"{github['all']['timeout-minutes']} minutes"

    others = _supported_pythons() - {_oldest_python()}
    assert set(github["others"]["strategy"]["matrix"]["python"]) == others
    assert set(gitlab["others"]["parallel"]["matrix"][0]["PYTHON"]) == others
    command = 'scripts/test -m "not lab"'
    assert (github["others"]["steps"][-1], gitlab["others"]["script"]) == ({"run": command}, [command])


def test_the_hooks_before_a_commit_are_the_gates() -> None:
    configuration = yaml.safe_load(_read(".pre-commit-config.yaml"))
    (repository,) = configuration["repos"]
    assert repository["repo"] == "local"  # nothing is fetched
    hooks = {hook["id"]: hook["entry"] for hook in repository["hooks"]}
    assert hooks == {gate: f"scripts/check {gate}" for gate in _gates() - {"audit", "coverage"}}


def test_ci_runs_every_gate() -> None:
    (beside,) = re.findall(r"^GATES=\((.*)\)$", _read(".ci/run"), re.MULTILINE)
    assert set(beside.split()) == _gates() - {"coverage"}
    assert "scripts/check coverage" in _read(".ci/run")


def test_editors_and_ruff_agree_on_the_width_of_a_line() -> None:
    editors = configparser.ConfigParser()
    editors.read_string(f"[top]\n{_read('.editorconfig')}")
    assert editors["*"].getint("max_line_length") == _pyproject()["tool"]["ruff"]["line-length"]


def test_the_licence_is_the_one_of_the_licence_file() -> None:
    project = _pyproject()["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert _read("LICENSE").split()[:4] == ["Apache", "License", "Version", "2.0,"]


def test_the_changelog_has_a_section_for_this_version() -> None:
    version = _pyproject()["project"]["version"]
    section = "Unreleased" if Version(version).is_prerelease else version
    assert re.search(rf"^## \[{re.escape(section)}\]", _read("CHANGELOG.md"), re.MULTILINE)
