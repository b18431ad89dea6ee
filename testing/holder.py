"""Somebody else who holds a lock."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connection

from infrastructures.locks import exclusive


@contextmanager
def held_by_a_thread(name: str) -> Iterator[threading.Event]:
    """Hold the lock on a connection of its own, until the event is set."""
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with exclusive(name):
                held.set()
                let_go.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        holding = pool.submit(hold)
        try:
            assert held.wait(30)
            yield let_go
        finally:
            let_go.set()
        holding.result()
