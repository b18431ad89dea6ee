"""How several workers share the tests."""

import os
import re
from pathlib import Path

import pytest

from scripts.tests.project import LAB, make_project, run_project

pytestmark = [pytest.mark.process, pytest.mark.thorough]

PLUGIN = "testing.workers"
TWO = ["-n", "2", "--dist", "loadscope"]
TESTS = """
import logging, os
import pytest

@pytest.fixture(scope="module")
def module(): pass

@pytest.fixture
def worker(record_property):
    record_property("worker", f'{os.environ["PYTEST_XDIST_WORKER"]} {os.environ.get("FLAVORSYNC_LAB", "test")}')

@pytest.mark.parametrize("number", range(20))
@pytest.mark.lab
def test_lab(number, worker): pass

@pytest.mark.parametrize("number", range(10))
def test_module(number, worker, module): pass

@pytest.mark.parametrize("number", range(400))
def test_alone(number, worker): pass
"""


def test_what_belongs_together_goes_to_one_worker_and_nothing_else_does(tmp_path: Path) -> None:
    done = run_project(make_project(tmp_path, TESTS), PLUGIN, *TWO, f"--junit-xml={tmp_path / 'report.xml'}")
    assert done.returncode == 0, done.stdout
    ran = re.findall(r'name="test_(\w+)\[.*?value="(gw\d [\w-]+)"', (tmp_path / "report.xml").read_text(), re.DOTALL)
    workers = {kind: {worker for of, worker in ran if of == kind} for kind in ("lab", "module", "alone")}
    assert {kind: len(its) for kind, its in workers.items()} == {"lab": 1, "module": 1, "alone": 2}
    assert len(ran) == 430
    assert workers["alone"] == {f"gw0 {LAB}", f"gw1 {LAB}-gw1"}, "each has a lab of its own"


def test_a_worker_reports_a_test_that_logs_what_cannot_be_sent(tmp_path: Path) -> None:
    tests = "import logging\n\ndef test_it(): logging.error('\\ud800')\n\ndef test_other(): assert '\\ud800' == ''\n"
    done = run_project(make_project(tmp_path, tests), PLUGIN, *TWO)
    assert "1 failed, 1 passed" in done.stdout
    assert "\\ud800" in done.stdout


LONG_AND_SHORT = """
import pytest

@pytest.mark.parametrize("number", range(30))
@pytest.mark.lab
@pytest.mark.timeout(10)
def test_lab(number): pass

@pytest.mark.parametrize("number", range(30))
def test_fast(number): pass

@pytest.mark.process
@pytest.mark.timeout(900)
def test_long(): pass

@pytest.mark.process
def test_usual(): pass
"""


def test_what_may_take_longest_comes_first(tmp_path: Path) -> None:
    """One worker, and so the order in which all of them take them."""
    project = make_project(tmp_path, LONG_AND_SHORT)
    (project / "pytest.ini").write_text("[pytest]\ntimeout = 100\nmarkers =\n  lab\n  process\n")
    done = run_project(project, PLUGIN, "-n", "1", "--dist", "loadscope")
    assert done.returncode == 0, done.stdout
    ran = re.findall(r"^PASSED \S*::test_(\w+)", done.stdout, re.MULTILINE)
    kinds = list(dict.fromkeys(ran))
    assert (kinds, len(ran)) == (["long", "lab", "usual", "fast"], 62)


@pytest.mark.parametrize(("path", "shared"), [("", True), ("test_it.py", False), ("test_it.py::test_it", False)])
def test_the_tests_of_one_file_are_not_shared(tmp_path: Path, path: str, shared: bool) -> None:
    project = make_project(tmp_path, "def test_it(): pass\n")
    done = run_project(project, PLUGIN, "-n", "auto", "--dist", "loadscope", path=path)
    assert done.returncode == 0, done.stdout
    assert bool(re.search(r"^\d+ workers? \[1 item\]", done.stdout, re.MULTILINE)) == shared


@pytest.mark.parametrize("path", ["test_other.py", "test_other.py::test_it"])
def test_a_file_that_does_not_exist_is_named(tmp_path: Path, path: str) -> None:
    project = make_project(tmp_path, "def test_it(): pass\n")
    done = run_project(project, PLUGIN, "-n", "auto", "--dist", "loadscope", path=path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"not found: {project / path}" in done.stderr


def test_one_more_shares_what_waits(tmp_path: Path) -> None:
    project = make_project(tmp_path, "def test_it(): pass\n")
    workers = {}
    for tier in ("fast", "default", "thorough"):
        done = run_project(
            project, PLUGIN, "-p", "testing.tiers", f"--tier={tier}", "-n", "auto", "--dist", "loadscope"
        )
        assert done.returncode == 0, done.stdout
        (workers[tier],) = map(int, re.findall(r"^(\d+) workers? \[1 item\]", done.stdout, re.MULTILINE))
    processors = len(os.sched_getaffinity(0))
    assert workers == {"fast": processors, "default": processors + 1, "thorough": processors + 1}
