"""What scripts/check runs, and what it says of it."""

import os
import time
from pathlib import Path

import pytest

from scripts.tests.checkout import Checkout

pytestmark = pytest.mark.process


def test_the_gates_that_are_named_run_and_no_others(checkout: Checkout) -> None:
    answer = checkout.run("check", "layout", "lint")
    assert answer.returncode == 0, answer.stdout
    assert checkout.calls[-2:] == ["-m ruff format --check .", "-m ruff check ."]
    assert not [call for call in checkout.calls if "mypy" in call]
    assert answer.stdout.endswith("==> All gates passed: layout lint\n")


def test_a_gate_that_fails_is_named_when_all_have_run(checkout: Checkout) -> None:
    (checkout.root / "manage.py").write_text("import os\n", encoding="utf-8")
    answer = checkout.run("check", "lint", "layout")
    assert answer.returncode == 1
    assert checkout.calls[-1] == "-m ruff format --check ."
    assert answer.stderr == "check: 1 of 2 gates failed: lint.\n"


def test_a_gate_that_nobody_knows_is_one_line_before_anything_runs(checkout: Checkout) -> None:
    answer = checkout.run("check", "lint", "spelling")
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == "check: unknown gate 'spelling'; see scripts/check --help.\n"
    assert checkout.calls == []


def test_the_coverage_is_not_measured_again_since_the_site_was_made(checkout: Checkout) -> None:
    _measure_coverage(checkout)
    _write_later(checkout.root / "site" / "example.py")
    assert "the code: running the tests" not in checkout.run("check", "coverage").stdout


def test_the_coverage_is_measured_again_when_code_has_changed(checkout: Checkout) -> None:
    _measure_coverage(checkout)
    _write_later(checkout.root / "flavors" / "example.py")
    printed = checkout.run("check", "coverage").stdout
    assert "==> The coverage is older than the code: running the tests\nTests run\n" in printed


def _measure_coverage(checkout: Checkout) -> None:
    checkout.put_script("test", "#!/usr/bin/env bash\necho Tests run\n")
    (checkout.root / ".coverage").touch()


def _write_later(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()
    later = time.time() + 60
    os.utime(path, (later, later))
