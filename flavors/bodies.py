"""Encoded bodies of answers, in the memory of the process."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

MAX_BYTES = 16 * 1024 * 1024
# What a body takes besides its bytes, roughly: many small ones are bounded, too.
OVERHEAD = 1024


@dataclass(frozen=True)
class Body:
    """The body of an answer, and the headers that belong to it."""

    content: bytes
    headers: Mapping[str, str]


@dataclass
class Bodies:
    """Bodies by their ETags: those that were used last, up to `max_bytes` of them all."""

    max_bytes: int = MAX_BYTES
    _bytes: int = 0
    _bodies: OrderedDict[str, Body] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def get(self, etag: str) -> Body | None:
        """Return the body of that ETag, None when it is not here."""
        with self._lock:
            if etag in self._bodies:
                self._bodies.move_to_end(etag)
            return self._bodies.get(etag)

    def put(self, etag: str, body: Body) -> None:
        """Keep the body, and let go of those that were not used for the longest."""
        with self._lock:
            self._drop(etag)
            self._bodies[etag] = body
            self._bytes += len(body.content) + OVERHEAD
            while self._bytes > self.max_bytes:
                self._drop(next(iter(self._bodies)))

    def _drop(self, etag: str) -> None:
        if body := self._bodies.pop(etag, None):
            self._bytes -= len(body.content) + OVERHEAD
