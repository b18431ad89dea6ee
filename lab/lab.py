"""The lab itself: an instance of it that can be started, asked, disturbed and ended."""

import hashlib
import json
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from lab import access_log, install, openstack, seed, services
from lab.access_log import Caller
from lab.daemon import Daemon
from lab.errors import LabError
from lab.files import locked, write
from lab.openstack import Json, Keystone, KeystoneAdministrator, Nova

Served = dict[str, Counter[str]]
"""How often each request was served, by cloud: `{"Spain2": {"GET /v2.1/flavors/detail": 1}, …}`."""

Mark = dict[str, int]
"""A moment, as the length in bytes that each cloud's access log had."""

_DEFAULT_NAME = "default"


def _say_nothing(message: str) -> None:
    pass


class Lab:
    """One instance of the lab, by its name; several run side by side on ports of their own."""

    def __init__(self, name: str | None = None) -> None:
        """Name the instance: `name`, else the variable `FLAVORSYNC_LAB`, else `default`.

        Raises:
            LabError: the name cannot be that of a folder.
        """
        self.name = name or os.environ.get("FLAVORSYNC_LAB") or _DEFAULT_NAME
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name) or self.name in ("venv", "template", "lock"):
            raise LabError(f"{self.name!r} cannot name a lab: use a-z, 0-9 and '-'")
        self.folder = install.STATE / self.name
        self._administrators: dict[seed.Identity, KeystoneAdministrator] = {}

    # Starting and ending

    def up(self, say: install.Say = _say_nothing) -> None:
        """Start whatever does not run, and seed a new instance; `say` is told of long steps.

        Raises:
            LabError: something that it needs is missing, or a service does not start.
        """
        install.install(say)
        self._administrators.clear()
        with self._locked():
            self._discard_if_outdated()
            self._prepare()
            self._start(services.SERVICES, say)
            self._seed_once(say)

    def down(self) -> None:
        """End all services and wait until no process of theirs is left; what they stored stays.

        Raises:
            LabError: the system does not let a process die.
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
            self._start([service], _say_nothing)

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
        """Run another API process of a region's Nova beside the first, on the same databases; give both.

        `lab.proxies.Alternating` shares the requests out between them.

        Raises:
            LabError: there is no such region, or it does not start.
        """
        first = self._daemon(f"nova-{region}")
        with self._locked():
            second = services.second(self.folder, self._ports(), region)
            second.signal(signal.SIGKILL)  # one that whoever was killed has left
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

    def nova_url(self, region: str) -> str:
        """Return a region's compute endpoint, with `/v2.1`.

        Raises:
            LabError: the region has none.
        """
        return f"http://127.0.0.1:{self.nova_port(region)}/v2.1"

    def nova_port(self, region: str) -> int:
        """Return the port of a region's compute endpoint, Isengard's (nobody listens) included.

        Raises:
            LabError: the region has none.
        """
        ports = self._ports()
        name = region if region == seed.UNREACHABLE_REGION else f"nova-{region}"
        if name not in ports:
            raise LabError(f"the lab '{self.name}' has no Nova for a region {region!r}")
        return ports[name]

    def environment(self) -> dict[str, str]:
        """Return the project's settings for this lab, and tokens issued just now.

        Raises:
            LabError: the lab is not up.
        """
        self._require_up()
        scoped = [user for user in seed.USERS if user.has_default_project]
        with ThreadPoolExecutor() as pool:
            unscoped = pool.submit(self.unscoped_token, "unscoped-admin")
            tokens = dict(
                zip(
                    [f"KEYSTONE_TOKEN_{_variable(user.name)}" for user in scoped],
                    pool.map(lambda user: self.token(user.name), scoped),
                    strict=True,
                )
            )
        idm_tokens = ("basic", "manager", "owner-spain2", "owner-mordor")
        return {
            "KEYROCK_URL": self.idm_url,
            "KEYROCK_APP_IDS": seed.IDM_APPLICATION,
            "KEYROCK_CLIENT_SECRET": seed.IDM_CLIENT_SECRET,
            "KEYSTONE_URL": self.keystone_url,
            "KEYSTONE_IDENTITY": "true",
            "KEYSTONE_MANAGERS": seed.KEYSTONE_MANAGERS,
            "KEYSTONE_OPERATORS": seed.KEYSTONE_OPERATORS,
            "MORDOR_KEYSTONE_URL": self.mordor_keystone_url,
            "INFRASTRUCTURE_URL_ALLOWLIST": "*,127.0.0.1",  # this machine, where no cloud may be otherwise
            **{f"IDM_TOKEN_{_variable(name)}": seed.idm_token(name) for name in idm_tokens},
            **tokens,
            "KEYSTONE_TOKEN_UNSCOPED": unscoped.result(),
        }

    # Tokens

    def token(self, user: str) -> str:
        """Issue a token for a seeded user, scoped to the user's project.

        Raises:
            LabError: there is no such user, or Keystone refused.
        """
        known = _user(user)
        return self._keystone(known.keystone).token(user, project=known.project, project_domain=known.project_domain)

    def unscoped_token(self, user: str) -> str:
        """Issue a token for a seeded user that is scoped to nothing.

        Raises:
            LabError: there is no such user, or Keystone refused.
        """
        return self._keystone(_user(user).keystone).token(user, project=None)

    # Flavors, as Nova has them

    def flavors(self, region: str) -> list[Json]:
        """Return all flavors of a region, non-public ones too, as Nova shows them.

        Raises:
            LabError: there is no such region, or Nova refused.
        """
        return self._nova(region).flavors()

    def flavor_access(self, region: str, flavor_id: str) -> list[str]:
        """Return the ids of the projects that a non-public flavor is open to, in order.

        Raises:
            LabError: Nova refused, as it does for a public flavor.
        """
        return self._nova(region).access(flavor_id)

    def create_flavor(
        self,
        region: str,
        name: str,
        *,
        flavor_id: str = "",
        vcpus: int = 1,
        ram: int = 512,
        disk: int = 1,
        ephemeral: int = 0,
        swap: int = 0,
        public: bool = True,
        description: str | None = None,
        extra_specs: Mapping[str, str] | None = None,
        access: Iterable[str] = (),
    ) -> Json:
        """Create a flavor with all that belongs to it and return it as Nova shows it.

        Args:
            region: where.
            name: its name.
            flavor_id: its id; Nova makes one up when it is empty.
            vcpus: virtual CPUs.
            ram: MiB.
            disk: GiB.
            ephemeral: GiB.
            swap: MiB.
            public: open to every project.
            description: free text.
            extra_specs: its extra specs.
            access: names of the projects that it is open to, when it is not public.

        Raises:
            LabError: Nova refused.
        """
        flavor = seed.Flavor(
            flavor_id, name, vcpus, ram, disk, ephemeral, swap, public, description,
            extra_specs or {}, tuple(access),
        )  # fmt: skip
        projects = self.project_ids(region) if flavor.access else {}
        return openstack.create_flavor(self._nova(region), flavor, projects)

    def delete_flavor(self, region: str, flavor_id: str) -> None:
        """Delete a flavor.

        Raises:
            LabError: Nova refused.
        """
        self._nova(region).delete(flavor_id)

    def reset(self, *regions: str) -> None:
        """Bring the flavors of the regions, of all when none is named, back to the seed.

        Raises:
            LabError: there is no such region, or Nova refused.
        """
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._reset, regions or tuple(seed.REGIONS)))

    def project_ids(self, region: str) -> dict[str, str]:
        """Return the id of every project of the region's Keystone by its name."""
        return self._administrator(_keystone_of(region)).project_ids()

    # What was asked of the clouds

    def mark(self) -> Mark:
        """Return this moment, for `requests_served(since=…)`."""
        daemons = self.daemons().items()
        return {services.cloud(name): access_log.size(one.access_log) for name, one in daemons}

    def requests_served(self, since: Mark | None = None, by: Caller = "service") -> Served:
        """Count the requests that each cloud was sent.

        Args:
            since: leave out those before this moment.
            by: `service`, the program under test, whatever it is; `nova`, a Nova that checks a
                token; `lab`, the lab itself.
        """
        start = since or {}
        return {
            services.cloud(name): access_log.count(daemon.access_log, since=start.get(services.cloud(name), 0), by=by)
            for name, daemon in self.daemons().items()
        }

    def counting(self, by: Caller = "service") -> AbstractContextManager[Served]:
        """Count the requests sent within a `with` block; the result is filled in at its end."""
        return self._counting(by)

    @contextmanager
    def _counting(self, by: Caller) -> Iterator[Served]:
        since = self.mark()
        served: Served = {}
        try:
            yield served
        finally:
            served.update(self.requests_served(since, by))

    # Within

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
        """Pick the ports of a new instance, and make the folders that are missing."""
        with locked(install.STATE / "lock"):  # no other lab picks ports or renews the databases
            if not self._ports():
                self._remember(ports=services.pick_ports(_ports_of_all_labs()), installation=install.stamp())
            services.prepare(self.folder, self._ports())

    def _daemon(self, service: str) -> Daemon:
        daemons = self.daemons()
        if not daemons:
            raise LabError(f"there is no lab '{self.name}' yet: 'up' makes one")
        if service not in daemons:
            raise LabError(f"the lab has no service {service!r}, only {', '.join(daemons)}")
        return daemons[service]

    def _require_up(self) -> None:
        down = [name for name in services.SERVICES if not self._daemon(name).running()]
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
        """Throw away what another version of the installation stored; the ports are kept."""
        state = self._state()
        if state and state["installation"] != install.stamp():
            self._end()
            for name in services.SERVICES:
                shutil.rmtree(self.folder / name, ignore_errors=True)
            self._remember(installation=install.stamp(), seed="")

    def _seed_once(self, say: install.Say) -> None:
        """Seed a new instance, or again when `lab/seed.py` has changed or seeding was cut short."""
        version = hashlib.sha256(Path(seed.__file__).read_bytes()).hexdigest()
        if self._state().get("seed") == version:
            return
        say("seeding users, regions and flavors")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._seed_keystone, services.KEYSTONES))
        self.reset()
        self._remember(seed=version)

    def _seed_keystone(self, name: seed.Identity) -> None:
        urls: dict[str, str | None] = {
            region: self.nova_url(region) for region, keystone in seed.REGIONS.items() if keystone == name
        }
        if name == "keystone":
            urls[seed.UNREACHABLE_REGION] = self.nova_url(seed.UNREACHABLE_REGION)
            urls[seed.REGION_WITHOUT_COMPUTE] = None
        openstack.seed_keystone(self._administrator(name), name, urls)

    def _reset(self, region: str) -> None:
        nova = self._nova(region)
        openstack.seed_flavors(nova, seed.FLAVORS[region], self.project_ids(region))

    def _keystone(self, name: seed.Identity) -> Keystone:
        return Keystone(self._daemon(name).url + "/v3")

    def _nova(self, region: str) -> Nova:
        return Nova(self.nova_url(region), self._administrator(_keystone_of(region)).token)

    def _administrator(self, name: seed.Identity) -> KeystoneAdministrator:
        """Log in as the user that `keystone-manage bootstrap` makes, once for each Keystone."""
        if name not in self._administrators:
            keystone = self._keystone(name)
            token = keystone.token("admin", project="admin")
            self._administrators[name] = KeystoneAdministrator(keystone.url, token)
        return self._administrators[name]


def _user(name: str) -> seed.User:
    for user in seed.USERS:
        if user.name == name:
            return user
    raise LabError(f"the lab has no user {name!r}, only {', '.join(u.name for u in seed.USERS)}")


def _keystone_of(region: str) -> seed.Identity:
    if region not in seed.REGIONS:
        raise LabError(f"the lab has no Nova for a region {region!r}, only {', '.join(seed.REGIONS)}")
    return seed.REGIONS[region]


def _ports_of_all_labs() -> set[int]:
    states = [json.loads(file.read_text()) for file in install.STATE.glob("*/state.json")]
    return {port for state in states for port in state["ports"].values()}


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
