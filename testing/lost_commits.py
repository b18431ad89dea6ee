"""COMMITs whose answer is lost: a proxy before MariaDB that cuts the connection, and the same for SQLite."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
from django.db import OperationalError, connection, connections

COM_QUERY = 3
REFUSED = 1
"""A port where nothing listens."""


@dataclass
class LostCommits:
    """Which of the next COMMITs of all connections loses its answer, and whether it is carried out."""

    at: int = 0
    carried_out: bool = True
    away_afterwards: bool = False
    seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def lose(self, at: int = 1, *, carried_out: bool = True, away_afterwards: bool = False) -> None:
        """Lose the answer to the COMMIT with this number from now on; afterwards the database may be away, too."""
        with self._lock:
            self.at, self.carried_out, self.away_afterwards, self.seen = at, carried_out, away_afterwards, 0

    def come_back(self) -> None:
        """Bring the database back."""
        connection.settings_dict["PORT"] = str(self._port)

    def meets(self) -> bool:
        """Count a COMMIT, and say whether it is the one to lose."""
        with self._lock:
            self.seen += 1
            return self.seen == self.at

    _port: int = 0

    def _is_lost(self) -> None:
        if self.away_afterwards:
            connection.settings_dict["PORT"] = str(REFUSED)


class _Proxy:
    """Stands before a MariaDB server and reads what the clients send, packet by packet.

    Source: MariaDB, "0-Packet" and "COM_QUERY": three bytes of length, one of number, and the payload.
    """

    def __init__(self, commits: LostCommits, host: str, port: int) -> None:
        self._commits, self._server = commits, (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            withheld = threading.Event()
            for target, arguments in (
                (self._from_client, (client, server, withheld)),
                (self._from_server, (client, server, withheld)),
            ):
                threading.Thread(target=target, args=arguments, daemon=True).start()

    def _from_client(self, client: socket.socket, server: socket.socket, withheld: threading.Event) -> None:
        with client, server, client.makefile("rb") as packets, suppress(OSError):
            while header := packets.read(4):
                payload = packets.read(int.from_bytes(header[:3], "little"))
                is_commit = payload[:1] == bytes([COM_QUERY]) and payload[1:].strip().lower() == b"commit"
                if is_commit and self._commits.meets():
                    self._commits._is_lost()
                    if not self._commits.carried_out:
                        break
                    withheld.set()
                server.sendall(header + payload)
            server.shutdown(socket.SHUT_RDWR)
            client.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _from_server(client: socket.socket, server: socket.socket, withheld: threading.Event) -> None:
        with suppress(OSError):
            while (answer := server.recv(65536)) and not withheld.is_set():
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def lost_commits(monkeypatch: pytest.MonkeyPatch) -> Iterator[LostCommits]:
    """Intercept every COMMIT of the tests' database, so that its answer can be lost."""
    commits = LostCommits()
    if connection.vendor != "mysql":
        monkeypatch.setattr(type(connections["default"]), "_commit", _commit_of_sqlite(commits))
        yield commits
        return
    settings_dict = connection.settings_dict
    here = {name: settings_dict[name] for name in ("HOST", "PORT")}
    with _Proxy(commits, here["HOST"], int(here["PORT"] or 3306)) as proxy:
        commits._port = proxy.port
        connection.close()
        settings_dict.update(HOST="127.0.0.1", PORT=str(proxy.port))
        try:
            yield commits
        finally:
            connection.close()
            settings_dict.update(here)


def _commit_of_sqlite(commits: LostCommits) -> Any:
    def commit(self: Any) -> None:
        self.connection.commit()
        if commits.meets():
            raise OperationalError("disk I/O error")

    return commit
