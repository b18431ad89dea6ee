"""Locks between threads and processes, with the database that the tests run on."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from infrastructures.locks import Keeper, Locked, exclusive
from testing.holder import held_by_a_thread
from testing.source import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

Execute = Callable[..., object]

# Holds a lock and says so, until it is told to end.
HOLDER = """
import sys
from pathlib import Path
import django
django.setup()
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from infrastructures.locks import exclusive
settings.DATA_FOLDER = Path(sys.argv[1])
connection.settings_dict["NAME"] = sys.argv[2]
with exclusive(sys.argv[3]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_a_process(name: str, *, database: str = "") -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, settings.DATA_FOLDER, database or connection.settings_dict["NAME"], name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def is_free(name: str) -> bool:
    try:
        with exclusive(name):
            return True
    except Locked:
        return False


def is_free_for_others(name: str) -> bool:
    def try_it() -> bool:
        try:
            return is_free(name)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        return pool.submit(try_it).result()


def test_holds_against_another_thread() -> None:
    with held_by_a_thread("a"):
        assert not is_free("a")
    assert is_free("a")


@pytest.mark.process
def test_holds_against_another_process() -> None:
    with held_by_a_process("a") as process:
        assert not is_free("a")
        process.communicate()  # the end of its input ends it
        assert is_free("a")


@pytest.mark.process
def test_is_free_again_when_its_holder_is_killed() -> None:
    with held_by_a_process("a") as process:
        process.kill()
        process.wait()
        with exclusive("a", wait=10):  # a database server notices in its own time
            pass


def test_another_name_is_another_lock() -> None:
    with held_by_a_thread("a"):
        assert is_free("b")
        assert is_free("A")


def test_is_held_by_the_time_the_waiting_ends() -> None:
    with held_by_a_thread("a") as let_go:
        threading.Timer(0.2, let_go.set).start()
        with exclusive("a", wait=30):
            assert let_go.is_set()


def test_waits_no_longer_than_it_is_told() -> None:
    with held_by_a_thread("a"):
        start = time.monotonic()
        with pytest.raises(Locked), exclusive("a", wait=0.3):
            pass
        assert 0.2 < time.monotonic() - start < 10


def test_an_exception_lets_it_go() -> None:
    with pytest.raises(ZeroDivisionError), exclusive("a"):
        raise ZeroDivisionError
    with held_by_a_thread("a"):
        pass


def test_one_thread_at_a_time() -> None:
    inside, most = [0], [0]

    def work() -> None:
        try:
            for _ in range(5):
                with exclusive("a", wait=30):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.002)
                    inside[0] -= 1
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work) for _ in range(4)]:
            future.result()
    assert most == [1]


@pytest.mark.process
@pytest.mark.skipif(connection.vendor != "mysql", reason="on SQLite, another database is another folder's")
def test_the_same_name_in_another_database_of_the_server_is_another_lock() -> None:
    with held_by_a_process("a", database="information_schema"):
        assert is_free("a")


def test_all_names_are_held_or_none() -> None:
    with exclusive("a", "b"):
        assert [is_free_for_others(name) for name in ("a", "b", "c")] == [False, False, True]
    with held_by_a_thread("b"):
        with pytest.raises(Locked), exclusive("a", "b", "c"):
            pass
        assert [is_free_for_others(name) for name in ("a", "b", "c")] == [True, False, True]
    assert is_free_for_others("b")


@pytest.mark.skipif(connection.vendor != "mysql", reason="on SQLite a lock is a file's")
def test_what_comes_behind_a_held_name_is_not_touched() -> None:
    """Else two who want both would refuse each other: the holder of the first could not get the second."""
    seen = []

    def look(execute: Execute, *query: Any) -> object:
        answer = execute(*query)
        seen.append(is_free_for_others("b"))
        return answer

    with held_by_a_thread("a"), connection.execute_wrapper(look), pytest.raises(Locked), exclusive("a", "b"):
        pass
    assert seen == [True]


@pytest.mark.skipif(connection.vendor != "mysql", reason="on SQLite a lock is a file's")
def test_two_queries_hold_any_number_of_names() -> None:
    with CaptureQueriesContext(connection) as captured, exclusive("a", "b", "c"):
        pass
    assert len(captured) == 2


# Taken and let go of one by one


def test_a_keeper_takes_what_is_free_and_waits_for_nobody() -> None:
    with held_by_a_thread("theirs"), Keeper() as keeper:
        assert keeper.take(["a", "theirs", "b"]) == {"a", "b"}
        assert not is_free_for_others("a")
        keeper.let_go(["a"])
        assert is_free_for_others("a")
        assert not is_free_for_others("b")
    assert is_free_for_others("b")
