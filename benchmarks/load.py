"""Requests over kept-alive connections, as fast as they are answered; every answer is checked."""

import multiprocessing
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

import psutil

SECONDS_TO_ANSWER = 60
CONNECTIONS_PER_WORKER = 2
_ROOM = 64 * 1024
_processes = multiprocessing.get_context("fork")


class WrongAnswerError(Exception):
    """The answer is not the one to be measured."""


@dataclass(frozen=True)
class Request:
    """A request and the expected answer: a status, and a body if it is known beforehand."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    method: str = "GET"
    content: bytes = b""

    @property
    def address(self) -> tuple[str, int]:
        """Return where it goes."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 80)

    @property
    def wire(self) -> bytes:
        """Return it as sent in HTTP/1.1."""
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc, **self.headers}
        if self.content:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(self.content))}
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + self.content


@dataclass(frozen=True)
class Answer:
    """What came back; `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """One connection, one request at a time, one buffer: it costs little compared with the servers that it measures."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(SECONDS_TO_ANSWER)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_ROOM)

    @classmethod
    def to(cls, request: Request) -> "Client":
        """Return a client that is connected to the request's address."""
        return cls(socket.create_connection(request.address))

    @property
    def port(self) -> int:
        """Return the connection's own port."""
        return int(self._connection.getsockname()[1])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, request: Request) -> Answer:
        """Send the request once and return its answer.

        Raises:
            WrongAnswerError: it is not the expected one.
        """
        start, end = self._exchange(request.wire, request)
        _, *lines = self._buffer[:start].decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        return Answer(
            request.status, {name.lower(): text for name, text in headers.items()}, bytes(self._buffer[start:end])
        )

    def seconds(self, request: Request) -> float:
        """Return how long the request takes."""
        wire = request.wire
        began = time.perf_counter()
        self._exchange(wire, request)
        return time.perf_counter() - began

    def repeat(self, request: Request, *, until: float) -> int:
        """Repeat the request until that moment; return how often."""
        wire, times = request.wire, 0
        while time.monotonic() < until:
            self._exchange(wire, request)
            times += 1
        return times

    def _exchange(self, wire: bytes, request: Request) -> tuple[int, int]:
        """Return where the body begins and ends in the buffer."""
        self._connection.sendall(wire)
        filled = body = 0
        while not body:
            filled += self._receive(filled)
            body = self._buffer.find(b"\r\n\r\n", 0, filled) + 4 if b"\r\n\r\n" in self._buffer[:filled] else 0
        end = body + self._length(body)
        if end > len(self._buffer):
            self._buffer.extend(bytes(end - len(self._buffer) + _ROOM))
        while filled < end:
            filled += self._receive(filled)
        status = int(self._buffer[9:12])
        if status != request.status:
            raise WrongAnswerError(f"{request.url}: {status} {bytes(self._buffer[body:end])[:200]!r}")
        expected = request.body
        if expected is not None and (end - body != len(expected) or not self._buffer.startswith(expected, body)):
            raise WrongAnswerError(f"{request.url}: the body is not the expected one")
        return body, end

    def _receive(self, filled: int) -> int:
        count = self._connection.recv_into(memoryview(self._buffer)[filled:])
        if not count:
            raise WrongAnswerError("the connection was closed in the middle of an answer")
        return count

    def _length(self, head_end: int) -> int:
        head = bytes(self._buffer[:head_end]).lower()
        at = head.find(b"\r\ncontent-length:")
        return int(head[at + 17 : head.index(b"\r\n", at + 2)]) if at >= 0 else 0


@contextmanager
def connections(request: Request, workers: Sequence[int]) -> Iterator[list[Client]]:
    """Open two connections to each worker process of a server, however the workers distribute them.

    Each is used once: until then a thread of gunicorn waits for its request, for up to five seconds.
    """
    clients: list[Client] = []
    try:
        kept: list[Client] = []
        held: Counter[int] = Counter()
        while len(kept) < CONNECTIONS_PER_WORKER * len(workers):
            client = Client.to(request)
            clients.append(client)
            client.seconds(request)
            worker = _acceptor(client.port, workers)
            if held[worker] < CONNECTIONS_PER_WORKER:
                held[worker] += 1
                kept.append(client)
        yield kept
    finally:
        for client in clients:
            client.close()


def _acceptor(port: int, workers: Sequence[int]) -> int:
    """Return the process that has accepted the connection from this port."""
    deadline = time.monotonic() + SECONDS_TO_ANSWER
    while time.monotonic() < deadline:
        for worker in workers:
            if any(peer.raddr[1:] == (port,) for peer in psutil.Process(worker).net_connections("tcp4")):
                return worker
    raise WrongAnswerError("no worker accepts a connection")


def per_second(request: Request, workers: Sequence[int], seconds: float) -> float:
    """Return how many requests a second the workers answer, over two connections to each.

    Each connection has its own process.

    Raises:
        WrongAnswerError: an answer was not the expected one.
    """
    with connections(request, workers) as clients:
        began = time.monotonic()
        jobs = [partial(client.repeat, request, until=began + seconds) for client in clients]
        counts = side_by_side(jobs)
        return sum(counts) / (time.monotonic() - began)


def side_by_side(jobs: Sequence[Callable[[], int]]) -> list[int]:
    """Run each job in its own process, and return the results.

    Raises:
        WrongAnswerError: one of them got a wrong answer.
    """
    running = []
    for job in jobs:
        ours, theirs = _processes.Pipe(duplex=False)
        process = _processes.Process(target=_run, args=(job, theirs))
        process.start()
        running.append((process, ours))
    results = [result.recv() for _, result in running]
    for process, _ in running:
        process.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def _run(job: Callable[[], int], results: Connection) -> None:
    try:
        results.send(job())
    except (OSError, WrongAnswerError) as error:
        results.send(WrongAnswerError(str(error)))
