"""One service of the lab as a detached process that is found again by a lock, not by its process id.

Every process of a service holds a lock on the service's pid file as long as it lives. So we know for certain
whether any is left, and never signal a process id that now belongs to another program: while the lock is held,
the recorded process group exists.

A service runs as long as its main process does. If that is killed, its workers live on for a while, and answer:
we end them before the service starts again.
"""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.client import send
from lab.errors import AnswerError, LabError, UnreachableError

_LAUNCH = '"$@" & echo "$$ $!" >"$0"'
"""Start the service as an orphan in the session of this shell; write down group and process."""

_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
_START_SECONDS = 60
_STOP_SECONDS = 10
_PORT_SECONDS = 1
"""How long a port may stay taken after its process has ended."""


@dataclass(frozen=True)
class Daemon:
    """A service: its folder, its command, and the loopback port that it answers on."""

    name: str
    folder: Path
    port: int
    command: Sequence[str]
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        """The root of what it serves, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def access_log(self) -> Path:
        """The log of its requests; see `lab.access_log`."""
        return self.folder / "access.log"

    @property
    def output(self) -> Path:
        """The file with what it printed."""
        return self.folder / "output.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def running(self) -> bool:
        """Say whether its main process is alive."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """Return the id of its main process, `None` if it does not run."""
        numbers = self._numbers()
        return numbers[1] if numbers and _lives(*numbers) else None

    def start(self) -> None:
        """Start it, and return before it answers; the caller holds the lock of the instance.

        Raises:
            LabError: another program listens on its port, or what is left of a killed one cannot be ended.
        """
        if not self.running():
            self.signal(signal.SIGKILL)
            self.wait_ended()
        self._require_free_port()
        descriptor = os.open(self._pid_file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.ftruncate(descriptor, 0)
            with self.output.open("ab") as output:
                subprocess.run(
                    ["/bin/sh", "-c", _LAUNCH, self._pid_file, *self.command],
                    cwd=self.folder,
                    env=self._full_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=[descriptor],
                    check=True,
                )
        finally:
            os.close(descriptor)

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            LabError: it ended, or did not answer within a minute.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.running():
                raise LabError(f"{self.name} ended while starting: {self._last_words()}")
            try:
                send("GET", self.url)
            except AnswerError as error:
                raise LabError(f"{self.name} does not work: {error}; see {self.output}") from error
            except UnreachableError:
                time.sleep(0.05)
            else:
                return
        raise LabError(f"{self.name} did not answer within {_START_SECONDS} s; see {self.output}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes, if any is left."""
        numbers = self._numbers()
        if numbers:
            with suppress(ProcessLookupError):
                os.killpg(numbers[0], number)

    def wait_ended(self) -> None:
        """Wait until none of its processes is left; after ten seconds kill them.

        Raises:
            LabError: they cannot be ended.
        """
        if self._ended_within(_STOP_SECONDS):
            return
        self.signal(signal.SIGKILL)
        if not self._ended_within(_STOP_SECONDS):
            raise LabError(f"{self.name} cannot be ended (process {self.pid()})")

    def _any_left(self) -> bool:
        """Say whether any of its processes is alive, or one is about to start."""
        try:
            descriptor = os.open(self._pid_file, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._any_left():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _numbers(self) -> tuple[int, int] | None:
        """Return process group and main process; wait for a launch that is under way."""
        while self._any_left():
            numbers = self._pid_file.read_text().split()
            if len(numbers) == 2:
                return int(numbers[0]), int(numbers[1])
            time.sleep(0.01)
        return None

    def _full_environment(self) -> dict[str, str]:
        """Return its whole environment, without the caller's proxy and `OS_…` settings."""
        kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        return kept | dict(self.environment)

    def _require_free_port(self) -> None:
        deadline = time.monotonic() + _PORT_SECONDS
        while not self._port_is_free():
            if time.monotonic() > deadline:
                raise LabError(
                    f"another program uses port {self.port} of {self.name}: end that program, or run 'down' and "
                    f"remove {self.folder.parent}, so that 'up' picks new ports"
                )
            time.sleep(0.02)

    def _port_is_free(self) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
        return True

    def _last_words(self) -> str:
        lines = self.output.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1].strip() if lines else 'it printed nothing'}; see {self.output}"


def _lives(group: int, process: int) -> bool:
    """Say whether a process belongs to the group, and is not a zombie."""
    try:
        if os.getpgid(process) != group:
            return False
        status = Path(f"/proc/{process}/stat").read_text()
    except (ProcessLookupError, PermissionError):
        return False
    except FileNotFoundError:  # it has just ended, or this system has no /proc
        return not Path("/proc/self").exists()
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")
