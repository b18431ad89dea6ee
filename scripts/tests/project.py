"""A project of some tests, to be run with one of our plugins of pytest."""

import os
import subprocess
import sys
from pathlib import Path

from scripts.tests.checkout import ROOT

LAB = "nobodys"
"""The lab of such a project's tests: not ours, or their second worker would take down that of our second worker."""


def make_project(folder: Path, tests: str) -> Path:
    """Make a project that has these tests."""
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    (folder / "pytest.ini").touch()
    return folder


def run_project(project: Path, plugin: str, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run the project's tests, or those of one path, with the plugin."""
    alone = ["-p", plugin, "-p", "no:django", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "ignore"]
    command = [sys.executable, "-m", "pytest", *alone, f"--rootdir={project}", "-c", project / "pytest.ini", "-rA"]
    return subprocess.run(
        [*command, *arguments, project / path],
        cwd=project,
        env=os.environ | {"FLAVORSYNC_LAB": LAB, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
    )
