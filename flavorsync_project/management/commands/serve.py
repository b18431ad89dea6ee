"""`manage.py serve`: the whole service on this machine, for trying it."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from flavorsync_project.console import commands
from flavorsync_project.console.processes import gunicorn, own_command, own_environment

SECONDS_TO_END = 10
SECONDS_BETWEEN_LOOKS = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HIGHEST_PORT = 65_535

Process = subprocess.Popen[bytes]


class _Asked(BaseException):
    """Somebody wants this process to end."""


class Command(commands.Command):
    """Prepare the database, then run the server, a worker and a scheduler until one of them ends or Ctrl-C."""

    help = (
        "Serve Flavor Sync on this machine, for trying it: make the database and an administrator if there are none, "
        "then run the server, a worker and a scheduler. Ctrl-C ends them all. What it makes is in DATA_FOLDER."
    )
    examples = ("./manage.py serve", "./manage.py serve --port 8080")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the port."""
        port = os.environ.get("PORT") or "5000"
        parser.add_argument("--port", default=port, help="serve on this port of 127.0.0.1 (%(default)s, or PORT)")

    def handle(self, *, port: str, **options: Any) -> None:
        """Serve until the end, which is a failure unless it was asked for."""
        os.umask(0o077)  # the database holds password hashes and the clouds' credentials: it is for its owner
        _require_free(port)
        # Settings with relative paths mean the same to every process.
        os.chdir(settings.DATA_FOLDER if settings.DATA_FOLDER.is_dir() else settings.BASE_DIR)
        call_command("prepare", stdout=self.stdout, stderr=self.stderr)
        self.stdout.write(
            f"==> Serving on http://127.0.0.1:{port} (API under /v1, its documentation on /v1/docs, administration on "
            "/admin/), with a worker and a scheduler for the synchronisation. Ctrl-C stops all."
        )
        self.stdout.flush()
        run_until_one_ends(
            own_command("run_worker"), own_command("run_scheduler"), gunicorn("--bind", f"127.0.0.1:{port}")
        )


def _require_free(port: str) -> None:
    """Raise UsageError unless it is a port, CommandError if somebody listens there."""
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= HIGHEST_PORT):
        raise commands.UsageError(f"{port!r} is not a port: a number from 1 to {HIGHEST_PORT}.")
    try:
        socket.create_connection(("127.0.0.1", int(port))).close()
    except OSError:
        return
    raise CommandError(f"Port {port} is in use: stop what listens there, or choose another with --port.")


def run_until_one_ends(*programs: Sequence[str]) -> None:
    """Run the programs until this process is asked to end; then, or when one of them ends, all do.

    Raises:
        CommandError: one of them has ended, and nobody had asked for it.
    """
    # /metrics shows the metrics of all of them.
    with tempfile.TemporaryDirectory(prefix="flavorsync-metrics-") as figures, _asked_by_signals():
        children: list[Process] = []
        environment = own_environment(PROMETHEUS_MULTIPROC_DIR=figures)
        try:
            for program in programs:
                children.append(subprocess.Popen(program, env=environment))  # noqa: S603, PERF401 — those begun must end
            # Not os.wait(): a signal may reach another thread of this process, and would not interrupt it here.
            while all(child.poll() is None for child in children):
                time.sleep(SECONDS_BETWEEN_LOOKS)
        except _Asked:
            return
        finally:
            _end(children)
    raise CommandError("The server, the worker or the scheduler has ended: see its messages above.")


@contextmanager
def _asked_by_signals() -> Iterator[None]:
    def ask(*_: Any) -> NoReturn:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a terminal may send more than one
        raise _Asked

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(children: Sequence[Process]) -> None:
    """End processes, and wait for them. A worker's run may take long; the next start takes it up again."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for child in children:
        child.terminate()
    deadline = time.monotonic() + SECONDS_TO_END
    for child in children:
        try:
            child.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
