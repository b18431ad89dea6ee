"""Flavors as Nova shows them at each microversion.

They have no members that Nova lacks: clients delete an unknown member, or report it as a difference.
Source: Compute API reference, "Flavors"; `nova.api.openstack.compute.views.flavors`.
"""

from typing import Any

from compute.wire.links import links_of
from compute.wire.microversions import DESCRIPTIONS, EXTRA_SPECS_IN_FLAVORS, SWAP_IS_A_NUMBER, Microversion
from infrastructures.openstack.records import NovaFlavor

COLLECTION = "flavors"


def brief(flavor: NovaFlavor, version: Microversion, root: str) -> dict[str, Any]:
    """Return a flavor as `GET /flavors` lists it."""
    members: dict[str, Any] = {
        "id": flavor.id,
        "name": flavor.name,
        "links": links_of(root, COLLECTION, flavor.id),
    }
    if version >= DESCRIPTIONS:
        members["description"] = flavor.description or None
    return members


def whole(flavor: NovaFlavor, version: Microversion, root: str) -> dict[str, Any]:
    """Return a flavor as `GET /flavors/{id}` and `GET /flavors/detail` show it."""
    members = {
        **brief(flavor, version, root),
        "ram": flavor.ram,
        "disk": flavor.disk,
        "vcpus": flavor.vcpus,
        "swap": flavor.swap if version >= SWAP_IS_A_NUMBER else flavor.swap or "",
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": flavor.is_public,
        "rxtx_factor": flavor.rxtx_factor,
    }
    if version >= EXTRA_SPECS_IN_FLAVORS:
        members["extra_specs"] = dict(flavor.extra_specs or {})
    return members


def access(flavorid: str, projects: list[str]) -> dict[str, Any]:
    """Return the access list of a flavor."""
    return {"flavor_access": [{"flavor_id": flavorid, "tenant_id": project} for project in projects]}
