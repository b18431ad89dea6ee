"""The vocabulary of our XML documents, shared by the parser and the renderer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """What the text of an element stands for."""

    TEXT = "text"
    INTEGER = "xs:integer"
    BOOLEAN = "xs:boolean"
    # Of answers alone
    NUMBER = "xs:double"
    VALUE = "xs:anySimpleType"


@dataclass(frozen=True)
class Resource:
    """How a JSON object is written as an element.

    `attributes` are members written as attributes, `children` those with an element of their own, in
    the order of the contract, and `lists` those with one element per item, after the children. The
    members in `parts`, last of all, are objects or lists of them: only answers have any.
    """

    element: str
    children: Mapping[str, Kind]
    attributes: tuple[str, ...] = ()
    lists: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The element of an item, by the name of the list."""
    parts: Mapping[str, "Resource"] = field(default_factory=lambda: MappingProxyType({}))


FLAVOR = Resource(
    element="flavor",
    attributes=("id",),
    children=MappingProxyType(
        {
            "name": Kind.TEXT,
            "vcpus": Kind.INTEGER,
            "ram": Kind.INTEGER,
            "disk": Kind.INTEGER,
            "swap": Kind.INTEGER,
            "promoted": Kind.BOOLEAN,
            "public": Kind.BOOLEAN,
        }
    ),
    lists=MappingProxyType({"nodes": "node"}),
)

INFRASTRUCTURE = Resource(
    element="infrastructure",
    attributes=("id",),
    children=MappingProxyType(
        dict.fromkeys(
            (
                "name",
                "nova_url",
                "keystone_url",
                "username",
                "password",
                "tenant",
                "region",
                "user_domain",
                "project_domain",
            ),
            Kind.TEXT,
        )
    ),
)

ERROR = Resource(element="error", children=MappingProxyType({"message": Kind.TEXT}))

DIFFERENCE = Resource(
    element="difference",
    attributes=("member",),
    children=MappingProxyType({"node": Kind.VALUE, "catalogue": Kind.VALUE}),
)

OUTCOME = Resource(
    element="outcome",
    attributes=("id",),
    children=MappingProxyType(
        {
            "name": Kind.TEXT,
            "state": Kind.TEXT,
            "action": Kind.TEXT,
            "reason": Kind.TEXT,
            "servers": Kind.INTEGER,
            "result": Kind.TEXT,
            "seconds": Kind.NUMBER,
        }
    ),
    parts=MappingProxyType({"differences": DIFFERENCE}),
)

SYNCHRONISED_NODE = Resource(
    element="node",
    attributes=("name",),
    children=MappingProxyType(
        dict.fromkeys(("state", "error", "started_at", "compared_at", "finished_at"), Kind.TEXT),
    ),
    parts=MappingProxyType({"outcomes": OUTCOME}),
)

STATUS = Resource(
    element="status",
    children=MappingProxyType({"state": Kind.TEXT}),
    parts=MappingProxyType({"nodes": SYNCHRONISED_NODE}),
)

PROGRESS = Resource(
    element="progress",
    children=MappingProxyType(dict.fromkeys(("nodes", "nodes_done", "flavors", "flavors_done"), Kind.INTEGER)),
)

RUN = Resource(
    element="run",
    attributes=("id",),
    children=MappingProxyType(
        {
            "state": Kind.TEXT,
            "requested_by": Kind.TEXT,
            **dict.fromkeys(("dry_run", "replace", "exact"), Kind.BOOLEAN),
            **dict.fromkeys(("created_at", "started_at", "finished_at"), Kind.TEXT),
        }
    ),
    lists=MappingProxyType({"flavors": "flavor"}),
    parts=MappingProxyType({"progress": PROGRESS, "nodes": SYNCHRONISED_NODE}),
)

RUN_REQUEST = Resource(
    element="run",
    children=MappingProxyType(dict.fromkeys(("dry_run", "replace", "exact"), Kind.BOOLEAN)),
    lists=MappingProxyType({"nodes": "node", "flavors": "flavor"}),
)

# What a request's body may be.
REQUESTS = MappingProxyType({resource.element: resource for resource in (FLAVOR, INFRASTRUCTURE, RUN_REQUEST)})
