"""A Nova's flavors as they were seeded: its API database, copied then, and copied back by each reset.

To undo by Nova's API what a test did takes some twenty requests, most of them to look; this takes none.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from lab.errors import LabError
from lab.files import locked

DATABASE = "nova_api.sqlite"
_SNAPSHOT = "seeded.sqlite"


def lock_of(database: Path) -> Path:
    """Return the file that whoever writes into a database locks (`lab.wsgi`)."""
    return database.resolve().with_suffix(".writing")


def exists(folder: Path) -> bool:
    """Say whether the Nova in *folder* has a snapshot."""
    return (folder / _SNAPSHOT).exists()


def take(folder: Path) -> None:
    """Keep what the Nova in *folder* has now."""
    draft = folder / f".{_SNAPSHOT}.new"
    draft.unlink(missing_ok=True)
    _copy(folder / DATABASE, draft, of=folder)
    draft.replace(folder / _SNAPSHOT)


def restore(folder: Path) -> None:
    """Bring back what was kept, whether the Nova runs or not; wait for whoever is writing there.

    Raises:
        LabError: nothing was kept yet.
    """
    if not exists(folder):
        raise LabError(f"{folder.name} was never seeded: use 'up'")
    _copy(folder / _SNAPSHOT, folder / DATABASE, of=folder)


def _copy(source: Path, target: Path, *, of: Path) -> None:
    """Copy a database while nobody writes into that of the Nova in the folder *of*."""
    with (
        locked(lock_of(of / DATABASE)),
        closing(sqlite3.connect(source)) as there,
        closing(sqlite3.connect(target)) as here,
    ):
        there.backup(here)
