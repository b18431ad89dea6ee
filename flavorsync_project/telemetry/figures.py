"""Where a process writes its metrics when it shares a folder with others.

prometheus_client names a process's files after its process id, and keeps them after its end, since its counts are still
valid. With a process for each synchronisation run, and new ones at each reload, there would be more and more files.
Here they are named after a place, which a process holds while it lives. The next process takes the place and counts on
from there. So there are never more files than processes that lived at once.
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
    """Make this process and its forks write their metrics by place, if they share a folder.

    Call it before any metric is created.

    Raises:
        OSError: the folder that PROMETHEUS_MULTIPROC_DIR names does not exist, or cannot be written to.
    """
    if folder := os.environ.get(FOLDER):
        values.ValueClass = values.MultiProcessValue(Place(Path(folder)).number)  # type: ignore[no-untyped-call]


class Place:
    """The place of this process: the lowest number that no other process holds.

    A lock on its file holds it, which the kernel releases however the process ends. A process id would not do: it
    means nothing across containers, and is used again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = 0
        self._number = -1
        self._lock: BinaryIO | None = None

    def number(self) -> int:
        """Return the place; a forked process takes its own when it first asks.

        prometheus_client asks before each count, holding its own lock, and reads all counts again if the answer has
        changed.
        """
        if self._process != os.getpid():
            self._take()
        return self._number

    def _take(self) -> None:
        inherited = self._lock
        number, lock = next((number, lock) for number in count() if (lock := _locked(self._folder, number)))
        # What the last process here took for dead no longer counts. Nobody has opened these files yet.
        mark_process_dead(number, self._folder)  # type: ignore[no-untyped-call]
        self._process, self._number, self._lock = os.getpid(), number, lock
        if inherited:
            # Not earlier: a child could get the place of its dead parent. It would know other counts than those in the
            # files, and would not look.
            inherited.close()


def forget_the_dead(folder: Path) -> None:
    """Remove what was true of a process only while it lived; what it has counted stays."""
    for file in folder.glob("gauge_live*.db"):
        with _held_if_free(folder, int(file.stem.rpartition("_")[2])) as is_free:
            if is_free:
                file.unlink(missing_ok=True)  # somebody who asked just before may have removed it


@contextmanager
def _held_if_free(folder: Path, number: int) -> Iterator[bool]:
    """Say whether the place is free, and keep everybody from taking it meanwhile."""
    lock = _locked(folder, number)
    try:
        yield lock is not None
    finally:
        if lock:
            lock.close()


def _locked(folder: Path, number: int) -> BinaryIO | None:
    """Return the file of a place, locked, or None if somebody has it.

    The lock belongs to the open file (flock(2)): it stays as long as anybody has that open, children included, and
    opening the same file again does not release it.
    """
    lock = (folder / f"{number}.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
