"""Drift of every kind, planted in the scripted clouds of a federation or in the lab's."""

from typing import Any

from flavors.models import Flavor
from infrastructures.openstack.records import NovaFlavor


def as_document(flavor: NovaFlavor, **overrides: Any) -> dict[str, Any]:
    """Return a flavor as Nova describes it, by its members' names there."""
    return {
        "id": flavor.id,
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "swap": flavor.swap,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": flavor.is_public,
        "rxtx_factor": flavor.rxtx_factor,
        "description": flavor.description or None,
        "extra_specs": dict(flavor.extra_specs or {}),
        **overrides,
    }


def document_of(flavor: Flavor, **overrides: Any) -> dict[str, Any]:
    """Return a flavor of the catalogue as a Nova that has it describes it."""
    return as_document(flavor.as_nova(), **overrides)
