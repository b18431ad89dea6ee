"""The request bodies that Nova accepts: laxer than `/v1` about values, and as strict about members.

Source: `nova.api.openstack.compute.schemas.flavors`, `flavors_extraspecs` and `flavor_access`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request

from compute.wire.microversions import DESCRIPTIONS, Microversion
from flavorsync_project.api.serializers import StrictCharField
from infrastructures.fields import FlavorIdField, NameField
from infrastructures.openstack.rules import MAX_INTEGER, refusal_of_characters

_DIGITS, _DECIMAL = re.compile("[0-9]+"), re.compile(r"[0-9]+(\.[0-9]+)?")
_TRUE = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes")
_FALSE = ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no")
LARGEST_FACTOR = 3.40282e38  # Nova's own: that of a FLOAT
LONGEST_DESCRIPTION = 65535


class IdField(FlavorIdField):
    """An id, as a JSON string or number."""

    def to_internal_value(self, data: Any) -> str:
        """Return the id as text."""
        is_number = isinstance(data, int | float) and not isinstance(data, bool)
        return super().to_internal_value(str(data) if is_number else data)


class IntegerField(serializers.IntegerField):
    """A whole number, as a JSON number or string; not a boolean."""

    def __init__(self, *, min_value: int, **options: Any) -> None:
        super().__init__(min_value=min_value, max_value=MAX_INTEGER, **options)

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if isinstance(data, str) and not _DIGITS.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(data)


class BooleanField(serializers.BooleanField):
    """A JSON boolean, or one of the words that Nova takes for one."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the boolean."""
        if isinstance(data, bool):
            return data
        if not isinstance(data, str) or data not in (*_TRUE, *_FALSE):
            self.fail("invalid", input=data)
        return data in _TRUE


class FactorField(serializers.FloatField):
    """A positive number, as a JSON number or string."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number."""
        if isinstance(data, str) and not _DECIMAL.fullmatch(data):
            self.fail("invalid")
        factor = super().to_internal_value(data)
        if isinstance(data, bool) or not 0 < factor <= LARGEST_FACTOR:
            self.fail("invalid")
        return factor


class DescriptionField(StrictCharField):
    """A description in the characters that Nova takes, or null."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_DESCRIPTION, allow_blank=True, allow_null=True, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the description."""
        text = super().to_internal_value(data)
        if refusal := refusal_of_characters(text):
            raise ValidationError(refusal)
        return text


class FlavorCreation(serializers.Serializer[Any]):
    """A flavor to create; the validated data are named like the fields of our model."""

    name = NameField()
    id = IdField(source="flavorid", required=False, allow_null=True)
    ram = IntegerField(min_value=1)
    vcpus = IntegerField(min_value=1)
    disk = IntegerField(min_value=0)
    swap = IntegerField(min_value=0, required=False)
    rxtx_factor = FactorField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields, including those whose names are not Python identifiers."""
        fields = super().get_fields()
        fields["OS-FLV-EXT-DATA:ephemeral"] = IntegerField(min_value=0, source="ephemeral", required=False)
        fields["os-flavor-access:is_public"] = BooleanField(source="is_public", required=False)
        return fields


class DescribedFlavorCreation(FlavorCreation):
    """A flavor to create, with an optional description."""

    description = DescriptionField(required=False)


class FlavorUpdate(serializers.Serializer[Any]):
    """The changeable member of an existing flavor: its description."""

    description = DescriptionField()


class Grant(serializers.Serializer[Any]):
    """The project whose access to a flavor is granted or revoked."""

    tenant = StrictCharField(max_length=255)


def creation_of(request: Request, version: Microversion) -> dict[str, Any]:
    """Return the values of the flavor that a request asks to create.

    Raises:
        ParseError, ValidationError: the body is not valid.
    """
    kind = DescribedFlavorCreation if version >= DESCRIPTIONS else FlavorCreation
    return _validated(kind, _only_member(request, "flavor"))


def update_of(request: Request) -> dict[str, Any]:
    """Return the new description of a flavor, in a dictionary.

    Raises:
        ParseError, ValidationError: the body is not valid.
    """
    return _validated(FlavorUpdate, _only_member(request, "flavor"))


def action_of(request: Request) -> tuple[str, str]:
    """Return the requested action and its project.

    Raises:
        ParseError, ValidationError: the body is not an action of flavors.
    """
    body = _object(request.data)
    name = next(iter(body), "")
    if name not in ("addTenantAccess", "removeTenantAccess"):
        raise ParseError(f"There is no such action: {name}")
    return name, _validated(Grant, _only_member(request, name))["tenant"]


def extra_specs_of(request: Request) -> dict[str, str]:
    """Return the extra specs that a request asks to set, with numbers converted to text.

    Raises:
        ParseError: the body is not valid. The catalogue validates keys and values.
    """
    return _texts(_only_member(request, "extra_specs"))


def extra_spec_of(request: Request, key: str) -> dict[str, str]:
    """Return the single extra spec, with this key, that a request asks to set.

    Raises:
        ParseError: the body has another key, or not exactly one.
    """
    body = _object(request.data)
    if len(body) != 1 or key not in body:
        raise ParseError("Request body and URI mismatch")
    return _texts(body)


def name_and_id_of(body: bytes) -> tuple[str, str]:
    """Return the name and id of the flavor that a body asks to create, "" for each that it lacks.

    Nova validates the body, and refuses halves of surrogate pairs, which are left out here.
    """
    try:
        flavor = json.loads(body)["flavor"]
        name, id = flavor.get("name"), flavor.get("id")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", ""
    return _encodable(name or ""), "" if id is None else _encodable(id)


def _encodable(value: object) -> str:
    return str(value).encode("utf-8", "ignore").decode("utf-8")


def _texts(specs: Mapping[str, Any]) -> dict[str, str]:
    """Convert numbers among the extra specs to text, as Nova does."""
    return {
        key: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for key, value in specs.items()
    }


def _validated(kind: type[serializers.Serializer[Any]], members: Mapping[str, Any]) -> dict[str, Any]:
    serializer = kind(data=members)
    if unknown := members.keys() - serializer.fields.keys():
        raise ParseError(f"Additional properties are not allowed ({', '.join(sorted(unknown))})")
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def _only_member(request: Request, name: str) -> dict[str, Any]:
    body = _object(request.data)
    if body.keys() != {name}:
        raise ParseError(f"The body must be an object with the member {name} and no other")
    return _object(body[name])


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParseError("Malformed request body")
    return value
