"""The services of an instance of the lab: their names, ports, folders and configuration."""

import random
import shlex
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from lab import install, people, seed, snapshot
from lab.daemon import Daemon
from lab.files import new_folder, write

KEYSTONES: Final[tuple[seed.Identity, ...]] = ("keystone", "mordor-keystone")
NOVAS: Final = tuple(f"nova-{region}" for region in seed.REGIONS)
OPENID: Final = "openid"
PORTS: Final = (*KEYSTONES, *NOVAS, "idm", seed.UNREACHABLE_REGION, OPENID)
"""Everything that has a port; nothing listens on that of the region."""

_FILES_OF_NOVA: Final = ("api-paste.ini", "nova.sqlite", snapshot.DATABASE)
# Below the ports for outgoing connections, which could take one at any time
_PORT_RANGE: Final = range(20000, 30000)


def cloud(service: str) -> str:
    """Return the name under which requests to a service are counted: for a Nova, its region."""
    return service.removeprefix("nova-")


def names() -> tuple[str, ...]:
    """Return the services of an instance; the OpenID provider is one where it could be installed."""
    return (*KEYSTONES, *NOVAS, "idm", *([OPENID] if install.has_openid() else []))


def pick_ports(names: Iterable[str], taken: Iterable[int]) -> dict[str, int]:
    """Pick a free loopback port for each name, except those `taken`."""
    free = (port for port in _candidates(taken) if _is_free(port))
    return {name: next(free) for name in names}


def _candidates(taken: Iterable[int]) -> list[int]:
    candidates = [port for port in _PORT_RANGE if port not in set(taken)]
    random.shuffle(candidates)
    return candidates


def daemons(folder: Path, ports: Mapping[str, int]) -> dict[str, Daemon]:
    """Return the services of the instance in `folder`, in the order to show them."""
    return {name: _daemon(name, folder / name, ports[name]) for name in names() if name in ports}


def second(folder: Path, ports: Mapping[str, int], region: str) -> Daemon:
    """Return another API process of a region's Nova, over the same databases, on a free port."""
    first, twin = folder / f"nova-{region}", folder / f"nova-{region}-second"
    twin.mkdir(exist_ok=True)
    for file in (*_FILES_OF_NOVA, "nova.conf"):
        if not (twin / file).is_symlink():
            (twin / file).symlink_to(first / file)
    return _daemon(twin.name, twin, next(port for port in _candidates(ports.values()) if _is_free(port)))


def prepare(folder: Path, ports: Mapping[str, int]) -> None:
    """Give each service its folder; existing databases are kept."""
    for name in names():
        if not (folder / name).exists():
            with new_folder(folder / name) as draft:
                _fill(name, draft)
    for region, keystone in seed.REGIONS.items():
        text = install.render(
            "nova.conf",
            region=region,
            keystone_url=f"http://127.0.0.1:{ports[keystone]}/v3",
            password=seed.PASSWORD,
        )
        write(folder / f"nova-{region}" / "nova.conf", text)
    people.save(folder)


def _fill(name: str, folder: Path) -> None:
    if name in KEYSTONES:
        for file in ("keystone.conf", "keystone.sqlite"):
            shutil.copy(install.TEMPLATE / file, folder)
        install.make_keys(folder)
    elif name in NOVAS:
        for file in _FILES_OF_NOVA:
            shutil.copy(install.TEMPLATE / file, folder)


def _daemon(name: str, folder: Path, port: int) -> Daemon:
    python = str(install.VENV / "bin/python")
    environment = {
        "FLAVORSYNC_LAB_PORT": str(port),
        "FLAVORSYNC_LAB_ACCESS_LOG": str(folder / "access.log"),
    }
    if name in ("idm", OPENID):
        environment[people.VARIABLE] = str(people.file_of(folder.parent))
    if name == "idm":
        environment["PYTHONPATH"] = str(install.ROOT)
        return Daemon(name, folder, port, (python, "-m", "lab.idm"), environment)
    if name == OPENID:
        return Daemon(name, folder, port, ("node", str(install.OPENID / "provider.js")), environment)
    settings = shlex.quote(str(install.ROOT / "lab" / "gunicorn_settings.py"))
    environment["GUNICORN_CMD_ARGS"] = f"-c {settings}"
    if name in KEYSTONES:
        environment["FLAVORSYNC_LAB_APPLICATION"] = "keystone"
        environment["OS_KEYSTONE_CONFIG_DIR"] = str(folder)
    else:
        environment["FLAVORSYNC_LAB_APPLICATION"] = "nova"
        environment["OS_NOVA_CONFIG_DIR"] = str(folder)
        environment["OS_NOVA_CONFIG_FILES"] = "api-paste.ini;nova.conf"
    return Daemon(name, folder, port, (python, "-m", "gunicorn"), environment)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
