"""What a body holds: strict fields, and the member that every document is wrapped in.

A view takes its object out of the document, checks it with a plain serializer, and wraps its answer:

    flavor = FlavorRequestSerializer(data=unwrap(request, "flavor"))
    flavor.is_valid(raise_exception=True)
    …
    return Response({"flavor": FlavorSerializer(created).data}, status=201)

and describes both for OpenAPI as `@extend_schema(request=wrapped("flavor", FlavorRequestSerializer()),
responses=wrapped("flavor", FlavorSerializer()))`, a list as `wrapped("flavors", FlavorSerializer(many=True))`.
"""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from flavorsync_project.api.errors import LengthRequired
from flavorsync_project.api.parsers import NO_BODY

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
    """Return JSON's name for the type of a value other than null, with its article."""
    return next(words for kind, words in _KINDS if isinstance(value, kind))


# bool before int, since it is a subclass
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a fractional number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)


def _shown(value: object) -> str:
    """Return a scalar as JSON writes it, cut to a readable length; for anything else, its type."""
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


@extend_schema_field({"type": "string", "xml": {"attribute": True}})
class IdField(serializers.CharField):
    """The id of a resource in an answer."""


class StrictListField(serializers.ListField):
    """A JSON list of what `child` takes, in the order given."""

    default_error_messages = {**_MISSING, "not_a_list": "must be a list, not {input_type}"}

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return *data*, if it is a list, with its items as `child` reads them."""
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=_shown(data))
        return super().to_internal_value(data)


class _ErrorMessageSerializer(serializers.Serializer[Any]):
    message = serializers.CharField()


class ErrorDocument(serializers.Serializer[Any]):
    """The body of every error, for OpenAPI."""

    error = _ErrorMessageSerializer()
