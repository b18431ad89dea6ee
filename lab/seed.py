"""What the lab's clouds hold from the start: regions, projects, users, flavors, IdM tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Identity = Literal["keystone", "mordor-keystone"]

PASSWORD: Final = "lab-password"  # noqa: S105  (it is in docs/lab.md)
"""Of every user; the lab listens on the loopback interface only."""

REGIONS: Final[Mapping[str, Identity]] = {
    "Spain2": "keystone",
    "Lannion2": "keystone",
    "Mordor": "mordor-keystone",
}
"""The regions that have a Nova, and the Keystone that each belongs to."""

UNREACHABLE_REGION: Final = "Isengard"
"""A region of the central catalogue on whose compute port nothing listens."""

REGION_WITHOUT_COMPUTE: Final = "Moria"
"""A region that the central Keystone knows, with no compute endpoint."""


DEFAULT_DOMAIN: Final = "Default"
NODES_DOMAIN: Final = "nodes"
"""The domain of the central Keystone that has a project for each node, named as the node is."""

MANAGER: Final = "flavor_manager"
OPERATOR: Final = "flavor_operator"

KEYSTONE_MANAGERS: Final = f"{MANAGER}@project:federation/{DEFAULT_DOMAIN}"
KEYSTONE_OPERATORS: Final = f"{OPERATOR}@project:{{node}}/{NODES_DOMAIN}"
"""What the federation's roles are in Flavor Sync's settings."""


@dataclass(frozen=True)
class User:
    """A user, of the domain Default, with one role in one project of one Keystone."""

    name: str
    project: str
    role: Literal["admin", "member", "flavor_manager", "flavor_operator"]
    keystone: Identity = "keystone"
    has_default_project: bool = True
    project_domain: str = DEFAULT_DOMAIN


USERS: Final = (
    User("spain2-admin", "spain2", "admin"),
    User("spain2-member", "spain2", "member"),
    User("lannion2-admin", "lannion2", "admin"),
    User("lannion2-member", "lannion2", "member"),
    User("unscoped-admin", "spain2", "admin", has_default_project=False),
    User("mordor-admin", "mordor", "admin", "mordor-keystone"),
    User("mordor-member", "mordor", "member", "mordor-keystone"),
    User("flavor-manager", "federation", MANAGER),
    User("spain2-operator", "Spain2", OPERATOR, project_domain=NODES_DOMAIN),
    User("mordor-operator", "Mordor", OPERATOR, project_domain=NODES_DOMAIN),
    # Whoever owns a project can give themselves any role there,
    User("self-made-manager", "lannion2", MANAGER),
    # and whoever has a Keystone can give what they like the names of others'.
    User("mordor-manager", "federation", MANAGER, "mordor-keystone"),
)


@dataclass(frozen=True)
class Flavor:
    """A flavor; `ram` and `swap` in MiB, `disk` and `ephemeral` in GiB, `access` project names."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    public: bool = True
    description: str | None = None
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    access: tuple[str, ...] = ()


_TINY = Flavor("1", "m1.tiny", 1, 512, 1)
_SMALL = Flavor("2", "m1.small", 1, 2048, 20)

FLAVORS: Final[Mapping[str, tuple[Flavor, ...]]] = {
    "Spain2": (
        _TINY,
        _SMALL,
        Flavor("3", "m1.medium", 2, 4096, 40),
        Flavor("4", "m1.large", 4, 8192, 80),
        Flavor(
            "5",
            "m1.large.ephemeral",
            4,
            8192,
            20,
            ephemeral=40,
            description="Fast local disk that is gone with the server",
            extra_specs={
                "hw:cpu_policy": "dedicated",
                "quota:disk_total_iops_sec": "5000",
            },
        ),
        Flavor(
            "spain2-secret",
            "spain2.secret",
            8,
            16384,
            160,
            public=False,
            access=("spain2", "lannion2"),
        ),
    ),
    "Lannion2": (
        _TINY,
        Flavor("2", "m1.small", 1, 2048, 10),  # another disk than in Spain2
        Flavor("33", "m1.medium", 2, 4096, 40),  # another id than in Spain2
        Flavor("lannion2-swap", "lannion2.swap", 2, 2048, 20, swap=1024),
    ),
    "Mordor": (
        _TINY,
        Flavor("2", "m1.small", 2, 2048, 20),  # more CPUs than in Spain2
        Flavor("44", "M1.Large", 4, 8192, 80),  # another case, and another id, than in Spain2
        Flavor("mordor-ring", "mordor.ring", 1, 1024, 5, public=False),  # open to nobody
    ),
}

IDM_APPLICATION: Final = "5f2c8c1e-8a1f-4c07-9c0a-0d1f4f1f0b11"
"""The id of the application that the lab's IdM tokens are for."""

IDM_CLIENT_SECRET: Final = "lab-secret-of-the-application"  # noqa: S105  (it is in docs/lab.md)
"""What Flavor Sync proves with that it is that application."""

OTHER_IDM_APPLICATION: Final = "e1e1e1e1-0000-4000-8000-000000000000"
"""The id of somebody else's application."""


def idm_token(name: str) -> str:
    """Return the IdM token of that name: `manager` has `lab-token-manager`."""
    return f"lab-token-{name}"
