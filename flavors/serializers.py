"""Flavors on the wire: nine members, `ram` and `swap` in MiB, `disk` in GiB, `nodes` by name."""

from typing import Any

from rest_framework import serializers

from flavors.models import Flavor
from flavorsync_project.api.serializers import IdField, StrictBooleanField, StrictIntegerField, wrapped
from infrastructures.fields import FlavorIdField, NameField, NodesField
from infrastructures.openstack.rules import MAX_INTEGER


class FlavorSerializer(serializers.Serializer[Flavor]):
    """A flavor of the catalogue, as the API shows it."""

    id = IdField(source="flavorid")
    name = serializers.CharField()
    vcpus = serializers.IntegerField()
    ram = serializers.IntegerField(help_text="MiB")
    disk = serializers.IntegerField(help_text="GiB")
    swap = serializers.IntegerField(help_text="MiB")
    promoted = serializers.BooleanField()
    public = serializers.BooleanField()
    nodes = NodesField(help_text="In the order of installation")


class FlavorSizesSerializer(serializers.Serializer[Any]):
    """A flavor's name and sizes, as a client gives them; `swap` is 0 by default."""

    name = NameField()
    vcpus = StrictIntegerField(min_value=1, max_value=MAX_INTEGER)
    ram = StrictIntegerField(min_value=1, max_value=MAX_INTEGER, help_text="MiB")
    disk = StrictIntegerField(min_value=0, max_value=MAX_INTEGER, help_text="GiB")
    swap = StrictIntegerField(min_value=0, max_value=MAX_INTEGER, required=False, help_text="MiB, by default 0")


class FlavorChangesSerializer(FlavorSizesSerializer):
    """Some of a flavor's name and sizes; the others stay."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields, none of them required."""
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


class PromotedFlavorCreationSerializer(FlavorSizesSerializer):
    """A promoted flavor to create; without an `id` it gets a UUID."""

    id = FlavorIdField(source="flavorid", required=False, allow_null=True)


class FlavorCreationSerializer(FlavorSizesSerializer):
    """A flavor to create in the caller's nodes; without an `id` it gets a UUID."""

    id = FlavorIdField(required=False, allow_null=True)
    promoted = StrictBooleanField(required=False)
    public = StrictBooleanField(required=False, help_text="Whether to publish it, too")
    nodes = NodesField(required=False, help_text="The caller's own; required of those who operate several")


class FlavorUpdateSerializer(FlavorChangesSerializer):
    """Changes of a flavor: its state, where it is, and for a private one its name and sizes."""

    promoted = StrictBooleanField()
    public = StrictBooleanField()
    nodes = NodesField()


class PromotedFlavorUpdateSerializer(FlavorUpdateSerializer):
    """Changes of a promoted flavor, and whether and when it is to be retired."""

    retire = StrictBooleanField(required=False)
    retire_at = serializers.DateTimeField(required=False, help_text="ISO 8601; without a time zone in UTC")


FLAVOR_DOCUMENT = wrapped("flavor", FlavorSerializer())
"""The body of every answer that holds one flavor, for OpenAPI."""
FLAVOR_EXAMPLE = {"name": "example.tiny", "vcpus": 1, "ram": 512, "disk": 1}
"""What a request may hold that creates a flavor, for OpenAPI."""
