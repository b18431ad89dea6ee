"""The lab's clouds, asked directly: what their Novas have, and tokens for them."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from lab import Lab
from lab.client import send
from testing.federation import EXTRA_SPECS, RICH

Whole = dict[str, Any]
"""All that Nova keeps of a flavor, its access list as the member `projects`."""

GRANTED = ("lannion2", "spain2")


@dataclass(frozen=True)
class Tokens:
    """Keystone tokens of the lab's users as the header that carries them, each issued once."""

    lab: Lab
    _issued: dict[str, str] = field(default_factory=dict)

    def __call__(self, user: str) -> dict[str, str]:
        """Return the header with a token scoped to the user's project."""
        if user not in self._issued:
            self._issued[user] = self.lab.token(user)
        return {"X-Auth-Token-KeyStone": self._issued[user]}


@dataclass(frozen=True)
class Cloud:
    """One region's Nova, past the service that is tested."""

    lab: Lab
    region: str
    tokens: Tokens

    def flavors(self) -> dict[str, Whole]:
        """Return all that Nova has, by id."""
        return {flavor["id"]: self._whole(flavor) for flavor in self.lab.flavors(self.region)}

    def flavor(self, flavorid: str) -> Whole:
        """Return all that Nova has of one flavor."""
        return self.flavors()[flavorid]

    def make_rich_flavor(self, flavorid: str = "") -> Whole:
        """Return a new flavor that has whatever a flavor can have, two grants included."""
        flavorid = flavorid or f"rich-{uuid4()}"
        self._post("", {"flavor": {**RICH, "id": flavorid, "name": flavorid}})
        self._post(f"/{flavorid}/os-extra_specs", {"extra_specs": EXTRA_SPECS})
        projects = self.lab.project_ids(self.region)
        for project in GRANTED:
            self._post(f"/{flavorid}/action", {"addTenantAccess": {"tenant": projects[project]}})
        return self.flavor(flavorid)

    def _post(self, path: str, body: object) -> None:
        url = f"{self.lab.nova_url(self.region)}/flavors{path}"
        send("POST", url, token=self.tokens("spain2-admin")["X-Auth-Token-KeyStone"], body=body)

    def _whole(self, flavor: Whole) -> Whole:
        public = flavor["os-flavor-access:is_public"]
        members = {name: value for name, value in flavor.items() if name != "links"}
        return members | {"projects": None if public else self.lab.flavor_access(self.region, flavor["id"])}
