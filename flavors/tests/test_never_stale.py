"""What another process has committed is in the next answer: thousands of times, also while it is being read."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_django import DjangoDbBlocker

from testing.process import ROOT, a_database

pytestmark = [pytest.mark.process, pytest.mark.django_db, pytest.mark.database]

TIMES = [200, pytest.param(2_000, marks=pytest.mark.thorough)]
WRITE = "UPDATE flavors_flavor SET ram = {} WHERE flavorid = 'f'"
FLAVOR = """
    INSERT INTO flavors_flavor (flavorid, name, vcpus, ram, disk, swap, ephemeral, rxtx_factor, description,
        is_public, extra_specs, public, promoted, created_at, updated_at)
    VALUES ('f', 'f', 1, 1, 1, 0, 0, 1.0, '', 1, '{}', 1, 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00')
"""


class Database:
    """A connection of the driver's own, which commits each statement."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection: Any
        if parts.scheme == "sqlite":
            self._connection = sqlite3.connect(parts.path, isolation_level=None, timeout=60, check_same_thread=False)
        else:
            mysql = pytest.importorskip("MySQLdb")
            self._connection = mysql.connect(
                host=parts.hostname, port=parts.port or 3306, user=parts.username, passwd=parts.password or "",
                db=parts.path[1:], autocommit=True,
            )  # fmt: skip

    def execute(self, statement: str) -> None:
        """Run a statement; what it wrote is committed when this returns."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(statement)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.fixture(scope="module")
def database_url(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    with django_db_blocker.unblock(), a_database(str(tmp_path_factory.mktemp("stale"))) as url:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=ROOT, env=_environment(url), check=True, timeout=120,
        )  # fmt: skip
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as database:
        database.execute("DELETE FROM flavors_flavor")
        database.execute(FLAVOR)
        yield database


@pytest.fixture(params=["/v1/flavors", "/v1/promotedflavors"])
def read(request: pytest.FixtureRequest, database_url: str) -> Iterator[Callable[[], int]]:
    """Have the other process read, and return what it has read."""
    with subprocess.Popen(
        [sys.executable, "-m", "flavors.tests.reader", request.param],
        cwd=ROOT, env=_environment(database_url), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, bufsize=1,
    ) as reader:  # fmt: skip
        asked, answered = reader.stdin, reader.stdout
        assert asked
        assert answered

        def once() -> int:
            asked.write("\n")
            return int(answered.readline())

        yield once
        asked.close()


def _environment(url: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "flavorsync_project.settings"}


@pytest.mark.parametrize("times", TIMES)
def test_what_is_committed_is_read_at_once(database: Database, read: Callable[[], int], times: int) -> None:
    for number in range(2, times):
        database.execute(WRITE.format(number))
        assert read() == number
        if number % 3 == 0:
            assert read() == number, "from memory"


@pytest.mark.thorough
@pytest.mark.parametrize("times", TIMES)
def test_what_is_committed_is_read_while_more_is_written(
    database: Database, read: Callable[[], int], times: int
) -> None:
    committed = 1

    def write() -> None:
        nonlocal committed
        for number in range(2, times):
            database.execute(WRITE.format(number))
            committed = number

    writer = Thread(target=write)
    writer.start()
    seen = 0
    while writer.is_alive():
        before, found, after = committed, read(), committed
        assert before <= found <= after + 1
        assert found >= seen
        seen = found
    writer.join()
    assert read() == committed == times - 1
