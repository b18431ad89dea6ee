"""A service as a process: started, found again, and ended for certain."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import LabError, UnreachableError
from lab.client import send
from lab.daemon import Daemon
from lab.install import ROOT

pytestmark = pytest.mark.process

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_daemon(folder: Path, *arguments: str, port: int = 0) -> Daemon:
    """A daemon of this Python; the stand-in for the IdM when no arguments are given."""
    port = port or free_port()
    environment = {
        "PYTHONPATH": str(ROOT),
        "FLAVORSYNC_LAB_PORT": str(port),
        "FLAVORSYNC_LAB_ACCESS_LOG": str(folder / "access.log"),
    }
    return Daemon("stand-in", folder, port, (sys.executable, *(arguments or ("-m", "lab.idm"))), environment)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that answers, ended after the test."""
    daemon = make_daemon(tmp_path)
    daemon.start()
    daemon.wait()
    yield daemon
    daemon.signal(signal.SIGKILL)
    daemon.wait_ended()


def test_it_runs_until_it_is_told_to_end(daemon: Daemon) -> None:
    assert daemon.running()
    pid = daemon.pid()
    assert pid
    assert os.getpgid(pid) != os.getpgid(0)
    daemon.signal(signal.SIGTERM)
    daemon.wait_ended()
    assert not daemon.running()
    assert daemon.pid() is None


def test_it_is_found_by_another_that_knows_its_folder(daemon: Daemon) -> None:
    again = make_daemon(daemon.folder, port=daemon.port)
    assert again.running()
    assert again.pid() == daemon.pid()


def test_it_starts_again_after_its_end(daemon: Daemon) -> None:
    first = daemon.pid()
    daemon.signal(signal.SIGKILL)
    daemon.wait_ended()
    daemon.start()
    daemon.wait()
    assert daemon.pid() not in (None, first)


def test_one_that_is_deaf_to_the_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.daemon._STOP_SECONDS", 0.2)
    deaf = make_daemon(tmp_path, "-c", DEAF)
    deaf.start()
    while "deaf" not in deaf.output.read_text():
        assert deaf.running()
    deaf.signal(signal.SIGTERM)
    deaf.wait_ended()
    assert not deaf.running()


def test_a_number_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    daemon = make_daemon(tmp_path)
    # What a machine that was switched off leaves: a number, and no lock on the file.
    (tmp_path / "pid").write_text(f"{os.getpgid(0)} {os.getpid()}")
    assert not daemon.running()
    assert daemon.pid() is None
    daemon.signal(signal.SIGKILL)


def test_a_port_that_was_taken_is_named(daemon: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "another"
    folder.mkdir()
    with pytest.raises(LabError, match=f"another program uses port {daemon.port} of stand-in: "):
        make_daemon(folder, port=daemon.port).start()


def test_one_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    broken = make_daemon(tmp_path, "-c", "raise SystemExit('no such database')")
    broken.start()
    with pytest.raises(LabError, match="ended while starting: no such database; see"):
        broken.wait()


# A main process, and a worker that goes on answering on the port when that one is gone.
ORPHANS = """
import os, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

server = HTTPServer(("127.0.0.1", int(os.environ["FLAVORSYNC_LAB_PORT"])), Handler)
if os.fork():
    server.socket.close()
    time.sleep(60)
server.serve_forever()
"""


def test_one_whose_main_process_was_killed_does_not_run_and_starts_again(tmp_path: Path) -> None:
    daemon = make_daemon(tmp_path, "-c", ORPHANS)
    daemon.start()
    daemon.wait()
    first = daemon.pid()
    assert first
    try:
        os.kill(first, signal.SIGKILL)
        while daemon.running():
            time.sleep(0.01)
        assert daemon.pid() is None
        assert send("GET", daemon.url).status == 204  # the worker that was left
        daemon.start()
        daemon.wait()
        assert daemon.pid() not in (None, first)
    finally:
        daemon.signal(signal.SIGKILL)
        daemon.wait_ended()
    with pytest.raises(UnreachableError):
        send("GET", daemon.url)


def test_what_is_left_of_one_that_was_killed_is_ended(tmp_path: Path) -> None:
    daemon = make_daemon(tmp_path, "-c", ORPHANS)
    daemon.start()
    daemon.wait()
    first = daemon.pid()
    assert first
    os.kill(first, signal.SIGKILL)
    daemon.signal(signal.SIGTERM)
    daemon.wait_ended()
    with pytest.raises(UnreachableError):
        send("GET", daemon.url)


def test_one_that_runs_is_not_started_over(daemon: Daemon) -> None:
    pid = daemon.pid()
    with pytest.raises(LabError, match="another program uses port"):
        daemon.start()
    assert daemon.pid() == pid
