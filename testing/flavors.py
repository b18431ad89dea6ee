"""Flavors of the catalogue, for tests to start from."""

from typing import Any

from flavors.models import Flavor, Installation
from infrastructures.models import Infrastructure


def make_flavor(**overrides: Any) -> Flavor:
    """Return a stored promoted flavor."""
    values = {"name": "TestNano", "vcpus": 1, "ram": 2, "disk": 10, "public": True, "promoted": True, **overrides}
    return Flavor.objects.create(**values)


def make_infrastructure(name: str = "Spain2", **overrides: Any) -> Infrastructure:
    """Return the stored infrastructure of that name; create it if need be."""
    return Infrastructure.objects.get_or_create(name=name, defaults=overrides)[0]


def make_installation(flavor: Flavor, node: str = "Spain2", **overrides: Any) -> Installation:
    """Return a stored installation of the flavor in the node, under its own id."""
    values = {"infrastructure": make_infrastructure(node), "flavorid": flavor.flavorid, **overrides}
    return Installation.objects.create(flavor=flavor, **values)


def wire_flavor(**overrides: object) -> dict[str, object]:
    """Return what the API answers about `make_flavor(flavorid="nano")`."""
    return {
        "id": "nano",
        "name": "TestNano",
        "vcpus": 1,
        "ram": 2,
        "disk": 10,
        "swap": 0,
        "promoted": True,
        "public": True,
        "nodes": [],
        **overrides,
    }


def document_of(flavor: Flavor, **overrides: Any) -> dict[str, Any]:
    """Return a flavor of the catalogue as Nova describes it, changed by *overrides*."""
    return {
        "id": flavor.flavorid,
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
        "extra_specs": dict(flavor.extra_specs),
        **overrides,
    }
