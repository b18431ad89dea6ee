"""The federation's face in the catalogue of the central Keystone, where clients look for a Nova."""

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
"""What is to be done in the catalogue, in words, and what does it."""


def endpoint_url(public_url: str) -> str:
    """Return the endpoint of a `/compute` that is at this URL."""
    return f"{public_url.rstrip('/')}/{VERSION}"


def steps_to_register(*, catalogue: KeystoneCatalogue, region: str, url: str) -> Iterator[Step]:
    """Yield what is missing for clients to find the federation's face in a region; nothing when all is there.

    Keystone is put there, too: openstackclient looks for it in the same region.

    Raises:
        Conflict: the region is that of a node, whose own Nova would be hidden.
        CloudError: Keystone does not let the token read this, or did not answer.

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
    """Yield what is to be taken out again; a region in which there is something else stays.

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
