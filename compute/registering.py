"""The federation's OpenStack face in the catalogue of the central Keystone, where clients look for a Nova."""

from collections.abc import Callable, Iterator
from functools import partial

from django.conf import settings

from compute.wire.links import VERSION
from flavorsync_project.api.errors import Conflict
from flavorsync_project.api.urls import keystone_v3
from infrastructures.models import Infrastructure
from infrastructures.openstack.catalogue import KeystoneCatalogue

COMPUTE, IDENTITY = "compute", "identity"

Step = tuple[str, Callable[[], object]]
"""The description of a change to the catalogue, and the function that makes it."""


def endpoint_url(public_url: str) -> str:
    """Return the endpoint's URL for the public URL of `/compute`."""
    return f"{public_url.rstrip('/')}/{VERSION}"


def steps_to_register(*, catalogue: KeystoneCatalogue, region: str, url: str) -> Iterator[Step]:
    """Yield the changes still needed for clients to find the federation's OpenStack face in a region.

    They include an endpoint for Keystone: openstackclient looks for it in the same region.

    Raises:
        Conflict: the region is a node's, and the endpoint would hide the node's own Nova.
        CloudError: Keystone does not let the token read its catalogue, or did not answer.

    Cost: one query, and some eight upstream calls.
    """
    _refuse_a_nodes(region)
    if not catalogue.has_region(region):
        yield f"region {region}", lambda: catalogue.create_region(region)
    yield from _steps_for(catalogue, region, COMPUTE, url)
    yield from _steps_for(catalogue, region, IDENTITY, keystone_v3(settings.KEYSTONE_URL))


def _steps_for(catalogue: KeystoneCatalogue, region: str, kind: str, url: str) -> Iterator[Step]:
    if not catalogue.service_of(kind):
        yield f"a service of the type {kind}", lambda: catalogue.create_service(kind)
    there = catalogue.endpoint(region, kind)
    if there is None:
        yield (
            f"{kind} endpoint {url} in {region}",
            lambda: catalogue.create_endpoint(region, catalogue.service_of(kind), url),
        )
    elif there.url != url:
        yield f"{kind} endpoint {url} in {region}, instead of {there.url}", partial(catalogue.move_endpoint, there, url)


def steps_to_remove(*, catalogue: KeystoneCatalogue, region: str) -> Iterator[Step]:
    """Yield the changes that remove the endpoints, and the region unless it has other endpoints.

    Raises and cost: as `steps_to_register`.
    """
    _refuse_a_nodes(region)
    found = {kind: there for kind in (COMPUTE, IDENTITY) if (there := catalogue.endpoint(region, kind))}
    is_ours_alone = catalogue.has_region(region) and catalogue.has_no_other(region, found.values())
    for kind, there in found.items():
        yield f"{kind} endpoint {there.url} in {region}", partial(catalogue.delete_endpoint, there)
    if is_ours_alone:
        yield f"region {region}", lambda: catalogue.delete_region(region)


def _refuse_a_nodes(region: str) -> None:
    for infrastructure in Infrastructure.objects.all():
        if region in (infrastructure.region_name, infrastructure.name):
            raise Conflict(f"{region} is the region of the node {infrastructure}, whose own Nova is there.")
