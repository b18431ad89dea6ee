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


@dataclass(frozen=True)
class Resource:
    """How a JSON object is written as an element.

    `attributes` are members written as attributes, `children` those with an element of their own, in
    the order of the contract, and `lists` those with one element per item, after the children.
    """

    element: str
    children: Mapping[str, Kind]
    attributes: tuple[str, ...] = ()
    lists: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The element of an item, by the name of the list."""


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

# What a request's body may be.
REQUESTS = MappingProxyType({resource.element: resource for resource in (FLAVOR, INFRASTRUCTURE)})
