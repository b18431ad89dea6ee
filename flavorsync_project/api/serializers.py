"""What a body holds: strict fields, and the member that every document is wrapped in.

A view takes its object out of the document, has a plain serializer check it, and wraps its answer:

    flavor = FlavorRequestSerializer(data=unwrap(request, "flavor"))
    flavor.is_valid(raise_exception=True)
    …
    return Response({"flavor": FlavorSerializer(created).data}, status=201)

and describes both for OpenAPI as `@extend_schema(request=wrapped("flavor", FlavorRequestSerializer()),
responses=wrapped("flavor", FlavorSerializer()))`, a list as `wrapped("flavors", FlavorSerializer(many=True))`.
"""

import json
import re
import unicodedata
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from flavorsync_project.api.errors import LengthRequired
from flavorsync_project.api.parsers import NO_BODY

# Nova keeps the numbers of a flavor in signed columns of 32 bits.
MAX_INTEGER = 2**31 - 1
MAX_NAME_LENGTH = 255

_SHOWN = 60


def unwrap(request: Request, root: str) -> dict[str, Any]:
    """Return the object that the request's body holds as its member *root*; others are ignored.

    Raises: ParseError, LengthRequired, and what the parsers raise
    """
    document = request.data
    if request.stream is None:
        raise LengthRequired if "Transfer-Encoding" in request.headers else ParseError(NO_BODY)
    members = document.get(root) if isinstance(document, dict) else None
    if not isinstance(members, dict):
        raise ParseError(f'The body must be an object with the member "{root}", itself an object')
    return members


def wrapped(root: str, content: serializers.BaseSerializer[Any]) -> serializers.Serializer[Any]:
    """Return a serializer of documents with *content* as their only member *root*, for OpenAPI.

    It is named after both: `wrapped("flavors", FlavorSerializer(many=True))` is `FlavorsDocument`,
    and `wrapped("flavor", FlavorRequestSerializer())` is `FlavorRequestDocument`.
    """
    inner = content.child if isinstance(content, serializers.ListSerializer) else content
    name = type(inner).__name__.removesuffix("Serializer")
    if inner is not content:
        name += "s"
    document = type(f"{name}Document", (serializers.Serializer,), {root: content, "__module__": __name__})
    return document()  # type: ignore[no-any-return]


def _kind(value: object) -> str:
    """Return what JSON calls a value other than null, with its article."""
    return next(words for kind, words in _KINDS if isinstance(value, kind))


# bool before int, which it is a kind of
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a fractional number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)


def _shown(value: object) -> str:
    """Return a scalar as JSON writes it, cut to a readable length; of anything else, what it is."""
    if isinstance(value, list | dict):
        return _kind(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_MISSING = {"required": "is required", "null": "must not be null"}


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: not `"1"`, not `true`, not `1.0`."""

    default_error_messages = {
        **_MISSING,
        "invalid": "must be an integer, not {shown}",
        "min_value": "must be at least {min_value}",
        "max_value": "must be at most {max_value}",
    }

    def to_internal_value(self, data: Any) -> int:
        """Return *data* if it is an integer and nothing else."""
        if type(data) is not int:
            self.fail("invalid", shown=_shown(data))
        return data


class StrictBooleanField(serializers.BooleanField):
    """A JSON boolean: not `1`, not `"true"`."""

    default_error_messages = {**_MISSING, "invalid": "must be true or false, not {shown}"}

    def to_internal_value(self, data: Any) -> bool:
        """Return *data* if it is a boolean and nothing else."""
        if type(data) is not bool:
            self.fail("invalid", shown=_shown(data))
        return data


class StrictCharField(serializers.CharField):
    """A JSON string, kept exactly as it is.

    Its messages never repeat the value, which may be a password.
    """

    default_error_messages = {
        **_MISSING,
        "invalid": "must be a string, not {kind}",
        "blank": "must not be empty",
        "max_length": "must not be longer than {max_length} characters",
        "min_length": "must not be shorter than {min_length} characters",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return *data* if it is a string."""
        if type(data) is not str:
            self.fail("invalid", kind=_kind(data))
        return data


class NameField(StrictCharField):
    """A name as Nova accepts one: 1 to 255 printable characters, no space at either end.

    Printable is what Nova's parameter type `name` takes (nova.api.validation.parameter_types): every
    character of Unicode's first plane but controls, formats, unassigned ones, and separators of
    lines and paragraphs.
    """

    default_error_messages = {
        "unprintable": "must not hold the character U+{code:04X}: printable characters only",
        "spaces": "must not begin or end with a space",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_NAME_LENGTH)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return *data* if it is a name."""
        name = super().to_internal_value(data)
        for character in name:
            if not _is_printable(character):
                self.fail("unprintable", code=ord(character))
        if unicodedata.category(name[0]) == "Zs" or unicodedata.category(name[-1]) == "Zs":
            self.fail("spaces")
        return name


def _is_printable(character: str) -> bool:
    category = unicodedata.category(character)
    return character <= "\uffff" and not category.startswith("C") and category not in {"Zl", "Zp"}


@extend_schema_field({"type": "string", "xml": {"attribute": True}})
class IdField(serializers.CharField):
    """What a resource is found by, as it is answered."""


_UNREACHABLE_IDS = (".", "..", "detail")


@extend_schema_field(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_NAME_LENGTH,
        "pattern": "^[a-zA-Z0-9._-]([a-zA-Z0-9. _-]*[a-zA-Z0-9._-])?$",
        "not": {"enum": list(_UNREACHABLE_IDS)},
        "xml": {"attribute": True},
    }
)
class FlavorIdField(StrictCharField):
    """The id of a flavor as Nova accepts one (API reference, "Create Flavor")."""

    default_error_messages = {
        "characters": "may hold letters (a to z), digits, '.', '_', '-' and inner spaces only",
        "spaces": "must not begin or end with a space",
        "unreachable": "must not be {flavor_id}, which no path of the API can say",
    }
    _PATTERN = re.compile(r"[a-zA-Z0-9. _-]+")

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_NAME_LENGTH)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return *data* if it is the id of a flavor."""
        flavor_id = super().to_internal_value(data)
        if not self._PATTERN.fullmatch(flavor_id):
            self.fail("characters")
        if flavor_id != flavor_id.strip(" "):
            self.fail("spaces")
        if flavor_id in _UNREACHABLE_IDS:
            self.fail("unreachable", flavor_id=flavor_id)
        return flavor_id


class StrictListField(serializers.ListField):
    """A JSON list of what `child` takes, in the order given."""

    default_error_messages = {**_MISSING, "not_a_list": "must be a list, not {input_type}"}

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return *data* if it is a list, of what `child` makes of its items."""
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=_shown(data))
        return super().to_internal_value(data)


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH, "xml": {"name": "node"}},
    }
)
class NodesField(StrictListField):
    """The names of nodes, in the order given."""

    child = NameField()
    default_error_messages = {"not_a_list": "must be a list of names, not {input_type}"}


class _ErrorMessageSerializer(serializers.Serializer[Any]):
    message = serializers.CharField()


class ErrorDocument(serializers.Serializer[Any]):
    """The body of every error, for OpenAPI."""

    error = _ErrorMessageSerializer()
