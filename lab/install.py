"""What all instances of the lab share: OpenStack's virtual environment and empty databases."""

import base64
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from string import Template
from typing import Final

from lab import seed
from lab.errors import LabError
from lab.files import locked, new_folder, write

ROOT: Final = Path(__file__).resolve().parents[1]
STATE: Final = ROOT / ".lab"
VENV: Final = STATE / "venv"
TEMPLATE: Final = STATE / "template"
OPENID: Final = STATE / "openid"
SHARED: Final = (VENV.name, TEMPLATE.name, OPENID.name, "lock")
"""What lies in `STATE` besides the folders of the instances."""

_SOURCE: Final = ROOT / "lab"
_REQUIREMENTS: Final = _SOURCE / "requirements.txt"
_OPENID_FILES: Final = tuple(_SOURCE / "openid" / name for name in ("package.json", "package-lock.json", "provider.js"))
_OLDEST_NODE: Final = 20

Say = Callable[[str], None]


def stamp() -> str:
    """Return a digest of everything that the installation is made from."""
    return _digest(_REQUIREMENTS, *sorted((_SOURCE / "etc").iterdir()), *_OPENID_FILES, Path(__file__))


def install(say: Say) -> None:
    """Make the virtual environment, the empty databases and the OpenID provider, unless they are there already.

    A minute when everything is to be done, milliseconds when nothing is. Without Node.js, or where npm does not fetch
    it, there is no OpenID provider.

    Raises:
        LabError: something that it needs is missing; the message says what.
    """
    if _installed():
        return
    with locked(STATE / "lock"):
        if not _stamped(VENV, _venv_stamp()):
            say("installing Keystone and Nova into .lab/venv (some 450 MB, a minute or two)")
            _make_venv()
            write(VENV / "stamp", _venv_stamp())
        if not _stamped(TEMPLATE, stamp()):
            say("preparing empty databases")
            _make_template()
        if _can_make_openid():
            say("installing the OpenID provider into .lab/openid")
            _make_openid(say)


def has_openid() -> bool:
    """Tell whether there is an OpenID provider."""
    return _stamped(OPENID, _digest(*_OPENID_FILES))


def render(name: str, **values: str) -> str:
    """Return a configuration file of `lab/etc` with its `$names` filled in."""
    return Template((_SOURCE / "etc" / name).read_text()).substitute(values)


def make_keys(folder: Path) -> None:
    """Give a Keystone keys of its own, as `keystone-manage fernet_setup` does in two seconds."""
    for repository in ("fernet-keys", "receipt-keys", "credential-keys"):
        (folder / repository).mkdir(mode=0o700)
        for number in ("0", "1"):  # the next key, and the one in use
            key = folder / repository / number
            key.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
            key.chmod(0o600)


def _installed() -> bool:
    return _stamped(VENV, _venv_stamp()) and _stamped(TEMPLATE, stamp()) and not _can_make_openid()


def _stamped(folder: Path, expected: str) -> bool:
    file = folder / "stamp"
    return file.exists() and file.read_text() == expected


def _venv_stamp() -> str:
    return _digest(_REQUIREMENTS)


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _can_make_openid() -> bool:
    """Tell whether there is no OpenID provider, and could be one."""
    return not has_openid() and bool(shutil.which("npm")) and _node_version() >= _OLDEST_NODE


def _node_version() -> int:
    node = shutil.which("node")
    if node is None:
        return 0
    printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(printed.strip().removeprefix("v").partition(".")[0] or 0)


def _make_openid(say: Say) -> None:
    with new_folder(OPENID) as folder:
        for file in _OPENID_FILES:
            shutil.copy(file, folder)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            _run(npm, "npm does not fetch the OpenID provider", folder=folder)
        except LabError as error:
            say(f"there will be no OpenID provider: {error}")
            return
        (folder / "stamp").write_text(_digest(*_OPENID_FILES))


def _make_venv() -> None:
    _run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        "cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)",
    )
    pip = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install"]
    _run(
        [*pip, "--require-hashes", "-r", str(_REQUIREMENTS)],
        "pip cannot install Keystone and Nova: is a package index within reach?",
        on_terminal=True,
    )


def _make_template() -> None:
    """Fill a folder with the databases of a Keystone and of a Nova that know nobody yet."""
    with new_folder(TEMPLATE) as folder:
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(_make_keystone, folder), pool.submit(_make_nova, folder)]:
                done.result()
        for database in folder.glob("*.sqlite"):
            _let_readers_and_a_writer_work_together(database)
        (folder / "stamp").write_text(stamp())


def _make_keystone(folder: Path) -> None:
    (folder / "keystone.conf").write_text(render("keystone.conf"))
    make_keys(folder)
    manage = [str(VENV / "bin/keystone-manage"), "--config-file", "keystone.conf"]
    _run([*manage, "db_sync"], "Keystone cannot make its database", folder=folder)
    _run(
        [*manage, "bootstrap", "--bootstrap-password", seed.PASSWORD],
        "Keystone cannot make its first user",
        folder=folder,
    )


def _make_nova(folder: Path) -> None:
    values = {"keystone_url": "http://127.0.0.1:5000/v3", "region": "", "password": seed.PASSWORD}
    (folder / "nova.conf").write_text(render("nova.conf", **values))
    shutil.copy(VENV / "etc/nova/api-paste.ini", folder)
    manage = [str(VENV / "bin/nova-manage"), "--config-file", "nova.conf"]
    main_database = "sqlite:///nova.sqlite?timeout=30"
    for command in (
        ["api_db", "sync"],
        # No server ever fails to be placed here, so the cell for those is the main database.
        ["cell_v2", "map_cell0", "--database_connection", main_database],
        ["db", "sync", "--local_cell"],
    ):
        _run([*manage, *command], "Nova cannot make its databases", folder=folder)


def _let_readers_and_a_writer_work_together(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _run(command: Sequence[str], failure: str, *, folder: Path = ROOT, on_terminal: bool = False) -> None:
    """Run a command, showing what it prints if asked to and there is a terminal.

    Raises:
        LabError: it failed; `failure` and the last line that it printed.
    """
    shown = on_terminal and sys.stderr.isatty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if shown else subprocess.PIPE,
        stderr=None if shown else subprocess.STDOUT,
        text=True,
        check=False,
        errors="replace",
    )
    if result.returncode:
        lines = (result.stdout or "").strip().splitlines()
        raise LabError(f"{failure}: {lines[-1]}" if lines else failure)
