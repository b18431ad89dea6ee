"""The lab's own requests to a Keystone and a Nova, over plain HTTP."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lab import seed
from lab.client import Answer, send

Json = dict[str, Any]

_DEFAULT_DOMAIN = {"id": "default"}


@dataclass(frozen=True)
class Keystone:
    """A Keystone, by its URL with `/v3` at the end."""

    url: str

    def token(self, user: str, *, project: str | None, project_domain: str = seed.DEFAULT_DOMAIN) -> str:
        """Issue a token, scoped to a project, or unscoped if that is `None`.

        Raises:
            LabError: Keystone refused or did not answer.
        """
        scope: object = "unscoped"
        if project:
            scope = {"project": {"name": project, "domain": {"name": project_domain}}}
        login = {"name": user, "domain": _DEFAULT_DOMAIN, "password": seed.PASSWORD}
        identity = {"methods": ["password"], "password": {"user": login}}
        body = {"auth": {"identity": identity, "scope": scope}}
        return send("POST", f"{self.url}/auth/tokens", body=body).headers["x-subject-token"]


@dataclass(frozen=True)
class KeystoneAdministrator:
    """Looks for things in a Keystone (URL with `/v3`), and makes missing ones.

    Every method raises `LabError` if Keystone refuses or does not answer.
    """

    url: str
    token: str

    def list(self, kind: str) -> list[Json]:
        """Return all things of a kind (`project`, `user`, …)."""
        answer = send("GET", f"{self.url}/{kind}s", token=self.token)
        things: list[Json] = answer.body[f"{kind}s"]
        return things

    def project_ids(self) -> dict[str, str]:
        """Return the id of every project by its name."""
        return {project["name"]: project["id"] for project in self.list("project")}

    def ensure(self, kind: str, known_by: Json, **details: object) -> str:
        """Return the id of the thing that has the members `known_by`, creating it if need be."""
        for thing in self.list(kind):
            if known_by.items() <= thing.items():
                return str(thing["id"])
        body = {kind: known_by | details}
        answer = send("POST", f"{self.url}/{kind}s", token=self.token, body=body)
        return str(answer.body[kind]["id"])

    def grant(self, role: str, *, user: str, project: str) -> None:
        """Give a user a role in a project, all by id; repeating this does no harm."""
        url = f"{self.url}/projects/{project}/users/{user}/roles/{role}"
        send("PUT", url, token=self.token)


@dataclass(frozen=True)
class Nova:
    """A Nova, by its URL with `/v2.1` at the end, asked with an administrator's token.

    Every method raises `LabError` if Nova refuses or does not answer.
    """

    url: str
    token: str

    def flavors(self) -> list[Json]:
        """Return all flavors, non-public ones too, as Nova shows them (microversion 2.75)."""
        found: list[Json] = []
        page = f"{self.url}/flavors/detail?is_public=None"
        while page:
            body = send("GET", page, token=self.token).body
            found += body["flavors"]
            links = body.get("flavors_links", [])
            page = next((link["href"] for link in links if link["rel"] == "next"), "")
        return found

    def access(self, flavor: str) -> list[str]:
        """Return the ids of the projects that a non-public flavor is open to, in order."""
        answer = send("GET", self._flavor(flavor, "os-flavor-access"), token=self.token)
        return sorted(entry["tenant_id"] for entry in answer.body["flavor_access"])

    def create(self, flavor: Json) -> Json:
        """Create a flavor from the members of Nova's request; return it."""
        answer = self._post(f"{self.url}/flavors", {"flavor": flavor})
        created: Json = answer.body["flavor"]
        return created

    def set_extra_specs(self, flavor: str, extra_specs: Mapping[str, str]) -> None:
        """Add extra specs to a flavor."""
        self._post(self._flavor(flavor, "os-extra_specs"), {"extra_specs": dict(extra_specs)})

    def grant(self, flavor: str, project: str) -> None:
        """Open a non-public flavor to a project, by its id."""
        self._post(self._flavor(flavor, "action"), {"addTenantAccess": {"tenant": project}})

    def delete(self, flavor: str) -> None:
        """Delete a flavor with everything that belongs to it."""
        send("DELETE", self._flavor(flavor), token=self.token)

    def _flavor(self, flavor: str, *rest: str) -> str:
        return "/".join([self.url, "flavors", quote(flavor, safe=""), *rest])

    def _post(self, url: str, body: Json) -> Answer:
        return send("POST", url, token=self.token, body=body)


def seed_keystone(
    administrator: KeystoneAdministrator, name: seed.Identity, compute_urls: Mapping[str, str | None]
) -> None:
    """Create the users, projects, regions and endpoints that a Keystone lacks.

    Args:
        administrator: of that Keystone.
        name: which of the lab's Keystones it is.
        compute_urls: its regions, each with the URL of its Nova, or `None` if it has none.

    Raises:
        LabError: Keystone refused or did not answer.
    """
    _seed_catalogue(administrator, compute_urls)
    _seed_users(administrator, name)


def _seed_catalogue(administrator: KeystoneAdministrator, compute_urls: Mapping[str, str | None]) -> None:
    identity = administrator.ensure("service", {"type": "identity", "name": "keystone"})
    compute = administrator.ensure("service", {"type": "compute", "name": "nova"})
    for region, compute_url in compute_urls.items():
        administrator.ensure("region", {"id": region})
        for service, url in ((identity, administrator.url), (compute, compute_url)):
            if url:
                administrator.ensure(
                    "endpoint",
                    {"service_id": service, "region_id": region, "interface": "public"},
                    url=url,
                )


def _seed_users(administrator: KeystoneAdministrator, keystone: seed.Identity) -> None:
    nova = seed.User("nova", "service", "admin", keystone)
    for user in (nova, *(user for user in seed.USERS if user.keystone == keystone)):
        role = administrator.ensure("role", {"name": user.role})
        domain = administrator.ensure("domain", {"name": user.project_domain})
        project = administrator.ensure("project", {"name": user.project, "domain_id": domain})
        more = {"default_project_id": project} if user.has_default_project else {}
        identifier = administrator.ensure(
            "user", {"name": user.name, "domain_id": "default"}, password=seed.PASSWORD, **more
        )
        administrator.grant(role, user=identifier, project=project)


def seed_flavors(nova: Nova, wanted: tuple[seed.Flavor, ...], projects: Mapping[str, str]) -> None:
    """Bring a Nova's flavors to exactly those wanted; leave alone what is right already.

    Args:
        nova: where.
        wanted: the flavors.
        projects: project ids by name.

    Raises:
        LabError: Nova refused.
    """
    there = {flavor["id"]: _facts(nova, flavor) for flavor in nova.flavors()}
    right = {flavor.id: _wanted_facts(flavor, projects) for flavor in wanted}
    with ThreadPoolExecutor() as pool:
        list(pool.map(nova.delete, [one for one in there if there[one] != right.get(one)]))
        missing = [flavor for flavor in wanted if there.get(flavor.id) != right[flavor.id]]
        list(pool.map(lambda flavor: create_flavor(nova, flavor, projects), missing))


def create_flavor(nova: Nova, flavor: seed.Flavor, projects: Mapping[str, str]) -> Json:
    """Create a flavor with its extra specs and access list; return it as Nova shows it.

    Raises:
        LabError: Nova refused; what was created until then stays.
        KeyError: the access list names a project that is not in `projects`.
    """
    created = nova.create(
        {
            "id": flavor.id or None,
            "name": flavor.name,
            "vcpus": flavor.vcpus,
            "ram": flavor.ram,
            "disk": flavor.disk,
            "swap": flavor.swap,
            "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
            "os-flavor-access:is_public": flavor.public,
            "description": flavor.description,
        }
    )
    if flavor.extra_specs:
        nova.set_extra_specs(created["id"], flavor.extra_specs)
    for project in flavor.access:
        nova.grant(created["id"], projects[project])
    return created | {"extra_specs": dict(flavor.extra_specs)}


def _facts(nova: Nova, flavor: Json) -> Json:
    """Return the values that show whether a flavor is as it was seeded."""
    public = flavor["os-flavor-access:is_public"]
    return {
        "name": flavor["name"],
        "vcpus": flavor["vcpus"],
        "ram": flavor["ram"],
        "disk": flavor["disk"],
        "swap": flavor["swap"],
        "ephemeral": flavor["OS-FLV-EXT-DATA:ephemeral"],
        "rxtx": flavor["rxtx_factor"],
        "public": public,
        "description": flavor["description"],
        "extra_specs": flavor["extra_specs"],
        "access": [] if public else nova.access(flavor["id"]),
    }


def _wanted_facts(flavor: seed.Flavor, projects: Mapping[str, str]) -> Json:
    return {
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "swap": flavor.swap,
        "ephemeral": flavor.ephemeral,
        "rxtx": 1.0,
        "public": flavor.public,
        "description": flavor.description,
        "extra_specs": dict(flavor.extra_specs),
        "access": sorted(projects[project] for project in flavor.access),
    }
