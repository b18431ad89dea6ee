"""Where a process writes its figures for /metrics when it shares a folder of them with others.

prometheus_client names a process's files by its number, and keeps them when it has ended: it has counted all the same.
A process for each synchronisation run, and new ones at each reload, would leave more and more of them. Here they are
named by a place, which a process holds as long as it lives and leaves to the next one, whose counts go on from what it
finds there: there are never more files than processes that lived at once.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def share_figures() -> None:
    """Have this process and those that it forks write their figures by places, where they share a folder.

    Call it before any figure is made.

    Raises:
        OSError: the folder that PROMETHEUS_MULTIPROC_DIR names is not there, or not to be written to.
    """
    if folder := os.environ.get(FOLDER):
        values.ValueClass = values.MultiProcessValue(Place(Path(folder)).number)  # type: ignore[no-untyped-call]


class Place:
    """The place of this process: the lowest number that no other process holds.

    It is held by a lock of its file, which the kernel takes back however the process ends. A process number would
    not do: it says nothing across containers, and comes again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = 0
        self._number = -1
        self._lock: BinaryIO | None = None

    def number(self) -> int:
        """Return the place; a process that was forked takes one of its own when it first asks.

        prometheus_client asks before each count, holding its own lock, and reads all counts anew when the answer
        has changed.
        """
        if self._process != os.getpid():
            self._take()
        return self._number

    def _take(self) -> None:
        inherited = self._lock
        number, lock = next((number, lock) for number in count() if (lock := _locked(self._folder, number)))
        # What the last process here took for dead is not so any more. Nobody has opened these files yet.
        mark_process_dead(number, self._folder)  # type: ignore[no-untyped-call]
        self._process, self._number, self._lock = os.getpid(), number, lock
        if inherited:
            # Not before: the place of a parent that is dead would be free for its child, which knows other counts
            # than those in the files, and would not look.
            inherited.close()


def forget_the_dead(folder: Path) -> None:
    """Remove what was true of a process only while it lived, however that ended; what it has counted stays."""
    for file in folder.glob("gauge_live*.db"):
        with _held_if_free(folder, int(file.stem.rpartition("_")[2])) as is_free:
            if is_free:
                file.unlink(missing_ok=True)  # whoever asked just before may have done so


@contextmanager
def _held_if_free(folder: Path, number: int) -> Iterator[bool]:
    """Say whether nobody has the place, and let nobody take it meanwhile."""
    lock = _locked(folder, number)
    try:
        yield lock is not None
    finally:
        if lock:
            lock.close()


def _locked(folder: Path, number: int) -> BinaryIO | None:
    """Return the file of a place, locked, or None when somebody has it.

    The lock is one of the open file (flock(2)): it stays as long as somebody has that open, children included,
    and opening the same file anew does not let it go.
    """
    lock = (folder / f"{number}.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
