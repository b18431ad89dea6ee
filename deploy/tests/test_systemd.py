"""What the systemd units shut the processes off from is nothing that these need."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest

from deploy.tests.stack import ROOT, until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        not shutil.which("systemd-analyze") or not find_library("seccomp"), reason="there is no systemd or libseccomp"
    ),
]

UNITS = ROOT / "deploy/systemd"

# Becomes a program that is killed, as under systemd, by any system call that standard input does not name.
CONFINED = """\
import ctypes, os, sys

library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
kill, allow = 0x80000000, 0x7FFF0000
context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(kill)))
for name in sys.stdin.read().split():
    if (number := library.seccomp_syscall_resolve_name(name.encode())) >= 0:
        assert library.seccomp_rule_add(context, ctypes.c_uint32(allow), ctypes.c_int(number), ctypes.c_uint(0)) == 0
assert library.seccomp_load(context) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def system_calls(name: str) -> set[str]:
    """Return the calls of one of systemd's groups, or the one call of this name."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True)
    lines = [line.partition("#")[0].strip() for line in listed.stdout.splitlines()[1:]]
    return {call for line in lines if line for call in system_calls(line)}


def allowed(unit: Path) -> set[str]:
    """Return the system calls that a unit lets its processes make (systemd.exec(5), SystemCallFilter)."""
    calls = system_calls("@default")
    for refuses, names in re.findall(r"^SystemCallFilter=(~?)(.+)$", unit.read_text(), re.MULTILINE):
        for name in names.split():
            calls = calls - system_calls(name) if refuses else calls | system_calls(name)
    return calls


def answer_at(path: Path) -> int:
    """Return the status of the answer at a local socket, 0 when there is none."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", "/health/live")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Web as the unit starts it, with its filter of system calls."""
    command = [
        sys.executable,
        "-c",
        CONFINED,
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "flavorsync_serving/gunicorn.conf.py",
    ]
    command += ["--bind", f"unix:{tmp_path / 'web.sock'}", "flavorsync_project.wsgi"]
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "SECRET_KEY": "of-the-tests-" + "x" * 50}
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write("\n".join(allowed(UNITS / "flavor-sync-web.service")).encode())
    process.stdin.close()
    yield process
    process.terminate()
    assert process.wait(timeout=60) == 0


def test_web_needs_no_system_call_that_its_unit_refuses(web: subprocess.Popen[bytes], tmp_path: Path) -> None:
    answered = until(lambda: web.poll() is not None or answer_at(tmp_path / "web.sock"), "web answers")
    assert (web.poll(), answered) == (None, 200)


@pytest.mark.parametrize("program", ["web", "worker", "scheduler"])
def test_the_units_refuse_what_takes_privileges(program: str) -> None:
    privileged = {"setuid", "chroot", "mount", "bpf", "reboot", "ptrace", "init_module"}
    assert not privileged & allowed(UNITS / f"flavor-sync-{program}.service")


@pytest.mark.parametrize("program", ["web", "worker", "scheduler"])
def test_systemd_understands_the_units_and_finds_little_exposed(program: str) -> None:
    """It misses only the program, which only a deployment has; of 10 points of exposure there are under 2."""
    unit = UNITS / f"flavor-sync-{program}.service"
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    said = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert [line for line in said if "is not executable: No such file or directory" not in line] == []
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit], capture_output=True, text=True
    )
    assert judged.returncode == 0, judged.stdout[-200:]
