"""What a Nova shows of a flavor of the catalogue, for planting drift and for telling that there is none."""

from typing import Any

from flavors.models import Flavor


def document_of(flavor: Flavor, **overrides: Any) -> dict[str, Any]:
    """Return a flavor of the catalogue as a Nova that has it describes it, but for *overrides*."""
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
