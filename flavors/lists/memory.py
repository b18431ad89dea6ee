"""The process's memory of answers, within bounds."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")

# Roughly what a value takes besides its own bytes, so that many small ones are bounded, too.
OVERHEAD = 1024


def length_of(headers: Mapping[str, str]) -> int:
    """Return the length of the headers' values: a link repeats the URL, which may be long."""
    return sum(map(len, headers.values()))


@dataclass
class Memory(Generic[Value]):
    """Values by key: the most recently used, up to `max_bytes` in all."""

    max_bytes: int
    _bytes: int = 0
    _values: OrderedDict[str | bytes, tuple[Value, int]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def get(self, key: str | bytes) -> Value | None:
        """Return the value of that key, or None."""
        with self._lock:
            if (found := self._values.get(key)) is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: str | bytes, value: Value, *, size: int) -> None:
        """Keep the value, of *size* bytes, and drop the least recently used ones."""
        with self._lock:
            self._drop(key)
            self._values[key] = value, size + OVERHEAD
            self._bytes += size + OVERHEAD
            while self._bytes > self.max_bytes:
                self._drop(next(iter(self._values)))

    def _drop(self, key: str | bytes) -> None:
        if found := self._values.pop(key, None):
            self._bytes -= found[1]
