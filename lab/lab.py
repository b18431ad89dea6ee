"""The lab itself: a federation of clouds, what they hold, and what they were asked."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lab import access_log, install, openstack, seed, services, snapshot
from lab.access_log import Caller
from lab.errors import LabError
from lab.instance import Instance, say_nothing
from lab.openstack import Json, Keystone, KeystoneAdministrator, Nova

Served = dict[str, Counter[str]]
"""How often each request was served, by cloud: `{"Spain2": {"GET /v2.1/flavors/detail": 1}, …}`."""

Mark = dict[str, int]
"""A moment, as the length in bytes of each cloud's access log."""


class Lab(Instance):
    """One instance of the lab: its processes, its users and tokens, the flavors of its clouds."""

    def __init__(self, name: str | None = None) -> None:
        """Name the instance, as `Instance` does."""
        super().__init__(name)
        self._administrators: dict[seed.Identity, KeystoneAdministrator] = {}

    def up(self, say: install.Say = say_nothing) -> None:
        """Start every service that does not run, and seed a new instance; report long steps to `say`.

        Raises:
            LabError: something is missing, or a service does not start.
        """
        install.install(say)
        self._administrators.clear()
        with self._locked():
            self._bring_up(say)
            self._seed_once(say)

    def environment(self) -> dict[str, str]:
        """Return the project's settings for this lab, and fresh tokens.

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
            "INFRASTRUCTURE_URL_ALLOWLIST": "*,127.0.0.1",  # this machine, which is not allowed by default
            **{f"IDM_TOKEN_{_variable(name)}": seed.idm_token(name) for name in idm_tokens},
            **tokens,
            "KEYSTONE_TOKEN_UNSCOPED": unscoped.result(),
            **({"OPENID_URL": self.openid_url} if services.OPENID in services.names() else {}),
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
        """Issue an unscoped token for a seeded user.

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
        """Create a complete flavor, and return it as Nova shows it.

        Args:
            region: where.
            name: its name.
            flavor_id: its id; if it is empty, Nova makes one up.
            vcpus: virtual CPUs.
            ram: MiB.
            disk: GiB.
            ephemeral: GiB.
            swap: MiB.
            public: open to every project.
            description: free text.
            extra_specs: its extra specs.
            access: the projects that it is open to, by name, if it is not public.

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
        """Reset the flavors of these regions, by default all, to the seed, whether their Novas run or not.

        Raises:
            LabError: there is no such region, or it was never seeded.
        """
        folders = [self._daemon(f"nova-{region}").folder for region in regions or tuple(seed.REGIONS)]
        with self._locked():
            for folder in folders:
                snapshot.restore(folder)

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

    def _seed_once(self, say: install.Say) -> None:
        """Seed a new instance; again when `lab/seed.py` has changed, it was cut short, or a snapshot is missing."""
        version = hashlib.sha256(Path(seed.__file__).read_bytes()).hexdigest()
        folders = {region: self._daemon(f"nova-{region}").folder for region in seed.REGIONS}
        if self._state().get("seed") == version and all(map(snapshot.exists, folders.values())):
            return
        say("seeding users, regions and flavors")
        self._remember(seed="")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._seed_keystone, services.KEYSTONES))
        for region, folder in folders.items():
            openstack.seed_flavors(self._nova(region), seed.FLAVORS[region], self.project_ids(region))
            snapshot.take(folder)
        self._remember(seed=version)

    def _seed_keystone(self, name: seed.Identity) -> None:
        urls: dict[str, str | None] = {
            region: self.nova_url(region) for region, keystone in seed.REGIONS.items() if keystone == name
        }
        if name == "keystone":
            urls[seed.UNREACHABLE_REGION] = self.nova_url(seed.UNREACHABLE_REGION)
            urls[seed.REGION_WITHOUT_COMPUTE] = None
        openstack.seed_keystone(self._administrator(name), name, urls)

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


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
