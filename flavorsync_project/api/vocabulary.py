"""The vocabulary of our XML documents, shared by the parser and the renderer.

Each app registers its own documents in its `vocabulary`, when it is loaded.
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
    # Only in answers
    NUMBER = "xs:double"
    VALUE = "xs:anySimpleType"


@dataclass(frozen=True)
class Resource:
    """How a JSON object is written as an element.

    `attributes` are members written as attributes, `children` those with their own element, in the
    contract's order, and `lists` those with one element per item, after the children. The members in
    `parts`, last of all, are objects or lists of objects, and only in answers.
    """

    element: str
    children: Mapping[str, Kind]
    attributes: tuple[str, ...] = ()
    lists: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The element of an item, by the list's name."""
    parts: Mapping[str, "Resource"] = field(default_factory=lambda: MappingProxyType({}))


ERROR = Resource(element="error", children=MappingProxyType({"message": Kind.TEXT}))


@dataclass(frozen=True)
class Answer:
    """The document of an answer: an object, or any number of objects in an element called `in_list`."""

    resource: Resource
    in_list: str = ""


REQUESTS: dict[str, Resource] = {}
"""What a request's body may be, by its element."""

ANSWERS: dict[str, Answer] = {"error": Answer(ERROR)}
"""What an answer's body may be, by its member in JSON."""


def is_taken(resource: Resource) -> None:
    """Register an object as the body of requests."""
    REQUESTS[resource.element] = resource


def is_answered(member: str, resource: Resource, *, in_list: str = "") -> None:
    """Register an object as the body of answers, alone or listed in an element called *in_list*."""
    ANSWERS[member] = Answer(resource, in_list)
