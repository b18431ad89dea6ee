"""Pools of threads for work that waits for clouds, and the end of such work by Ctrl-C."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Barrier, Event
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """A pool whose threads work in a copy of the context of whoever submits: their log lines bear the request's id."""

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Have a thread do this."""
        return super().submit(copy_context().run, work, *args, **kwargs)


class ConnectedThreads(Threads):
    """Threads that use the database: each keeps its connection for all that it does, until the block is left.

    After an exception a thread takes another one: its connection may be what failed.
    """

    def __init__(self, most: int) -> None:
        self._begun: list[None] = []
        super().__init__(most, initializer=lambda: self._begun.append(None))

    def __exit__(self, *error: Any) -> None:
        try:
            self._close_connections()
        finally:
            super().__exit__(*error)

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Have a thread do this."""
        return super().submit(_over_a_sound_connection, work, *args, **kwargs)

    def _close_connections(self) -> None:
        begun = len(self._begun)  # one that begins only now has done nothing yet
        together = Barrier(max(1, begun))

        def close() -> None:
            together.wait()  # or one thread could do what is another's to do
            connections.close_all()

        for done in [self.submit(close) for _ in range(begun)]:
            done.result()


def _over_a_sound_connection(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return work(*args, **kwargs)
    except Exception:
        connections.close_all()
        raise


@contextmanager
def until_interrupted(stopped: Event) -> Iterator[None]:
    """Set the event on Ctrl-C, where it would raise KeyboardInterrupt in the middle of something."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt:
            stopped.set()

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
