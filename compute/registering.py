"""The federation's face in the catalogue of the central Keystone, where clients look for a Nova."""

from collections.abc import Callable, Iterator

from compute.wire.links import VERSION
from flavorsync_project.api.errors import Conflict
from infrastructures.models import Infrastructure
from infrastructures.openstack.catalogue import KeystoneCatalogue

Step = tuple[str, Callable[[], object]]
"""What is to be done in the catalogue, in words, and what does it."""


def endpoint_url(public_url: str) -> str:
    """Return the endpoint of a `/compute` that is at this URL."""
    return f"{public_url.rstrip('/')}/{VERSION}"


def steps_to_register(*, catalogue: KeystoneCatalogue, region: str, url: str) -> Iterator[Step]:
    """Yield what is missing for clients to find the federation's face in a region; nothing when all is there.

    Raises:
        Conflict: the region is that of a node, whose own Nova would be hidden.
        CloudError: Keystone does not let the token read this, or did not answer.

    Cost: one query, and some three upstream calls.
    """
    _refuse_a_nodes(region)
    if not catalogue.has_region(region):
        yield f"region {region}", lambda: catalogue.create_region(region)
    service = catalogue.compute_service()
    if not service:
        yield "a compute service", catalogue.create_compute_service
    there = catalogue.endpoint(region)
    if there is None:
        yield (
            f"endpoint {url} in {region}",
            lambda: catalogue.create_endpoint(region, service or catalogue.compute_service(), url),
        )
    elif there.url != url:
        yield f"endpoint {url} in {region}, instead of {there.url}", lambda: catalogue.move_endpoint(there, url)


def steps_to_remove(*, catalogue: KeystoneCatalogue, region: str) -> Iterator[Step]:
    """Yield what is to be taken out again; a region in which there is something else stays.

    Raises and cost: as `steps_to_register`.
    """
    _refuse_a_nodes(region)
    there = catalogue.endpoint(region)
    if there:
        yield f"endpoint {there.url} in {region}", lambda: catalogue.delete_endpoint(there)
    if catalogue.has_region(region) and catalogue.has_no_other(region, there):
        yield f"region {region}", lambda: catalogue.delete_region(region)


def _refuse_a_nodes(region: str) -> None:
    for infrastructure in Infrastructure.objects.all():
        if region in (infrastructure.region_name, infrastructure.name):
            raise Conflict(f"{region} is the region of the node {infrastructure}, whose own Nova is there.")
