"""Flavor Sync as its own process, with its own database, that tests can kill."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from django.db import connection

from lab import Lab, seed
from testing.wire import Answer, Wire, read_answer

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 30
MAY_TAKE_SECONDS = 20
_databases = itertools.count(1)


@contextmanager
def a_database(folder: str) -> Iterator[str]:
    """Create an empty database of its own, on the same engine as the tests', and yield its DATABASE_URL."""
    if connection.vendor != "mysql":
        yield f"sqlite:///{folder}/served.sqlite3"
        return
    name = f"{connection.settings_dict['NAME']}_served{next(_databases)}"
    _execute(
        f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    )
    yield urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    _execute(f"DROP DATABASE {name}")


def url_of_this_database() -> str:
    """Return the DATABASE_URL of the tests' own database, for processes that share it."""
    name = connection.settings_dict["NAME"]
    if connection.vendor != "mysql":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@dataclass
class Process:
    """The service and its commands, started as people do, with the lab's settings."""

    lab: Lab
    database_url: str
    port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    """Additional or different settings."""
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    # A proxy's thread kills it, and whoever starts it again must not find it half dead.
    _turns: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """Return its environment: the tests' own, with its settings."""
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "flavorsync_project.settings",
            "DATABASE_URL": self.database_url,
            "KEYROCK_URL": self.lab.idm_url,
            "KEYROCK_APP_IDS": seed.IDM_APPLICATION,
            "KEYSTONE_URL": self.lab.keystone_url,
            "OPENSTACK_TIMEOUT": "10",
            **self.settings,
        }

    def manage(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of manage.py and return how it ended."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=240,  # a machine that is busy migrates for minutes
        )

    def begin(
        self, *arguments: str, environment: Mapping[str, str] | None = None, output: Any = subprocess.DEVNULL
    ) -> "subprocess.Popen[bytes]":
        """Start a command of manage.py, which the caller must end."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | dict(environment or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def start(self) -> None:
        """Start it if it does not run, and wait until it answers."""
        with self._turns:
            self._start()

    def _start(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self.port = self.port or free_port()
        gunicorn = ["gunicorn", "--workers=1", "--threads=8", f"--bind=127.0.0.1:{self.port}", "--log-level=error"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *gunicorn, "flavorsync_project.wsgi:application"],
            cwd=ROOT,
            env=self.environment,
            start_new_session=True,
        )
        self._wait()

    def kill(self) -> None:
        """Kill all its processes at once (SIGKILL)."""
        with self._turns:
            if self._process:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                self._process = None

    def send(self, wire: Wire, headers: Mapping[str, str], method: str, path: str, flavor: Any = None) -> Answer:
        """Send a request and return its answer.

        Raises:
            requests.RequestException: it was killed before it answered.
        """
        content_type = {} if flavor is None else {"Content-Type": wire.media_type}
        response = requests.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            data=None if flavor is None else wire.write({"flavor": flavor}),
            headers={"Accept": wire.media_type, **content_type, **headers},
            timeout=MAY_TAKE_SECONDS,
            allow_redirects=False,
        )
        return read_answer(wire, response.status_code, response.headers, response.content)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, "it ended while starting"
            try:
                assert requests.get(f"http://127.0.0.1:{self.port}/v1", timeout=5).status_code == 200
            except (requests.ConnectionError, requests.Timeout):  # not there yet, or the machine is busy
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it does not start")


def free_port() -> int:
    """Return a port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
