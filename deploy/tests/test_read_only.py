"""Web runs where it can write to nothing but a temporary folder, with its secrets in files (docs/hardening.md)."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from deploy.tests.stack import ROOT, until
from scripts.tests.checkout import free_port


def _confined(folder: Path) -> list[str]:
    """Return what runs a program so: it sees all of this machine's files, and can change those of one folder."""
    views = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", str(folder), str(folder)]
    return ["bwrap", "--die-with-parent", *views, "--setenv", "TMPDIR", str(folder), "--chdir", "/"]


def _can_confine() -> bool:
    found = shutil.which("bwrap")
    return bool(found) and os.access("/proc/self/ns/user", os.R_OK)


pytestmark = [pytest.mark.process, pytest.mark.skipif(not _can_confine(), reason="there is no bubblewrap")]


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """Each secret in a file of its own, outside of the folder that can be written to."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    contents = {
        "SECRET_KEY": "of-the-tests-" + "x" * 50,
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'data' / 'db.sqlite3'}",
    }
    for name, text in contents.items():
        (folder / name).write_text(f"{text}\n")
    return {f"{name}_FILE": str(folder / name) for name in contents}


def typed(command: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Return what comes of one of our commands there."""
    run = [*_confined(folder), sys.executable, str(ROOT / "manage.py"), *command.split()]
    return subprocess.run(run, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def port(tmp_path: Path, secrets: dict[str, str]) -> Iterator[int]:
    """Web, on this port, with a migrated database."""
    data = tmp_path / "data"
    data.mkdir()
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DATA_FOLDER": str(data), **secrets}
    prepared = typed("prepare", data, environment)
    assert prepared.returncode == 0, prepared.stderr
    port = free_port()
    command = [*_confined(data), sys.executable, str(ROOT / "manage.py"), "run_web", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    yield port
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)


def answer(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_web_answers_where_nothing_else_can_be_written(port: int) -> None:
    until(lambda: answer(port, "/health/ready") == 200, "web is ready")
    assert [answer(port, path) for path in ("/v1", "/", "/static/flavorsync/site.css")] == [200, 200, 200]


def test_what_cannot_be_kept_is_one_line(tmp_path: Path) -> None:
    """With no secret set, and no place to make one."""
    (tmp_path / "writable").mkdir()
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DATA_FOLDER": "/usr"}
    failed = typed("check", tmp_path / "writable", environment)
    assert failed.returncode == 1
    cannot, ways = failed.stderr.splitlines()[0].split(". ", 1)
    assert cannot == "/usr/.secret_key cannot be written: Read-only file system"
    assert ways == "Set SECRET_KEY, FIELD_ENCRYPTION_KEYS and DATABASE_URL, or another DATA_FOLDER."
    assert len(failed.stderr.splitlines()) == 1


def test_locks_that_cannot_be_kept_are_one_line(tmp_path: Path, secrets: dict[str, str]) -> None:
    """With SQLite, where the data folder is not the database's."""
    data = tmp_path / "data"
    data.mkdir()
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "DATA_FOLDER": str(data), **secrets}
    assert typed("migrate -v0 --no-input", data, environment).returncode == 0
    failed = typed("run_scheduler --once", data, environment | {"DATA_FOLDER": "/usr"})
    assert failed.returncode == 1
    assert failed.stderr == (
        "CommandError: The scheduler could not work: /usr/.locks, where locks are kept with SQLite, cannot be written: "
        "Read-only file system. Set another DATA_FOLDER, in the environment.\n"
    )
