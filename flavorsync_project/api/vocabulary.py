"""The vocabulary of our XML documents, shared by the parser and the renderer.

Each app says in its `vocabulary` what its own documents are, when it is loaded.
"""

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


ERROR = Resource(element="error", children=MappingProxyType({"message": Kind.TEXT}))


@dataclass(frozen=True)
class Answer:
    """The document of an answer: an object or, in an element called `in_list`, any number of them."""

    resource: Resource
    in_list: str = ""


REQUESTS: dict[str, Resource] = {}
"""What a request's body may be, by its element."""

ANSWERS: dict[str, Answer] = {"error": Answer(ERROR)}
"""What an answer's body may be, by its member in JSON."""


def is_taken(resource: Resource) -> None:
    """Have bodies of requests be such an object."""
    REQUESTS[resource.element] = resource


def is_answered(member: str, resource: Resource, *, in_list: str = "") -> None:
    """Have bodies of answers be such an object, or a list of them in an element called *in_list*."""
    ANSWERS[member] = Answer(resource, in_list)
