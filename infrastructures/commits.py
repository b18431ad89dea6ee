"""Writing to the database over a connection that may be lost: find out whether a change was written.

A COMMIT whose answer is lost may have been carried out. We undo what we did in a cloud only if the database certainly
has no record of it, so after a loss we ask it first, over another connection.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, InterfaceError, OperationalError, connection, transaction

logger = logging.getLogger(__name__)

T = TypeVar("T")

# MariaDB's number for "Deadlock found when trying to get lock; try restarting transaction"
DEADLOCK = 1213
MAX_ATTEMPTS = 5
# "Server shutdown in progress", "Connection was killed", "The client was disconnected by the server"
ENDED_BY_SERVER = (1053, 1927, 4031)
# The driver's own range: "Can't connect to server", "Server has gone away", "Lost connection to server".
# Source: MariaDB, "Error Codes", and MySQL, "Client Error Message Reference".
ERRORS_OF_CLIENT = range(2000, 3000)
# What a Nova has done must be recorded, even if that means waiting for the database to come back.
SECONDS_TO_WAIT_FOR_DATABASE = 10
SECONDS_BETWEEN_TRIES = 0.2


class NotWritten(OperationalError):
    """The connection was lost, and nothing was written.

    The connection's locks are lost, too: somebody else may have changed what they protected.
    """


class MayBeWritten(OperationalError):
    """The connection was lost, and the database did not come back in time to say whether the change was written."""


def is_lost(error: Exception) -> bool:
    """Say whether a database error means that the connection is lost, or could not be made."""
    if isinstance(error, (InterfaceError, NotWritten, MayBeWritten)):
        return True
    if getattr(error.__cause__, "sqlite_errorname", "") == "SQLITE_CANTOPEN":
        return True
    number = error.args[0] if isinstance(error, OperationalError) and error.args else None
    return isinstance(number, int) and (number in ENDED_BY_SERVER or number in ERRORS_OF_CLIENT)


def in_transaction(write: Callable[[], None]) -> None:
    """Run *write* in a transaction, and again when MariaDB has rolled it back to end a deadlock.

    Several connections that insert one unique value at once are enough for a deadlock.
    Source: MariaDB, "InnoDB Lock Modes", and MySQL, "How to Minimize and Handle Deadlocks".
    """
    for attempt in range(MAX_ATTEMPTS):
        try:
            with transaction.atomic():
                write()
            return
        except OperationalError as error:
            if error.args[:1] != (DEADLOCK,) or attempt == MAX_ATTEMPTS - 1:
                raise


def write_once(write: Callable[[], None], *, is_written: Callable[[], bool]) -> None:
    """Run *write* in a transaction; if its connection is lost, ask over another one whether it was written.

    Args:
        is_written: whether the database has what *write* writes. It is called in a transaction and reads with
            `select_for_update`, which waits for a COMMIT that is still under way.

    Raises:
        NotWritten: the connection was lost, and nothing was written. Take the locks again before you retry.
        MayBeWritten: the database has not come back within `SECONDS_TO_WAIT_FOR_DATABASE`.

    Cost: one transaction.
    """
    used: object = None

    def write_over_it() -> None:
        nonlocal used
        used = connection.connection
        write()

    try:
        in_transaction(write_over_it)
    except (OperationalError, InterfaceError) as error:
        if connection.in_atomic_block:
            raise
        # After a failed COMMIT, Django itself opens another one.
        was_lost = connection.connection is not used or not _is_connected()
        logger.warning("Connection lost; asking the database whether the change was written: %s", error)
        if _answer_of(is_written):
            return
        if was_lost:
            raise NotWritten(*error.args) from error
        raise


def write_certainly(write: Callable[[], None], *, is_written: Callable[[], bool]) -> None:
    """Run *write*, which needs no lock, repeating it over new connections until it is written.

    Args and Raises: as `write_once`.

    Cost: one transaction.
    """
    again_when_not_written(lambda: write_once(write, is_written=is_written))


def again_when_not_written(work: Callable[[], T]) -> T:
    """Return what *work* returns; repeat it while the connection is lost and nothing was written.

    *work* takes its own locks, and reads the current state, each time.

    Raises:
        NotWritten: connections were still lost after `SECONDS_TO_WAIT_FOR_DATABASE`.
    """
    deadline = time.monotonic() + SECONDS_TO_WAIT_FOR_DATABASE
    while True:
        try:
            return work()
        except NotWritten:
            if time.monotonic() > deadline:
                raise


def read_certainly(read: Callable[[], T]) -> T:
    """Return what *read* returns; if the connection is lost, read over another one.

    Raises:
        django.db.Error: the database does not come back within `SECONDS_TO_WAIT_FOR_DATABASE`.

    Cost: that of *read*.
    """
    deadline = time.monotonic() + SECONDS_TO_WAIT_FOR_DATABASE
    while True:
        try:
            return read()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            if not _is_connected():
                connection.close()
        time.sleep(SECONDS_BETWEEN_TRIES)


def _answer_of(is_written: Callable[[], bool]) -> bool:
    def read() -> bool:
        with transaction.atomic():
            return is_written()

    if not _is_connected():
        connection.close()
    try:
        return read_certainly(read)
    except Error as error:
        raise MayBeWritten(*error.args) from error


def _is_connected() -> bool:
    return connection.connection is not None and connection.is_usable()
