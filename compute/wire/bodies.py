"""What Nova takes in the bodies of requests: laxer in values than `/v1`, and as strict in members.

Source: `nova.api.openstack.compute.schemas.flavors`, `flavors_extraspecs` and `flavor_access`.
"""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request

from compute.wire.microversions import DESCRIPTIONS, Microversion
from flavorsync_project.api.serializers import StrictCharField
from infrastructures.fields import FlavorIdField, NameField
from infrastructures.openstack.rules import MAX_INTEGER

LARGEST_FACTOR = 3.40282e38  # Nova's own: that of a FLOAT
LONGEST_DESCRIPTION = 65535


class IdField(FlavorIdField):
    """An id, also written as a JSON number."""

    def to_internal_value(self, data: Any) -> str:
        """Return the id as text."""
        is_number = isinstance(data, int | float) and not isinstance(data, bool)
        return super().to_internal_value(str(data) if is_number else data)


class IntegerField(serializers.IntegerField):
    """A whole number, also written as text; no boolean."""

    def __init__(self, *, min_value: int, **options: Any) -> None:
        super().__init__(min_value=min_value, max_value=MAX_INTEGER, **options)


class FactorField(serializers.FloatField):
    """A positive number, also written as text."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number."""
        factor = super().to_internal_value(data)
        if isinstance(data, bool) or not 0 < factor <= LARGEST_FACTOR:
            self.fail("invalid")
        return factor


class DescriptionField(StrictCharField):
    """A description of one line, or none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_DESCRIPTION, allow_blank=True, allow_null=True, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the description."""
        text = super().to_internal_value(data)
        if not text.isprintable():
            raise ValidationError("must hold printable characters only")
        return text


class FlavorCreation(serializers.Serializer[Any]):
    """A flavor to be made; what is validated is by member of the catalogue's flavors."""

    name = NameField()
    id = IdField(source="flavorid", required=False, allow_null=True)
    ram = IntegerField(min_value=1)
    vcpus = IntegerField(min_value=1)
    disk = IntegerField(min_value=0)
    swap = IntegerField(min_value=0, required=False)
    rxtx_factor = FactorField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields, those too whose names are no names in Python."""
        fields = super().get_fields()
        fields["OS-FLV-EXT-DATA:ephemeral"] = IntegerField(min_value=0, source="ephemeral", required=False)
        fields["os-flavor-access:is_public"] = serializers.BooleanField(source="is_public", required=False)
        return fields


class DescribedFlavorCreation(FlavorCreation):
    """The same, which may have a description."""

    description = DescriptionField(required=False)


class FlavorUpdate(serializers.Serializer[Any]):
    """What can be changed of a flavor that there is: its description."""

    description = DescriptionField()


class Grant(serializers.Serializer[Any]):
    """The project whose access to a flavor is granted or revoked."""

    tenant = StrictCharField(max_length=255)


def creation_of(request: Request, version: Microversion) -> dict[str, Any]:
    """Return the values of the flavor that a request wants to be made.

    Raises:
        ParseError, ValidationError: it is no such request.
    """
    kind = DescribedFlavorCreation if version >= DESCRIPTIONS else FlavorCreation
    return _validated(kind, _only_member(request, "flavor"))


def update_of(request: Request) -> dict[str, Any]:
    """Return the new description of a flavor, in an object.

    Raises:
        ParseError, ValidationError: it is no such request.
    """
    return _validated(FlavorUpdate, _only_member(request, "flavor"))


def action_of(request: Request) -> tuple[str, str]:
    """Return which action a request asks for, and the project that it is about.

    Raises:
        ParseError, ValidationError: it is no action of flavors.
    """
    body = _object(request.data)
    name = next(iter(body), "")
    if name not in ("addTenantAccess", "removeTenantAccess"):
        raise ParseError(f"There is no such action: {name}")
    return name, _validated(Grant, _only_member(request, name))["tenant"]


def extra_specs_of(request: Request) -> dict[str, str]:
    """Return the extra specs that a request wants to be set; numbers among them become text.

    Raises:
        ParseError: it is no such request. What the keys and values must be like is for the catalogue to say.
    """
    return _texts(_only_member(request, "extra_specs"))


def extra_spec_of(request: Request, key: str) -> dict[str, str]:
    """Return the one extra spec of this key that a request wants to be set.

    Raises:
        ParseError: it is another one, or not one alone.
    """
    body = _object(request.data)
    if len(body) != 1 or key not in body:
        raise ParseError("Request body and URI mismatch")
    return _texts(body)


def name_and_id_of(body: bytes) -> tuple[str, str]:
    """Return the name and the id of the flavor that a body wants to be made, "" for what it does not say.

    Whether it is well-formed is for Nova to say.
    """
    try:
        flavor = json.loads(body)["flavor"]
        name, id = flavor.get("name"), flavor.get("id")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", ""
    return str(name or ""), "" if id is None else str(id)


def _texts(specs: Mapping[str, Any]) -> dict[str, str]:
    """Return extra specs with numbers as Nova writes them."""
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
