"""Proxies before a region's Nova that make it act late: by two API processes, or by a slow way there.

Both run in the calling process, on a port of its choice, such as `Lab.nova_port("Isengard")`.
"""

import random
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from lab.daemon import Daemon

READING = ("GET", "HEAD")
# Longer than any process is stopped
_ANSWER_SECONDS = 300
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


class Proxy:
    """Passes each request on to the port that `way` names, and the answer back if somebody still waits for it."""

    def __init__(self, port: int = 0) -> None:
        """Listen on a loopback port (0: any free one) once this is entered."""
        self.port = port

    def way(self, method: str) -> int:
        """Return the port that a request goes to, once it is time for it to go."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The compute endpoint that it offers."""
        return f"http://127.0.0.1:{self.port}/v2.1"

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Delaying(Proxy):
    """Leaves some of the DELETEs unanswered, and passes them on seconds later."""

    def __init__(
        self, upstream: int, port: int = 0, *, seconds: tuple[float, float], share: float, chance: random.Random
    ) -> None:
        """Delay that *share* of the DELETEs to *upstream* by so many *seconds*, from the first to the second."""
        super().__init__(port)
        self._upstream, self._seconds, self._chance = upstream, seconds, chance
        self.share = share
        self.delayed = 0
        self.until = 0.0
        self._lock = threading.Lock()

    def way(self, method: str) -> int:
        """Return the upstream's port, for a DELETE perhaps after a while."""
        if method == "DELETE":
            time.sleep(self._delay())
        return self._upstream

    def _delay(self) -> float:
        with self._lock:
            if self._chance.random() >= self.share:
                return 0
            self.delayed += 1
            delay = self._chance.uniform(*self._seconds)
            self.until = max(self.until, time.monotonic() + delay)
            return delay


class Alternating(Proxy):
    """Gives writing requests to two API processes in turn, even if one is stopped, and other requests to a live one.

    A stopped process's requests wait in its queue until it goes on, even when their senders are long gone.
    """

    def __init__(self, processes: Sequence[Daemon], port: int = 0) -> None:
        """Stand before *processes* of one Nova."""
        super().__init__(port)
        self._processes = list(processes)
        self._stopped: set[int] = set()
        self._turn = 0
        self.queued = 0
        self._lock = threading.Lock()

    def way(self, method: str) -> int:
        """Return the port of the one whose turn it is."""
        with self._lock:
            numbers = list(range(len(self._processes)))
            if method in READING:
                numbers = [number for number in numbers if number not in self._stopped] or numbers
            self._turn += 1
            number = numbers[self._turn % len(numbers)]
            self.queued += number in self._stopped
            return self._processes[number].port

    def stop(self, number: int) -> None:
        """Stop a process as it stands (SIGSTOP)."""
        with self._lock:
            self._stopped.add(number)
        self._processes[number].signal(signal.SIGSTOP)

    def go_on(self, number: int) -> None:
        """Let it go on (SIGCONT): it carries out what waits in its queue."""
        self._processes[number].signal(signal.SIGCONT)
        with self._lock:
            self._stopped.discard(number)

    def __exit__(self, *error: object) -> None:
        for number in sorted(self._stopped):
            self.go_on(number)
        super().__exit__(*error)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: callers that give up are the purpose here."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection = HTTPConnection("127.0.0.1", proxy.way(self.command), timeout=_ANSWER_SECONDS)
            with suppress(OSError, HTTPException):
                connection.request(self.command, self.path, body or None, headers)
                answer = connection.getresponse()
                self._answer(answer.status, answer.getheaders(), answer.read())
            connection.close()

        def _answer(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = pass_on

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — its name in the base class
            """Print nothing."""

    return Handler
