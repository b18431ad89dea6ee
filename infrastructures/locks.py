"""Locks between processes, which the database or the operating system releases when their holder dies.

A lock may be held while a cloud is called; a database transaction may not.
"""

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

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
    """Hold the locks *names*, all or none, against every thread and process that uses the same database.

    On MariaDB and MySQL they are locks of the database connection (GET_LOCK), on SQLite, which only one
    machine can use, locks on files. Both are free again as soon as their holder dies.

    Args:
        wait: how many seconds to wait for each, in the order of *names*.

    Raises:
        Locked: somebody else still holds one of them after *wait* seconds.
        OperationalError: the files cannot be written; or the connection was ended meanwhile.

    Cost: two queries on MariaDB and MySQL, however many locks.
    """
    if connection.vendor == "mysql":
        with _held_in_database([_in_database(name) for name in names], wait):
            yield
    else:
        with ExitStack() as files:
            for name in names:
                files.enter_context(_held_in_file(_file_of(name), wait))
            yield


class Keeper:
    """Locks like those of `exclusive`, which one thread takes and releases one by one, in any order.

    They belong to one database connection. Leaving the block releases all of them.
    """

    def __init__(self) -> None:
        self._held: dict[str, ExitStack] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go(list(self._held))

    def take(self, names: Collection[str]) -> set[str]:
        """Take those of the locks that nobody else holds, without waiting, and return them.

        Cost: one query on MariaDB and MySQL.
        """
        taken = _taken_in_database(names) if connection.vendor == "mysql" else _taken_in_files(names)
        self._held |= taken
        return set(taken)

    def let_go(self, names: Collection[str]) -> None:
        """Release those of the locks that are held here. Cost: one query on MariaDB and MySQL."""
        held = {name: self._held.pop(name) for name in names if name in self._held}
        if connection.vendor == "mysql":
            _release_in_database([_in_database(name) for name in held])
        for each in held.values():
            each.close()


def _taken_in_database(names: Collection[str]) -> dict[str, ExitStack]:
    got = _got_in_database([_in_database(name) for name in names]) if names else {}
    return {name: ExitStack() for name in names if got[_in_database(name)]}


def _taken_in_files(names: Collection[str]) -> dict[str, ExitStack]:
    taken = {}
    for name in names:
        with ExitStack() as lock, suppress(Locked):
            lock.enter_context(_held_in_file(_file_of(name), wait=0))
            taken[name] = lock.pop_all()
    return taken


def _in_database(name: str) -> str:
    # Lock names are shared by the whole server, which may have other databases of ours.
    database = connection.settings_dict["NAME"]
    return f"flavorsync:{_digest(f'{database}:{name}')}"


def _file_of(name: str) -> Path:
    return Path(settings.DATA_FOLDER) / ".locks" / _digest(name)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


@contextmanager
def _held_in_database(names: Sequence[str], wait: float) -> Iterator[None]:
    held = names[: _got_in_order(names, wait)]
    try:
        if len(held) < len(names):
            raise Locked(names)
        yield
    finally:
        _release_in_database(held)


def _got_in_order(names: Sequence[str], wait: float) -> int:
    """Take locks until somebody else has one, and return how many we hold.

    Those behind that one are not even tried: whoever has it may just want them, too, and would not get them.
    """
    got = f"{len(names)}"
    for number in reversed(range(len(names))):
        got = f"CASE GET_LOCK(%s, %s) WHEN 1 THEN {got} WHEN 0 THEN {number} END"
    (held,) = _answers(got, [parameter for name in names for parameter in (name, wait)])
    return held


def _got_in_database(names: Sequence[str]) -> dict[str, bool]:
    """Try to take each of the locks, without waiting, and return for each whether we hold it."""
    columns = ", ".join(["GET_LOCK(%s, 0)"] * len(names))
    return {name: got == 1 for name, got in zip(names, _answers(columns, names), strict=True)}


def _answers(columns: str, parameters: Sequence[str | float]) -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", parameters)
        answers: tuple[int, ...] = cursor.fetchone()
    if None in answers:
        # Source: MariaDB, "GET_LOCK": NULL if the thread was killed while it waited. Nobody else has the lock.
        connection.close()
        raise OperationalError(CONNECTION_KILLED, "The connection was ended while it waited for a lock.")
    return answers


def _release_in_database(names: Sequence[str]) -> None:
    """Release the locks. If the connection is lost, so are they; what was done under them still stands."""
    if not names:
        return
    try:
        with connection.cursor() as cursor:
            columns = ", ".join(["RELEASE_LOCK(%s)"] * len(names))
            cursor.execute(f"SELECT {columns}", names)
    except (OperationalError, InterfaceError) as error:
        logger.warning("The connection to the database is lost, and with it a lock: %s", error)
        if not connection.in_atomic_block:
            connection.close()  # the next query opens another one


@contextmanager
def _held_in_file(path: Path, wait: float) -> Iterator[None]:
    try:
        path.parent.mkdir(exist_ok=True)
        descriptor = _locked_file(path, time.monotonic() + wait)
    except OSError as error:
        reason = f"{path.parent}, where locks are kept with SQLite, cannot be written: {error.strerror}."
        raise OperationalError(f"{reason} Set another DATA_FOLDER, in the environment.") from error
    try:
        yield
    finally:
        path.unlink()  # still locked: whoever waits for it will see that the path has no or another file now
        os.close(descriptor)


def _locked_file(path: Path, deadline: float) -> int:
    """Return a descriptor that holds the lock on the file now at *path*, created if missing."""
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
