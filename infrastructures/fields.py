"""The names of nodes and flavors, and the ids of flavors, in bodies of requests."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from flavorsync_project.api.serializers import StrictCharField, StrictListField
from infrastructures.openstack.rules import MAX_NAME_LENGTH, UNREACHABLE_IDS, refusal_of_flavorid, refusal_of_name


class NameField(StrictCharField):
    """A name as Nova accepts one."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_NAME_LENGTH)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return *data* if it is a name."""
        name = super().to_internal_value(data)
        if refusal := refusal_of_name(name):
            raise serializers.ValidationError(refusal)
        return name


NAME: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}
"""The name of a node, for OpenAPI."""
FLAVOR_ID: Mapping[str, Any] = {
    **NAME,
    "pattern": "^[a-zA-Z0-9._-]([a-zA-Z0-9. _-]*[a-zA-Z0-9._-])?$",
    "not": {"enum": list(UNREACHABLE_IDS)},
}
"""The id of a flavor, for OpenAPI."""


@extend_schema_field({**FLAVOR_ID, "xml": {"attribute": True}})
class FlavorIdField(StrictCharField):
    """The id of a flavor as Nova accepts one."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_NAME_LENGTH)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return *data* if it is the id of a flavor."""
        flavor_id = super().to_internal_value(data)
        if refusal := refusal_of_flavorid(flavor_id):
            raise serializers.ValidationError(refusal)
        return flavor_id


@extend_schema_field({"type": "array", "items": {**NAME, "xml": {"name": "node"}}})
class NodesField(StrictListField):
    """The names of nodes, in the order given."""

    child = NameField()
    default_error_messages = {"not_a_list": "must be a list of names, not {input_type}"}
