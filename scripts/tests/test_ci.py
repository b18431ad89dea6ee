"""What .ci/run runs, in which order, and what it makes of failures: with the tests and the gates played by others."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.tests.checkout import DONE, ROOT, TOOLS

pytestmark = pytest.mark.process

NEEDED = (*TOOLS, "cat", "tee", "timeout", "mktemp", "printf", "git", "id", "python3", "seq", "touch")
# What .ci/run would install otherwise.
THERE = [
    "chromium",
    "bwrap",
    "nginx",
    "supervisord",
    "openssl",
    "redis-server",
    "npm",
    "go",
    "cc",
    "pkg-config",
    "apt-get",
    "mariadb-install-db",
]
# Waits for the other, so that both end only if they run side by side.
BESIDE = """\
wait_for() { for _ in $(seq 300); do [ -e "$1" ] && return; sleep 0.1; done; echo "alone: no $1"; exit 1; }
"""
TESTS = f"""\
#!/usr/bin/env bash
{BESIDE}
if [ -z "$DATABASE_URL" ]; then echo "SQLite, CI=$CI" >>calls; echo "== 5 passed in 1.00s =="; exit; fi
echo "MariaDB begins" >>calls; touch mariadb; wait_for gates; echo "MariaDB ends" >>calls; touch ended
echo "== 2 passed, 1 skipped in 1.00s =="
"""
CHECK = f"""\
#!/usr/bin/env bash
{BESIDE}
if [ "$*" = coverage ]; then [ -e ended ] && echo "coverage" >>calls; exit; fi
touch gates; wait_for mariadb; echo "the gates: $*"; exit STATUS
"""
MARIADB = """\
#!/usr/bin/env bash
exec python3 -c 'import socket, time; socket.create_server(("127.0.0.1", 3306)); time.sleep(60)'
"""


def run(folder: Path, gates: int) -> "subprocess.CompletedProcess[str]":
    """Run .ci/run in a folder where the tests pass and the gates end with this status."""
    programs = folder / "programs"
    for made in (programs, folder / ".ci", folder / "scripts"):
        made.mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    for name in NEEDED:
        if (found := shutil.which(name)) and not (programs / name).exists():
            (programs / name).symlink_to(found)
    stubs = {programs / name: "#!/bin/sh\n" for name in THERE}
    scripts = {folder / "scripts/test": TESTS, folder / "scripts/check": CHECK.replace("STATUS", str(gates))}
    for path, text in {**stubs, **scripts, programs / "mariadbd": MARIADB}.items():
        path.write_text(text)
        path.chmod(0o755)
    environment = {"PATH": str(programs), "TMPDIR": str(folder)}
    return subprocess.run(
        [folder / ".ci/run"], cwd=folder, env=environment, capture_output=True, text=True, timeout=DONE, check=False
    )


def test_the_gates_run_beside_mariadb_and_the_coverage_after_both(tmp_path: Path) -> None:
    done = run(tmp_path, gates=0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == [
        "SQLite, CI=true",
        "MariaDB begins",
        "MariaDB ends",
        "coverage",
    ]
    assert "the gates: lint layout types imports migrations deployment docs audit" in done.stdout
    assert done.stdout.endswith("SQLite: 5 passed, 0 failed, 0 skipped\nMariaDB: 2 passed, 0 failed, 1 skipped\n")


def test_a_gate_that_fails_is_the_failure_of_all_and_the_rest_runs(tmp_path: Path) -> None:
    done = run(tmp_path, gates=1)
    assert done.returncode == 1
    assert "### Failed: gates (" in done.stdout
    assert (tmp_path / "calls").read_text().splitlines()[-1] == "coverage"
