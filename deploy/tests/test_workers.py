"""A short campaign of killed workers: what they share is done all the same, and ends once (docs/reliability.md)."""

import subprocess

import pytest

from testing.process import ROOT

pytestmark = [pytest.mark.process, pytest.mark.thorough]


@pytest.mark.timeout(600)
def test_runs_whose_workers_are_killed_lose_and_double_nothing_and_end_once() -> None:
    command = [str(ROOT / "scripts/campaign"), "workers", "--kills", "3", "--workers", "3", "--clouds", "40"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrong: nothing" in done.stdout
