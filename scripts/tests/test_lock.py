"""The requirements files are what scripts/lock makes of pyproject.toml, and nothing else can be installed."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.tests.checkout import ROOT, Checkout

SOURCES = {
    "requirements.txt": ("dependencies",),
    "requirements-mysql.txt": ("dependencies", "mysql"),
    "requirements-dev.txt": ("dependencies", "dev"),
    "requirements-docs.txt": ("dependencies", "docs"),
    "lab/requirements.txt": ("lab",),
}
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; [^\\\n]+)? \\\n"
    r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
    r"(?P<reasons>(?:    # .*\n)+)",
    re.MULTILINE,
)


def _entries(file: str) -> dict[str, re.Match[str]]:
    """Return the packages of a requirements file, every line of which must be understood."""
    text = (ROOT / file).read_text(encoding="utf-8")
    left = re.sub(r"\A(?:#.*\n)+", "", ENTRY.sub("", text))
    assert left == "", f"{file}: not pinned, without a hash, or not written by scripts/lock: {left}"
    return {entry["name"]: entry for entry in ENTRY.finditer(text)}


def _asked_for(file: str) -> dict[str, Requirement]:
    """Return the packages that pyproject.toml asks for, for a requirements file."""
    document: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    parts = {
        "dependencies": project["dependencies"],
        **project["optional-dependencies"],
        **document["dependency-groups"],
    }
    requirements = [Requirement(text) for part in SOURCES[file] for text in parts[part]]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


@pytest.mark.parametrize("file", SOURCES)
def test_what_is_asked_for_is_pinned_to_a_version_that_was_asked_for(file: str) -> None:
    entries = _entries(file)
    direct = {name for name, entry in entries.items() if "flavor-sync (pyproject.toml" in entry["reasons"]}
    asked = _asked_for(file)
    assert direct == set(asked), f"{file} is not what pyproject.toml asks for: run scripts/lock"
    wrong = [name for name, requirement in asked.items() if entries[name]["version"] not in requirement.specifier]
    assert not wrong, f"{file}: pyproject.toml asks for other versions of {', '.join(wrong)}: run scripts/lock"


@pytest.mark.parametrize("file", ["requirements-mysql.txt", "requirements-dev.txt", "requirements-docs.txt"])
def test_the_larger_files_hold_all_of_the_small_one(file: str) -> None:
    """The scripts rely on it: with a larger one installed, requirements.txt need not be installed."""
    small = {name: (entry["version"], entry["hashes"]) for name, entry in _entries("requirements.txt").items()}
    large = {name: (entry["version"], entry["hashes"]) for name, entry in _entries(file).items()}
    assert {name: large.get(name) for name in small} == small


@pytest.mark.parametrize("file", SOURCES)
def test_no_file_says_where_packages_come_from(file: str) -> None:
    """That is the business of whoever installs."""
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"://|index-url|find-links|trusted-host", text)


@pytest.mark.process
def test_the_scripts_install_nothing_whose_hash_is_not_known(checkout: Checkout) -> None:
    assert checkout.run("test", "--fast").returncode == 0
    (call,) = (call for call in checkout.calls if "pip install" in call)
    assert "--require-hashes -r " in call


@pytest.mark.process
def test_the_lock_is_written_for_the_oldest_python_and_all_platforms(checkout: Checkout) -> None:
    answer = checkout.run("lock", "--upgrade-package", "django")
    assert answer.returncode == 0, answer.stderr
    calls = [call for call in checkout.calls if call.startswith("-m uv pip compile")]
    assert [re.findall(r"--output-file (\S+)", call)[0] for call in calls] == list(SOURCES)
    for call in calls:
        assert " --universal --python-version 3.11 --generate-hashes " in call
        assert call.endswith(" --upgrade-package django")
