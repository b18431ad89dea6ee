"""Locks between processes, let go by the database or the operating system when their holder dies.

A lock is held while a cloud is called, which a database transaction must not be.
"""

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_TRIES = 0.01
# MariaDB's number for "Connection was killed"
CONNECTION_KILLED = 1927


class Locked(Exception):
    """Somebody else holds the lock."""


@contextmanager
def exclusive(*names: str, wait: float = 0) -> Iterator[None]:
    """Hold the locks *names* against every other thread and process that uses the same database, all or none of them.

    On MariaDB and MySQL they are locks of the database connection (GET_LOCK), on SQLite, which one
    machine alone can use, locks on files. Either is free again at once when its holder dies.

    Args:
        wait: how many seconds to wait for each, in the order of *names*.

    Raises:
        Locked: somebody else still holds one of them after *wait* seconds.

    Cost: two queries on MariaDB and MySQL, however many locks.
    """
    if connection.vendor == "mysql":
        # The names of locks are the whole server's, which may hold other databases of ours.
        database = connection.settings_dict["NAME"]
        with _held_in_database([f"flavorsync:{_digest(f'{database}:{name}')}" for name in names], wait):
            yield
    else:
        with ExitStack() as files:
            for name in names:
                files.enter_context(_held_in_file(Path(settings.BASE_DIR) / ".locks" / _digest(name), wait))
            yield


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


@contextmanager
def _held_in_database(names: Sequence[str], wait: float) -> Iterator[None]:
    with connection.cursor() as cursor:
        columns = ", ".join(["GET_LOCK(%s, %s)"] * len(names))
        cursor.execute(f"SELECT {columns}", [parameter for name in names for parameter in (name, wait)])
        answers = dict(zip(names, cursor.fetchone(), strict=True))
    if None in answers.values():
        # Source: MariaDB, "GET_LOCK": NULL when the thread was killed while it waited. Nobody else has the lock.
        connection.close()
        raise OperationalError(CONNECTION_KILLED, "The connection was ended while it waited for a lock.")
    held = [name for name, got in answers.items() if got == 1]
    try:
        if len(held) < len(names):
            raise Locked(names)
        yield
    finally:
        _release_in_database(held)


def _release_in_database(names: Sequence[str]) -> None:
    """Let go of the locks; they are gone already where the connection is, which changes nothing of what was done."""
    if not names:
        return
    try:
        with connection.cursor() as cursor:
            columns = ", ".join(["RELEASE_LOCK(%s)"] * len(names))
            cursor.execute(f"SELECT {columns}", names)
    except (OperationalError, InterfaceError) as error:
        logger.warning("The connection to the database is lost, and a lock with it: %s", error)
        if not connection.in_atomic_block:
            connection.close()  # the next query opens another one


@contextmanager
def _held_in_file(path: Path, wait: float) -> Iterator[None]:
    path.parent.mkdir(exist_ok=True)
    descriptor = _locked_file(path, time.monotonic() + wait)
    try:
        yield
    finally:
        path.unlink()  # while it is still locked: whoever waits for it sees that it is no longer the file of this name
        os.close(descriptor)


def _locked_file(path: Path, deadline: float) -> int:
    """Return a descriptor that holds the lock on *path*, which there is once more from now on."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _try_to_lock(descriptor) and _is_still_at(path, descriptor):
            return descriptor
        os.close(descriptor)
        if time.monotonic() >= deadline:
            raise Locked(path.name)
        time.sleep(SECONDS_BETWEEN_TRIES)


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
