"""Pools of threads for work that waits for clouds, and stopping such work with Ctrl-C."""

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
    """A pool whose threads work in a copy of the submitter's context, so that their log lines have the request's id."""

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run *work* in one of the threads, in a copy of the current context."""
        return super().submit(copy_context().run, work, *args, **kwargs)


class ConnectedThreads(Threads):
    """A pool of threads that use the database; each keeps its connection until the block is left.

    After an exception a thread takes a new connection: the old one may have caused it.
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
        """Run *work* in one of the threads, over its connection."""
        return super().submit(_over_a_sound_connection, work, *args, **kwargs)

    def _close_connections(self) -> None:
        begun = len(self._begun)  # a thread that starts only now has no connection yet
        together = Barrier(max(1, begun))

        def close() -> None:
            together.wait()  # otherwise one thread could run another's `close`
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
    """Set the event on Ctrl-C, instead of raising KeyboardInterrupt at an arbitrary point."""
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
