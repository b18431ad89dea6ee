"""An identity provider on a real socket, for what only a socket can do: break, stall, drip."""

import json
import re
import socket
import threading
from collections.abc import Callable
from typing import Self

# Answers one request on the connection; says whether the connection stays open.
Behaviour = Callable[[socket.socket, threading.Event], bool]


def answer(document: object, *headers: str, status: str = "200 OK", keep: bool = True) -> Behaviour:
    """Answer as Keyrock does; with keep=False, close afterwards without having announced it."""
    body = json.dumps(document).encode()

    def behave(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(_head(status, "Content-Type: application/json", f"Content-Length: {len(body)}", *headers))
        connection.sendall(body)
        return keep

    return behave


def chunked(document: object) -> Behaviour:
    """Answer in chunks of a few bytes, as Node.js does."""
    body = json.dumps(document).encode()

    def behave(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(_head("200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked"))
        for start in range(0, len(body), 7):
            chunk = body[start : start + 7]
            connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        connection.sendall(b"0\r\n\r\n")
        return True

    return behave


def hang_up(connection: socket.socket, stopped: threading.Event) -> bool:
    """Close the connection without an answer."""
    return False


def half_body(connection: socket.socket, stopped: threading.Event) -> bool:
    """Announce more than is sent."""
    connection.sendall(_head("200 OK", "Content-Length: 1000") + b'{"id": ')
    return False


def silence(connection: socket.socket, stopped: threading.Event) -> bool:
    """Answer nothing, until the test is over."""
    stopped.wait(60)
    return False


def stall(connection: socket.socket, stopped: threading.Event) -> bool:
    """Stop half-way through the body."""
    connection.sendall(_head("200 OK", "Content-Length: 1000") + b'{"id": ')
    return silence(connection, stopped)


def drip(connection: socket.socket, stopped: threading.Event) -> bool:
    """Send the body byte by byte, without an end, until nobody reads it."""
    connection.sendall(_head("200 OK", "Content-Length: 1000000"))
    while not stopped.wait(0.02):
        connection.sendall(b" ")
    return False


def flood(connection: socket.socket, stopped: threading.Event) -> bool:
    """Send a body without an end, until nobody reads it."""
    connection.sendall(_head("200 OK"))
    while not stopped.is_set():
        connection.sendall(b" " * 65536)
    return False


def _head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


class IdmServer:
    """Does what `script` lists, one behaviour for each request in turn, on as many connections as come."""

    def __init__(self) -> None:
        self.script: list[Behaviour] = []
        self.requests: list[str] = []
        self.connections = 0
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        # A connection of our own ends the waiting for one, on every platform.
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopped.is_set():
                connection.close()
                return
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        with connection:
            while request := self._receive(connection):
                self.requests.append(request)
                connection.settimeout(10)
                try:
                    if not self.script.pop(0)(connection, self._stopped):
                        return
                except OSError:  # the client had enough
                    return
                connection.settimeout(0.05)

    def _receive(self, connection: socket.socket) -> str:
        """Return the next request, head and body, or nothing when the client or the test is done."""
        received = b""
        while not _is_whole(received):
            try:
                part = connection.recv(65536)
            except TimeoutError:
                if self._stopped.is_set():
                    return ""
                continue
            if not part:
                return ""
            if part.startswith(b"\x16"):  # TLS, which this server does not speak
                connection.sendall(_head("400 Bad Request", "Connection: close"))
                return ""
            received += part
        return received.decode("latin-1")


def _is_whole(request: bytes) -> bool:
    head, blank, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(blank) and len(body) >= int(length[1] if length else 0)
