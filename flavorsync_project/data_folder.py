"""The folder of what the service makes for itself: the database, locks, and the secrets that nobody has set."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flavorsync_project.environment import WrongSetting, read


def data_folder(base: Path) -> Path:
    """Return the folder of what the service makes for itself: the database, keys, locks.

    A clone, in *base*, keeps it there, as do those who want it to be found; what pip has installed there must not.

    Raises:
        WrongSetting: DATA_FOLDER is not allowed.
    """
    if given := read({"DATA_FOLDER": os.environ.get("DATA_FOLDER", "")})["DATA_FOLDER"]:
        return Path(given)
    if (base / "manage.py").exists():
        return base
    # Source: XDG Base Directory Specification; relative paths in it do not count
    shared = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (shared if shared.is_absolute() else Path("~/.local/share").expanduser()) / "flavor-sync"


def make_data_folder(folder: Path) -> None:
    """Make it, for its owner only, unless it is there.

    Raises:
        WrongSetting: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WrongSetting(f"DATA_FOLDER is {str(folder)!r}, which cannot be made: {error.strerror}.") from error


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in *path*, created there once with access for its owner only.

    Production sets its own; the deployment check complains if it does not.

    Raises:
        WrongSetting: it is not there, and cannot be written.
    """
    if not path.exists():
        make_data_folder(path.parent)
        try:
            _write_once(path, make())
        except OSError as error:
            ways = "Set SECRET_KEY, FIELD_ENCRYPTION_KEYS and DATABASE_URL, or another DATA_FOLDER."
            raise WrongSetting(f"{path} cannot be written: {error.strerror}. {ways}") from error
    return path.read_text(encoding="ascii")


def _write_once(path: Path, text: str) -> None:
    """Write all or nothing: several processes may start at once, and any may be killed."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:
        file.write(text)
        file.flush()
        with suppress(FileExistsError):
            os.link(file.name, path)
