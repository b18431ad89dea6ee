"""A copy of the project to type the scripts in, with a Python that makes and fills environments in no time."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    "bash",
    "cat",
    "chmod",
    "cksum",
    "cut",
    "date",
    "dirname",
    "env",
    "find",
    "flock",
    "grep",
    "mkdir",
    "mktemp",
    "readlink",
    "rm",
    "sed",
    "sh",
    "sleep",
    "tail",
)
DONE = 180
"""Seconds to wait at most for something to answer or end."""

# Stands for python3 and for the Python of the environments it makes: writes down how it was called, installs
# nothing, and leaves everything else to the Python that runs the tests, which has all that the project needs.
FAKE_PYTHON = """\
#!/usr/bin/env bash
printf '%s\\n' "$*" >>"{log}"
case "$*" in
    "-m venv --clear "*) rm -rf "$4" && mkdir -p "$4/bin" && cat "$0" >"$4/bin/python" && chmod +x "$4/bin/python" ;;
    "-m pip --version") ;;
    "-m pip install "*) if [[ -e "{folder}/no-pip" ]]; then echo "ERROR: no network" >&2; exit 1; fi ;;
    "-m uv "*) ;;
    "-m pytest"*) if [[ -e "{folder}/no-tests" ]]; then exit 1; fi ;;
    *) exec "{python}" "$@" ;;
esac
"""
OLD_PYTHON = """\
#!/usr/bin/env bash
case "$*" in
    *print*) echo 3.9 ;;
    *) exit 1 ;;
esac
"""


class Checkout:
    """A copy of the project in its own folder, as a newcomer has it: no environment, no database."""

    def __init__(self, folder: Path, like: Path | None = None) -> None:
        """Copy the project, or another copy with all that was made there; what is compiled need not be so again."""
        self.folder = folder
        self.root = folder / "checkout"
        self.log = folder / "python.log"
        self.bin = folder / "bin"
        self.elsewhere = folder / "elsewhere"
        self._started: list[subprocess.Popen[bytes]] = []
        shutil.copytree(
            like or ROOT, self.root, ignore=None if like else shutil.ignore_patterns(".*", "db.sqlite3*"), symlinks=True
        )
        self.bin.mkdir()
        self.elsewhere.mkdir()
        for tool in TOOLS:
            if path := shutil.which(tool):
                (self.bin / tool).symlink_to(path)
        self.put("python3", FAKE_PYTHON.format(log=self.log, folder=folder, python=sys.executable))

    def put(self, name: str, text: str) -> None:
        """Make a program that the scripts find on their PATH, which has little else."""
        self._write_program(self.bin / name, text)

    def put_script(self, name: str, text: str) -> None:
        """Make one of the project's own scripts something else."""
        self._write_program(self.root / "scripts" / name, text)

    @staticmethod
    def _write_program(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """How Python was called."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []

    def installed(self) -> list[str]:
        """Return the names of the requirements files that pip was told to install."""
        return [call.rpartition("/")[2] for call in self.calls if "pip install" in call]

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        """Return what a script is to see: little of this process's, and *variables*."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "FLAVORSYNC_LAB") if name in os.environ}
        return {**kept, "PATH": str(self.bin), **variables}

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Type a script from a folder that is not the project's, and wait for its end."""
        return subprocess.run(
            [self.root / "scripts" / script, *arguments],
            cwd=self.elsewhere,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DONE,
            check=False,
        )

    def serve(self, *arguments: str, **variables: str) -> "Server":
        """Type scripts/serve, and wait until it serves."""
        return self._serve([self.root / "scripts" / "serve", *arguments], free_port(), variables)

    def serve_again(self, port: int, variables: dict[str, str]) -> "Server":
        """Serve what scripts/serve has prepared, on the same port as then."""
        return self._serve([self.root / ".venv" / "bin" / "python", self.root / "manage.py", "serve"], port, variables)

    def _serve(self, command: Sequence[str | Path], port: int, variables: dict[str, str]) -> "Server":
        output = (self.folder / f"serve-{port}.log").open("wb")
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=self.elsewhere,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output.close()
        self._started.append(process)
        return Server(process, port, Path(output.name))

    def end(self) -> None:
        """End what a failed test left behind."""
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class Server:
    """A scripts/serve that was typed."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._output = output
        self.seconds = self._wait(time.monotonic())

    def _wait(self, begun: float) -> float:
        """Return the seconds until the first answer."""
        while time.monotonic() - begun < DONE:
            if self.process.poll() is not None:
                raise AssertionError(f"scripts/serve ended: {self.printed}")
            try:
                self.get("/v1")
            except OSError:
                time.sleep(0.05)
            else:
                return time.monotonic() - begun
        raise AssertionError("scripts/serve did not answer")

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(encoding="utf-8")

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body of an answer."""
        with urllib.request.urlopen(self.url + path, timeout=DONE) as answer:
            return answer.status, answer.read().decode()

    def stop(self) -> str:
        """Press Ctrl-C, which every process of the terminal feels, and return all that was printed."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=DONE)
        return self.printed

    def processes(self) -> dict[int, str]:
        """Return the command lines of all processes that it has started and that live, itself among them."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid and fields[0] != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it has ended meanwhile
                continue
        return found

    def wait_until_all_ended(self) -> None:
        """Wait until no process is left: gunicorn's own take a moment to see that their master was killed."""
        self.wait_until(lambda: not self.processes(), "no process is left")

    def wait_until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + DONE
        while not holds():
            assert time.monotonic() < deadline, f"not within {DONE} s: {what}; there are {self.processes()}"
            time.sleep(0.05)

    def wait_for(self, *words: str) -> list[int]:
        """Wait until processes run whose command lines have these words, and return the ids, one for each."""
        deadline, running = time.monotonic() + DONE, self.processes()
        while time.monotonic() < deadline:
            running = self.processes()
            ids = [min((id for id, line in running.items() if word in line), default=0) for word in words]
            if all(ids):
                return ids
            time.sleep(0.05)
        raise AssertionError(f"not running: {words} but {running}")


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def password_in(printed: str) -> str:
    """Return the administrator's password that was printed, or an empty string."""
    found = re.search(r"^Password: (\S+)", printed, re.MULTILINE)
    return found[1] if found else ""
