"""The dataclasses that cross the OpenStack boundary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Self

from flavorsync_project.api.urls import keystone_v3
from infrastructures.openstack import shapes


class Doubt(IntEnum):
    """How certain we are about the changes that were sent to a Nova."""

    NONE = 0
    """Each was answered."""
    SEEN = 1
    """The answer to one was lost, but we have seen that it was carried out."""
    OPEN = 2
    """One may still be carried out."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """The location of a cloud: its name for people, its Keystone, and its region's name in that Keystone's catalogue.

    `central_keystone_url` is the federation's Keystone; no other Keystone may ever see its tokens.
    """

    name: str
    keystone_url: str
    region_name: str
    central_keystone_url: str = ""

    @property
    def is_central(self) -> bool:
        """Whether its Keystone is the federation's."""
        return keystone_v3(self.central_keystone_url) == keystone_v3(self.keystone_url)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Our credentials for a cloud.

    Without `nova_url`, the endpoint in the Keystone catalogue is used.
    """

    region: Region
    nova_url: str
    tenant: str
    username: str
    password: str = field(repr=False)
    user_domain: str
    project_domain: str


@dataclass(frozen=True, kw_only=True)
class TokenAccess:
    """A token scoped to a project, and what Keystone says about it.

    `compute` holds the public compute endpoints by region name.
    """

    token: str = field(repr=False)
    project_id: str
    expires_at: datetime
    compute: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NovaFlavor:
    """A flavor with all its values in Nova.

    `ram` and `swap` are in MiB, `disk` and `ephemeral` in GiB. `extra_specs` is None if Nova does not
    show them to the caller, which is not the same as no extra specs. `projects` are the sorted ids of
    the projects that may use a flavor that is not public; None if they were not requested.
    Source: Compute API reference, "Flavors".
    """

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    swap: int = 0
    ephemeral: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    description: str = ""
    extra_specs: Mapping[str, str] | None = None
    projects: tuple[str, ...] | None = None

    @classmethod
    def from_nova(cls, answer: Mapping[str, Any]) -> Self:
        """Return the flavor that Nova describes, in one form for all microversions.

        This is the only check of a cloud's flavors. Ids and names come from Nova's database, which may be older
        than the rules of its API, so we accept whatever can be stored and shown.

        Raises:
            KeyError, ValueError: it is not a flavor as the Compute API describes one.
        """
        answer = shapes.members(answer, "a flavor")
        specs, description = answer.get("extra_specs"), answer.get("description")
        is_public = answer.get("os-flavor-access:is_public", True)
        return cls(
            id=shapes.flavorid(answer["id"]),
            name=shapes.line(answer["name"], "name"),
            vcpus=shapes.whole(answer["vcpus"], "vcpus"),
            ram=shapes.whole(answer["ram"], "ram"),
            disk=shapes.whole(answer["disk"], "disk"),
            swap=shapes.whole(_unless_hidden(answer.get("swap"), 0), "swap"),  # "" before microversion 2.75
            ephemeral=shapes.whole(_unless_hidden(answer.get("OS-FLV-EXT-DATA:ephemeral"), 0), "ephemeral"),
            rxtx_factor=shapes.factor(_unless_hidden(answer.get("rxtx_factor"), 1.0), "rxtx_factor"),
            is_public=shapes.truth(is_public, "is_public"),
            description="" if description is None else shapes.lines(description, "description"),
            extra_specs=None if specs is None else shapes.extra_specs(specs),
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the flavor that `as_json` describes."""
        projects = stored["projects"]
        return cls(**{**stored, "projects": None if projects is None else tuple(projects)})

    def as_json(self) -> dict[str, Any]:
        """Return the whole flavor in a form that JSON can represent."""
        return {
            **self.__dict__,
            "extra_specs": None if self.extra_specs is None else dict(self.extra_specs),
            "projects": None if self.projects is None else list(self.projects),
        }

    def equals(self, other: Self) -> bool:
        """Say whether both have the same values and extra specs; access lists differ from cloud to cloud."""
        return self.row == other.row and (self.extra_specs or {}) == (other.extra_specs or {})

    @property
    def row(self) -> tuple[object, ...]:
        """Return what Nova keeps in the flavor's own row: everything except extra specs and access list."""
        return (
            self.id,
            self.name,
            self.vcpus,
            self.ram,
            self.disk,
            self.swap,
            self.ephemeral,
            self.rxtx_factor,
            self.is_public,
            self.description,
        )


@dataclass(frozen=True, kw_only=True)
class NovaResponse:
    """Nova's response to a request that we passed on: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _unless_hidden(value: object, default: float) -> object:
    """Return *default* for a value that is absent, null or "", which Nova's policy or age may have hidden."""
    return default if value is None or value == "" else value
