"""The queries of all threads: a run works on each node in a thread, over a database connection of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

Execute = Callable[..., Any]
Wrapper = Callable[[Execute, str, Any, bool, dict[str, Any]], Any]


@contextmanager
def wrapped_in_new_connections(wrapper: Wrapper) -> Iterator[None]:
    """Put a wrapper of Django's (`execute_wrapper`) round the queries of every connection that is opened meanwhile."""

    def wrap(connection: BaseDatabaseWrapper, **_: Any) -> None:
        connection.execute_wrappers.append(wrapper)

    connection_created.connect(wrap)
    try:
        yield
    finally:
        connection_created.disconnect(wrap)


@contextmanager
def counting_in_new_connections() -> Iterator[list[str]]:
    """Give the SQL of every query of every connection that is opened meanwhile."""
    asked: list[str] = []

    def note(execute: Execute, sql: str, *arguments: Any) -> Any:
        asked.append(sql)
        return execute(sql, *arguments)

    with wrapped_in_new_connections(note):
        yield asked
