"""A server on a real socket of this machine, for what only a socket can do: break, stall, drip."""

import socket
import threading
from collections.abc import Callable
from typing import Self

# Answers one request; says whether the connection stays open. The event is set when the test is over.
Behaviour = Callable[[socket.socket, threading.Event], bool]


def head(*headers: str, status: str = "200 OK") -> bytes:
    """Return the head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def sends(*parts: bytes, keep: bool = False) -> Behaviour:
    """Send these bytes and nothing more."""

    def behave(connection: socket.socket, stopped: threading.Event) -> bool:
        for part in parts:
            connection.sendall(part)
        return keep

    return behave


def answers(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> Behaviour:
    """Answer properly, and keep the connection."""
    return sends(head(f"Content-Length: {len(body)}", *headers, status=status) + body, keep=True)


def drips(prefix: bytes) -> Behaviour:
    """Send *prefix*, and then a byte now and then, until nobody reads them."""

    def behave(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(prefix)
        while not stopped.wait(0.05):
            connection.sendall(b"x")
        return False

    return behave


def floods(prefix: bytes, chunk: bytes) -> Behaviour:
    """Send *prefix*, and then *chunk* again and again, until nobody reads it."""

    def behave(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(prefix)
        while not stopped.is_set():
            connection.sendall(chunk)
        return False

    return behave


def is_silent(connection: socket.socket, stopped: threading.Event) -> bool:
    """Answer nothing until the test is over."""
    stopped.wait(60)
    return False


class Server:
    """Does what `script` lists, one behaviour for each request in turn, on as many connections as come."""

    def __init__(self, *script: Behaviour) -> None:
        self.script = list(script)
        self.requests: list[str] = []
        self.connections = 0
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        socket.create_connection(self._listener.getsockname()).close()  # ends the waiting for one
        for connection in self._sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is closed
                continue
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
            self._sockets.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := self._receive(connection):
                    self.requests.append(request)
                    if not self.script.pop(0)(connection, self._stopped):
                        return
            except OSError:  # the client had enough
                return

    @staticmethod
    def _receive(connection: socket.socket) -> str:
        """Return the next request's head, or nothing when the client is done."""
        received = b""
        while b"\r\n\r\n" not in received:
            if not (part := connection.recv(65536)):
                return ""
            if part.startswith(b"\x16"):  # TLS, which this server does not speak
                connection.sendall(head("Connection: close", status="400 Bad Request"))
                return ""
            received += part
        return received.decode("latin-1")
