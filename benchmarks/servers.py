"""Gunicorn as in production: the same configuration for Flavor Sync and for the floors."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 60


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    master: int

    @property
    def workers(self) -> list[int]:
        """Return its worker processes."""
        return sorted(child.pid for child in psutil.Process(self.master).children())

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def processor(self) -> float:
        """Return the seconds of processor time that its workers have used, the kernel's for them included."""
        times = [psutil.Process(worker).cpu_times() for worker in self.workers]
        return float(sum(each.user + each.system for each in times))

    def memory(self) -> float:
        """Return the resident memory of the largest worker, in MB."""
        return max(psutil.Process(worker).memory_info().rss for worker in self.workers) / 1e6


@contextmanager
def serve(application: str, *, environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Serve a WSGI application until the end of the block.

    Raises:
        RuntimeError: it does not start; its log says why.
    """
    port = _free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "flavorsync_serving/gunicorn.conf.py",
        f"--bind=127.0.0.1:{port}",
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 — a command of our own
            [*command, application], cwd=ROOT, env=os.environ | dict(environment), stdout=output, stderr=output
        )
    try:
        _wait(process, port, log, children=2)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def listening(module: str, *, log: Path) -> Iterator[int]:
    """Run a module of the project that serves a port, its argument, and yield the port.

    Raises:
        RuntimeError: it does not start; its log says why.
    """
    port = _free_port()
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 — a command of our own
            [sys.executable, "-m", module, str(port)], cwd=ROOT, stdout=output, stderr=output
        )
    try:
        _wait(process, port, log)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def answering(
    module: str, *arguments: object, environment: Mapping[str, str], log: Path
) -> Iterator[Callable[..., list[str]]]:
    """Run a module of the project that answers each line of its input; yield a function that asks it.

    The function returns the words of the answer, or none if the module has failed; its log says why.
    """
    with (
        log.open("ab") as output,
        subprocess.Popen(  # noqa: S603 — a command of our own
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT, env=os.environ | dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=output, text=True, bufsize=1,
        ) as process,
    ):  # fmt: skip
        orders, answers = process.stdin, process.stdout
        if orders is None or answers is None:
            raise RuntimeError("the process has no pipes")

        def ask(line: str = "") -> list[str]:
            orders.write(f"{line}\n")
            return answers.readline().split()

        yield ask
        orders.close()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path, *, children: int = 0) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        if len(psutil.Process(process.pid).children()) >= children:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return
        time.sleep(0.05)
    raise RuntimeError(f"The server did not start: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(arguments: Sequence[str], *, environment: Mapping[str, str]) -> None:
    """Run a Python command of the project.

    Raises:
        RuntimeError: it failed; the message has its output.
    """
    done = subprocess.run(  # noqa: S603 — a command of our own
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
