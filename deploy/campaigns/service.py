"""Running the service of any checkout without a proxy: one web process, the scheduler, and commands."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.campaigns import commands
from lab import Lab, seed

MAY_START = 120
MAY_TAKE = 120
THREADS = 32


@dataclass
class Service:
    """A running service; `send` and `manage` are safe to use from many threads."""

    checkout: Path
    environment: Mapping[str, str]
    port: int
    # Where commands are carried out
    commands: Path

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> tuple[int, Any]:
        """Send a request, and return the status and JSON document of the response; the status is 0 without one."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=MAY_TAKE)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException):
            return 0, None
        finally:
            connection.close()
        return answer.status, json.loads(text) if text.startswith(b"{") else None

    def manage(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of manage.py; one that takes longer than `MAY_TAKE` seconds is killed."""
        return commands.carry_out(self.commands, arguments, environment)


@contextmanager
def running(checkout: Path, lab: Lab, database: str, **settings: str) -> Iterator[Service]:
    """Run the service of a checkout with its own database, and a scheduler that looks every two seconds.

    Args:
        database: `sqlite`, or the URL of a MariaDB database, which is emptied.
    """
    folder = Path(tempfile.mkdtemp())
    port = _free_port()
    environment = {
        **os.environ,
        "ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "flavorsync_project.settings",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3" if database == "sqlite" else _made_anew(database),
        "KEYROCK_URL": lab.idm_url,
        "KEYROCK_APP_IDS": seed.IDM_APPLICATION,
        "KEYSTONE_URL": lab.keystone_url,
        "INFRASTRUCTURE_URL_ALLOWLIST": "*,127.0.0.1",
        "ALLOWED_HOSTS": "127.0.0.1",
        **settings,
    }
    service = Service(checkout, environment, port, folder / "commands")
    serving_commands = [str(Path(commands.__file__)), str(service.commands), str(MAY_TAKE)]
    gunicorn = ["gunicorn", "--workers=1", f"--threads={THREADS}", f"--bind=127.0.0.1:{port}", "--log-level=error"]
    with (folder / "log").open("wb") as log, ExitStack() as processes:
        processes.enter_context(_process(serving_commands, service, log))
        _wait(service.commands.exists)
        migrated = service.manage("migrate", "-v0")
        assert migrated.returncode == 0, migrated.stderr
        processes.enter_context(_process(["-m", *gunicorn, "flavorsync_project.wsgi:application"], service, log))
        processes.enter_context(_process(["manage.py", "run_scheduler", "--interval", "2"], service, log))
        _wait(lambda: service.send("GET", "/v1", {})[0] == 200)
        yield service
    shutil.rmtree(folder)


@contextmanager
def _process(arguments: Sequence[str], service: Service, log: Any) -> Iterator[None]:
    """Run Python with these arguments in the checkout, and end it with the block."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, cwd=service.checkout, env=dict(service.environment), stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=MAY_TAKE)


def _wait(is_there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MAY_START
    while not is_there():
        assert time.monotonic() < deadline, "the service does not start"
        time.sleep(0.2)


def _made_anew(url: str) -> str:
    """Drop and create the database of a URL, and return the URL."""
    import MySQLdb  # noqa: PLC0415 — only installed where MariaDB is used

    target = urlsplit(url)
    name = target.path.strip("/")
    connection = MySQLdb.connect(host=target.hostname, port=target.port or 3306, user=target.username or "root")
    cursor = connection.cursor()
    cursor.execute(f"DROP DATABASE IF EXISTS {name}")
    cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    connection.close()
    return url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
