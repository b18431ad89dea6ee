"""What Flavor Sync is compared with: the least that a server in Python must do for the same answer.

`/sql` sends two queries with the database's own driver and encodes with orjson; `/memory/NAME` returns a body that
was read from a file at the start. Neither knows who calls, what they ask for, or what has changed.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

FLAVORS = """
    SELECT id, flavorid, name, vcpus, ram, disk, swap FROM flavors_flavor WHERE promoted ORDER BY name, flavorid
"""
# The outer join makes MariaDB begin with the installations instead of the few infrastructures.
NODES = """
    SELECT installation.flavor_id, infrastructure.name
    FROM flavors_installation installation
    LEFT JOIN infrastructures_infrastructure infrastructure ON infrastructure.id = installation.infrastructure_id
    ORDER BY installation.installed_at, installation.id
"""
_local = threading.local()


def connect(url: str) -> Any:
    """Return a connection of the database's own driver."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        import sqlite3  # noqa: PLC0415 — the one driver or the other

        return sqlite3.connect(parts.path, isolation_level=None)
    import MySQLdb  # noqa: PLC0415

    return MySQLdb.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        passwd=unquote(parts.password or ""),
        db=parts.path[1:],
        charset="utf8mb4",
        autocommit=True,
    )


def from_sql() -> bytes:
    """Return the list of promoted flavors, from two queries."""
    if not hasattr(_local, "connection"):
        _local.connection = connect(os.environ["DATABASE_URL"])
    cursor = _local.connection.cursor()
    cursor.execute(NODES)
    nodes: dict[int, list[str]] = defaultdict(list)
    for flavor, name in cursor.fetchall():
        nodes[flavor].append(name)
    cursor.execute(FLAVORS)
    flavors = [
        {
            "id": flavorid,
            "name": name,
            "vcpus": vcpus,
            "ram": ram,
            "disk": disk,
            "swap": swap,
            "promoted": True,
            "public": True,
            "nodes": nodes[key],
        }
        for key, flavorid, name, vcpus, ram, disk, swap in cursor.fetchall()
    ]
    cursor.close()
    return orjson.dumps({"flavors": flavors}, option=orjson.OPT_APPEND_NEWLINE)


def _bodies() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(os.environ["FLOOR_BODIES"]).iterdir()}


class Floors:
    """The WSGI application of the floors."""

    def __init__(self) -> None:
        self._memory = _bodies()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """Answer a request."""
        path = environ["PATH_INFO"]
        body = from_sql() if path == "/sql" else self._memory[path.removeprefix("/memory/")]
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


if "FLOOR_BODIES" in os.environ:
    application = Floors()
