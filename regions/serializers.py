"""Regions and their own flavors on the wire."""

from rest_framework import serializers

from flavors.serializers import FlavorChangesSerializer, FlavorSizesSerializer
from flavorsync_project.api.serializers import IdField
from infrastructures.fields import FlavorIdField
from infrastructures.models import Infrastructure
from infrastructures.openstack.records import NovaFlavor


class RegionSerializer(serializers.Serializer[Infrastructure]):
    """A region; its id is its name."""

    id = IdField(source="name")
    name = serializers.CharField()


class RegionFlavorCreationSerializer(FlavorSizesSerializer):
    """A flavor to create in a region; without `id` it gets a UUID."""

    id = FlavorIdField(required=False, allow_null=True)


class RegionFlavorChangesSerializer(FlavorChangesSerializer):
    """Changes to a region's flavor; its id cannot change."""


def region_flavor(flavor: NovaFlavor, region: str) -> dict[str, object]:
    """Return a region's own flavor in the form of `FlavorSerializer`: private, and only in this region."""
    return {
        "id": flavor.id,
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "swap": flavor.swap,
        "promoted": False,
        "public": False,
        "nodes": [region],
    }
