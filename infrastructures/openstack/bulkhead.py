"""A limit on the number of the process's threads that work in one cloud, so that a slow cloud cannot hold them all.

The pattern is Michael Nygard's ("Release It!", Bulkheads).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock, local

from django.conf import settings

from infrastructures.openstack.errors import CloudNotAsked

# How long a thread waits while all places are taken and none is freed. A healthy cloud frees one every few
# hundredths of a second, so a burst of requests gets through. If none is freed for this long, all others are
# refused at once.
PATIENCE_SECONDS = 1.0


class _Places:
    """The places of one cloud."""

    def __init__(self, cloud: str) -> None:
        self._cloud = cloud
        self._moved = Condition()
        self._moved_at = time.monotonic()
        self._taken = 0

    def take(self) -> None:
        with self._moved:
            while 0 < settings.CLOUD_CONCURRENCY <= self._taken:
                patience = self._moved_at + PATIENCE_SECONDS - time.monotonic()
                if patience <= 0:
                    raise CloudNotAsked(self._cloud, "it is slow, and too many requests wait for it. Try again later.")
                self._moved.wait(patience)
            self._change(+1)

    def give_back(self) -> None:
        with self._moved:
            self._change(-1)
            self._moved.notify()

    def _change(self, by: int) -> None:
        self._taken += by
        self._moved_at = time.monotonic()


_places: dict[str, _Places] = {}
_lock = Lock()
_here = local()


@contextmanager
def place_in(cloud: str) -> Iterator[None]:
    """Hold one of the `CLOUD_CONCURRENCY` places that the process has in a cloud.

    A thread that already has one keeps it: work of several calls that takes a place first is never refused
    half-way.

    Raises:
        CloudNotAsked: all are taken, and none has been freed for `PATIENCE_SECONDS`.
    """
    kept: set[str] = _here.__dict__.setdefault("kept", set())
    if cloud in kept:
        yield
        return
    with _lock:
        places = _places.setdefault(cloud, _Places(cloud))
    places.take()
    kept.add(cloud)
    try:
        yield
    finally:
        kept.discard(cloud)
        places.give_back()
