"""The query parameters of a list of flavors.

Source: Compute API reference, "List Flavors With Details"; `nova.api.openstack.compute.schemas.flavors.index_query`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ParseError

from compute.wire.microversions import STRICT_PARAMETERS, Microversion

# Nova's default of [api]max_limit
MOST = 1000
SORT_KEYS: Mapping[str, str] = {
    "created_at": "created_at",
    "description": "description",
    "disabled": "pk",
    "ephemeral_gb": "ephemeral",
    "flavorid": "flavorid",
    "id": "pk",
    "is_public": "is_public",
    "memory_mb": "ram",
    "name": "name",
    "root_gb": "disk",
    "rxtx_factor": "rxtx_factor",
    "swap": "swap",
    "updated_at": "updated_at",
    "vcpu_weight": "pk",
    "vcpus": "vcpus",
}
"""The field of our model for each of Nova's sort keys; `disabled` is the same for every flavor here."""


@dataclass(frozen=True, kw_only=True)
class ListParameters:
    """The filters, order and size of a list of flavors; with `is_public` None it has public and other ones."""

    limit: int
    marker: str | None
    sort_by: str
    descending: bool
    least_ram: int | None
    least_disk: int | None
    is_public: bool | None


class _Number(serializers.IntegerField):
    """A whole number, cut to what fits a database's integer, so that it can be compared."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if "." in data:  # which Django REST framework takes before zeros
            self.fail("invalid")
        return max(-(2**63), min(super().to_internal_value(data), 2**63 - 1))


class _Parameters(serializers.Serializer[Any]):
    limit = serializers.RegexField(r"^[0-9]+\Z", max_length=1000, required=False, trim_whitespace=False)
    marker = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    sort_key = serializers.ChoiceField(list(SORT_KEYS), required=False)
    sort_dir = serializers.ChoiceField(["asc", "desc"], required=False)
    minRam = _Number(required=False)  # noqa: N815 — Nova's name
    minDisk = _Number(required=False)  # noqa: N815 — Nova's name
    is_public = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


def may_show_more(query: QueryDict) -> bool:
    """Say whether a list with these parameters may show more to an administrator than to others of the same project."""
    return "marker" in query or query.get("is_public", "True") != "True"


def parameters_of(query: QueryDict, version: Microversion, *, sees_all: bool) -> ListParameters:
    """Return the parameters of a list; without *sees_all*, `is_public` is ignored and counts as true.

    Raises:
        ParseError, ValidationError: a value is invalid, or, from 2.75 on, a parameter is unknown.
    """
    # The query may contain a credential.
    given = {name: value for name, value in query.items() if name != "access_token"}
    values = _validated(given, version) if given else {}  # the serializer alone takes as long as the rest of a list
    return ListParameters(
        limit=min(int(values.get("limit", MOST)), MOST),
        marker=values.get("marker"),
        sort_by=SORT_KEYS[values.get("sort_key", "flavorid")],
        descending=values.get("sort_dir") == "desc",
        least_ram=values.get("minRam"),
        least_disk=values.get("minDisk"),
        is_public=_is_public(values.get("is_public")) if sees_all else True,
    )


def _validated(given: Mapping[str, Any], version: Microversion) -> dict[str, Any]:
    fields = _Parameters(data=given)
    if version >= STRICT_PARAMETERS and (unknown := given.keys() - fields.fields.keys()):
        raise ParseError(f"Additional properties are not allowed ({', '.join(sorted(unknown))})")
    fields.is_valid(raise_exception=True)
    values: dict[str, Any] = fields.validated_data
    return values


def _is_public(text: str | None) -> bool | None:
    if text is None:
        return True
    if text.lower() == "none":
        return None
    values = {"true": True, "t": True, "yes": True, "y": True, "on": True, "1": True}
    values |= {"false": False, "f": False, "no": False, "n": False, "off": False, "0": False}
    if text.strip().lower() not in values:
        raise ParseError(f"Invalid is_public filter [{text}]")
    return values[text.strip().lower()]
