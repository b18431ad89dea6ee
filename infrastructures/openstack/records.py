"""What crosses the OpenStack boundary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where a cloud is: its name for people, its Keystone, and its region's name in that one's catalogue.

    `central_keystone_url` is the federation's Keystone, whose tokens no other one shall ever see.
    """

    name: str
    keystone_url: str
    region_name: str
    central_keystone_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How we enter a cloud by ourselves.

    Without `nova_url` the Keystone catalogue says where its Nova is.
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
    """A token scoped to a project, and what Keystone says of it.

    `compute` has the public compute endpoint by region name.
    """

    token: str = field(repr=False)
    project_id: str
    expires_at: datetime
    compute: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NovaFlavor:
    """A flavor with everything that Nova keeps of it.

    `ram` and `swap` are in MiB, `disk` and `ephemeral` in GiB. `extra_specs` is None where Nova does
    not show them to the caller, which is not the same as none. `projects` are the ids of those that
    may use a flavor that is not public, sorted; None where they were not asked for.
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
        """Return the flavor that Nova describes, normalised over microversions.

        Raises:
            KeyError, TypeError, ValueError: it is not a flavor as the Compute API describes one.
        """
        extra_specs = answer.get("extra_specs")
        return cls(
            id=str(answer["id"]),
            name=str(answer["name"]),
            vcpus=int(answer["vcpus"]),
            ram=int(answer["ram"]),
            disk=int(answer["disk"]),
            swap=int(answer.get("swap") or 0),  # "" before microversion 2.75
            ephemeral=int(answer.get("OS-FLV-EXT-DATA:ephemeral") or 0),
            rxtx_factor=float(answer.get("rxtx_factor") or 1.0),  # "" where policy hides it
            is_public=bool(answer.get("os-flavor-access:is_public", True)),
            description=answer.get("description") or "",
            extra_specs=None if extra_specs is None else {key: str(value) for key, value in extra_specs.items()},
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the flavor that `as_json` wrote down."""
        projects = stored["projects"]
        return cls(**{**stored, "projects": None if projects is None else tuple(projects)})

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it, whole."""
        return {
            **self.__dict__,
            "extra_specs": None if self.extra_specs is None else dict(self.extra_specs),
            "projects": None if self.projects is None else list(self.projects),
        }

    def equals(self, other: Self) -> bool:
        """Say whether both have the same values, extra specs included; access lists are each cloud's own."""
        return self.row == other.row and (self.extra_specs or {}) == (other.extra_specs or {})

    @property
    def row(self) -> tuple[object, ...]:
        """Return what Nova keeps in the flavor's own row: all but its extra specs and access list."""
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
