"""The benchmarks' own databases: on a MariaDB if there is one, else SQLite in a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from benchmarks.floors import connect
from benchmarks.servers import run

PREFIX = "flavorsync_benchmark"


def answers(server: str) -> bool:
    """Say whether there is a database server that lets us in."""
    try:
        connect(server).close()
    except Exception as error:  # noqa: BLE001 — the driver is missing, nobody listens, or they do not know us
        print(f"No MariaDB at {server} ({error}): using SQLite")
        return False
    return True


@contextmanager
def database(
    server: str | None,
    folder: Path,
    *,
    flavors: int,
    nodes: int,
    farm: int = 0,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    """Make a database with so many flavors in so many nodes, and yield its URL.

    Args:
        farm: the port of the farm whose clouds the nodes are; 0 for nodes without a cloud.
        secrets: the settings with the keys that encrypt the clouds' passwords.
    """
    name = f"{PREFIX}_{flavors}_{nodes}"
    if server is None:
        url = f"sqlite:///{folder}/{name}.sqlite3"
        _fill(url, flavors, nodes, farm, secrets)
        yield url
        return
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    connection = connect(server)
    execute(connection, f"DROP DATABASE IF EXISTS {name}")
    execute(connection, f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    try:
        _fill(url, flavors, nodes, farm, secrets)
        yield url
    finally:
        execute(connection, f"DROP DATABASE {name}")
        connection.close()


def _fill(url: str, flavors: int, nodes: int, farm: int, secrets: Mapping[str, str]) -> None:
    environment = {**secrets, "DATABASE_URL": url}
    run(["manage.py", "migrate", "--verbosity=0"], environment=environment)
    run(["-m", "benchmarks.catalogue", str(flavors), str(nodes), str(farm)], environment=environment)


def execute(connection: object, statement: str, parameters: tuple[object, ...] = ()) -> None:
    """Run one statement, and commit it."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(statement, parameters)
    cursor.close()
