"""The processes of an instance of the lab: started, disturbed and ended, and where they are."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from lab import install, seed, services
from lab.daemon import Daemon
from lab.errors import LabError
from lab.files import locked, write

_DEFAULT_NAME = "default"


def say_nothing(message: str) -> None:
    """Ignore a message."""


class Instance:
    """The processes of one named instance; several run side by side on their own ports."""

    def __init__(self, name: str | None = None) -> None:
        """Name the instance: `name`, else the variable `FLAVORSYNC_LAB`, else `default`.

        Raises:
            LabError: the name cannot be a folder's.
        """
        self.name = name or os.environ.get("FLAVORSYNC_LAB") or _DEFAULT_NAME
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name) or self.name in install.SHARED:
            raise LabError(f"{self.name!r} cannot name a lab: use a-z, 0-9 and '-'")
        self.folder = install.STATE / self.name

    def down(self) -> None:
        """Stop all services, and wait until none of their processes is left; what they stored stays.

        Raises:
            LabError: a process cannot be ended.
        """
        if self.folder.exists():
            with self._locked():
                self._end()

    def start(self, service: str) -> None:
        """Start one service, if it does not run, and wait until it answers.

        Raises:
            LabError: there is no such service, or it does not start.
        """
        self._daemon(service)
        with self._locked():
            self._start([service], say_nothing)

    def kill(self, service: str) -> None:
        """Kill one service (SIGKILL), and wait until it is gone.

        Raises:
            LabError: there is no such service.
        """
        daemon = self._daemon(service)
        with self._locked():
            daemon.signal(signal.SIGKILL)
            daemon.wait_ended()

    @contextmanager
    def second_nova(self, region: str) -> Iterator[tuple[Daemon, Daemon]]:
        """Run another API process of a region's Nova beside the first, on the same databases; yield both.

        `lab.proxies.Alternating` distributes the requests between them.

        Raises:
            LabError: there is no such region, or it does not start.
        """
        first = self._daemon(f"nova-{region}")
        with self._locked():
            second = services.second(self.folder, self._ports(), region)
            second.signal(signal.SIGKILL)  # left by a run that was killed
            second.wait_ended()
            first.signal(signal.SIGCONT)
            second.start()
        try:
            second.wait()
            yield first, second
        finally:
            for daemon in (first, second):
                daemon.signal(signal.SIGCONT)
            second.signal(signal.SIGTERM)
            second.wait_ended()

    def daemons(self) -> dict[str, Daemon]:
        """Return the services by name, running or not; empty before the first `up`."""
        ports = self._ports()
        return services.daemons(self.folder, ports) if ports else {}

    # Where things are

    @property
    def keystone_url(self) -> str:
        """The central Keystone, with `/v3`."""
        return self._daemon("keystone").url + "/v3"

    @property
    def mordor_keystone_url(self) -> str:
        """Mordor's own Keystone, with `/v3`."""
        return self._daemon("mordor-keystone").url + "/v3"

    @property
    def idm_url(self) -> str:
        """The stand-in for the FIWARE IdM."""
        return self._daemon("idm").url

    @property
    def openid_url(self) -> str:
        """The OpenID provider.

        Raises:
            LabError: there is none, since it could not be installed.
        """
        return self._daemon(services.OPENID).url

    def nova_url(self, region: str) -> str:
        """Return a region's compute endpoint, with `/v2.1`.

        Raises:
            LabError: the region has none.
        """
        return f"http://127.0.0.1:{self.nova_port(region)}/v2.1"

    def nova_port(self, region: str) -> int:
        """Return the port of a region's compute endpoint, even Isengard's, where nothing listens.

        Raises:
            LabError: the region has none.
        """
        ports = self._ports()
        name = region if region == seed.UNREACHABLE_REGION else f"nova-{region}"
        if name not in ports:
            raise LabError(f"the lab '{self.name}' has no Nova for a region {region!r}")
        return ports[name]

    # Within

    def _bring_up(self, say: install.Say) -> None:
        """Start every service that does not run, from this version of the installation; the instance is locked."""
        self._discard_if_outdated()
        self._prepare()
        self._start(services.names(), say)

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.folder / "lock")

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state_file.read_text())
        except FileNotFoundError:
            return {}
        return state

    def _remember(self, **members: object) -> None:
        write(self._state_file, json.dumps(self._state() | members, indent=2) + "\n")

    def _ports(self) -> dict[str, int]:
        ports: dict[str, int] = self._state().get("ports", {})
        return ports

    def _prepare(self) -> None:
        """Pick the ports that are missing, and create missing folders."""
        with locked(install.STATE / "lock"):  # no other lab picks ports or renews the databases meanwhile
            ports = self._ports()
            if missing := [name for name in services.PORTS if name not in ports]:
                ports |= services.pick_ports(missing, _ports_of_all_labs())
                self._remember(ports=ports, installation=install.stamp())
            services.prepare(self.folder, self._ports())

    def _daemon(self, service: str) -> Daemon:
        daemons = self.daemons()
        if not daemons:
            raise LabError(f"there is no lab '{self.name}' yet: 'up' makes one")
        if service not in daemons:
            raise LabError(f"the lab has no service {service!r}, only {', '.join(daemons)}")
        return daemons[service]

    def _require_up(self) -> None:
        down = [name for name in services.names() if not self._daemon(name).running()]
        if down:
            raise LabError(f"the lab '{self.name}' is not up ({', '.join(down)}): use 'up'")

    def _start(self, names: Iterable[str], say: install.Say) -> None:
        starting = [self._daemon(name) for name in names if not self._daemon(name).running()]
        if starting:
            say(f"starting {', '.join(daemon.name for daemon in starting)}")
        for daemon in starting:
            daemon.start()
        for name in names:
            self._daemon(name).wait()

    def _end(self) -> None:
        daemons = self.daemons().values()
        for daemon in daemons:
            daemon.signal(signal.SIGTERM)
        for daemon in daemons:
            daemon.wait_ended()

    def _discard_if_outdated(self) -> None:
        """Discard what another version of the installation stored; keep the ports."""
        state = self._state()
        if state and state["installation"] != install.stamp():
            self._end()
            for name in services.names():
                shutil.rmtree(self.folder / name, ignore_errors=True)
            self._remember(installation=install.stamp(), seed="")


def _ports_of_all_labs() -> set[int]:
    states = [json.loads(file.read_text()) for file in install.STATE.glob("*/state.json")]
    return {port for state in states for port in state["ports"].values()}
