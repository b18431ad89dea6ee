"""The queries of all threads: a run repairs nodes in threads, each over a database connection of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

Execute = Callable[..., Any]
Wrapper = Callable[[Execute, str, Any, bool, dict[str, Any]], Any]


@contextmanager
def wrapped_in_new_connections(wrapper: Wrapper) -> Iterator[None]:
    """Wrap the queries of every connection that is opened meanwhile (Django's `execute_wrapper`)."""

    def wrap(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if wrapper not in connection.execute_wrappers:
            connection.execute_wrappers.append(wrapper)

    connection_created.connect(wrap)
    try:
        yield
    finally:
        connection_created.disconnect(wrap)


@contextmanager
def counting_in_new_connections() -> Iterator[list[str]]:
    """Yield a list that collects the SQL of every connection that is opened meanwhile."""
    asked: list[str] = []
    with wrapped_in_new_connections(_noting(asked)):
        yield asked


@contextmanager
def counting_in_all_connections() -> Iterator[list[str]]:
    """Yield a list that collects the SQL of this thread, and of every connection that is opened meanwhile."""
    asked: list[str] = []
    with connection.execute_wrapper(note := _noting(asked)), wrapped_in_new_connections(note):
        yield asked


def _noting(asked: list[str]) -> Wrapper:
    def note(execute: Execute, sql: str, *arguments: Any) -> Any:
        asked.append(sql)
        return execute(sql, *arguments)

    return note
