"""Which tests a tier has, and what holds one of the fast tier to what that is."""

import re
import subprocess
from pathlib import Path

import pytest

from scripts.tests.project import make_project, run_project

pytestmark = [pytest.mark.process, pytest.mark.thorough]

TESTS = """
import os, subprocess, sys
import pytest

@pytest.fixture
def lab(): pass

def test_plain(): pass

@pytest.mark.process
def test_process(): subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.mark.lab
def test_lab(lab): subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.mark.browser
def test_browser(): pass

@pytest.mark.stack
def test_stack(): pass

@pytest.mark.thorough
def test_thorough(): pass

@pytest.mark.django_db(transaction=True)
def test_transaction(): pass
"""
TWINS = """
import pytest

@pytest.fixture(params=["json", "xml"])
def wire(request): pass

@pytest.mark.lab
def test_lab(wire): pass

def test_plain(wire): pass
"""
EVERY_TEST = ["plain", "process", "lab", "browser", "stack", "thorough", "transaction"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a test of each kind."""
    return make_project(tmp_path, TESTS)


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the project's tests with the plugin."""
    return run_project(project, "testing.tiers", *arguments)


def passed(project: Path, *arguments: str) -> list[str]:
    """Return which tests have passed, having checked that none has failed."""
    done = run(project, *arguments)
    assert done.returncode == 0, done.stdout
    return re.findall(r"^PASSED .*::test_([\w\[\]]+)", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("tier", "without"),
    [("fast", {"process", "lab", "browser", "stack", "thorough"}), ("default", {"thorough"}), ("thorough", set())],
)
def test_each_tier_includes_the_one_before(project: Path, tier: str, without: set[str]) -> None:
    assert passed(project, f"--tier={tier}") == [name for name in EVERY_TEST if name not in without]


def test_a_test_with_real_transactions_is_one_that_another_database_could_change(project: Path) -> None:
    assert passed(project, "-m", "database") == ["transaction"]


def test_the_lab_is_asked_in_both_formats_by_the_thorough_tier_alone(tmp_path: Path) -> None:
    project = make_project(tmp_path, TWINS)
    assert passed(project, "--tier=default") == ["lab[json]", "plain[json]", "plain[xml]"]
    assert passed(project, "--tier=thorough") == ["lab[json]", "lab[xml]", "plain[json]", "plain[xml]"]


@pytest.mark.parametrize(
    "start",
    [
        "subprocess.run(['true'])",
        "subprocess.Popen(['true'])",
        "os.fork()",
        "os.system('true')",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "lab.Lab('test').up()",
    ],
)
def test_what_is_not_marked_starts_no_process(project: Path, start: str) -> None:
    make_project(project, f"import os, subprocess, lab\n\ndef test_it():\n    {start}\n")
    done = run(project)
    assert done.returncode == 1
    assert "It starts a process, or the lab: mark it with one of process, lab, browser, stack" in done.stdout
