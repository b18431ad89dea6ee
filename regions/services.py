"""A region's own flavors, read and changed in its Nova with the caller's Keystone token.

Every function first settles the replacements that were cut short in the region.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from flavors.catalogue.changes import record_change
from infrastructures.clouds import region_of
from infrastructures.models import Infrastructure
from infrastructures.openstack.entering import CallersNova
from infrastructures.openstack.errors import FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements import changes, replacing
from infrastructures.replacements.reading import raise_if_missing_for_now, read_whole


def list_flavors(*, infrastructure: Infrastructure, token: str) -> list[NovaFlavor]:
    """Return all flavors that the token may see in the region, by name, then id.

    Raises:
        TokenRefused: the region's Keystone or Nova does not accept the token.
        CloudUnavailable: the region could not be asked.

    Cost: one upstream call when warm, two queries; more while flavors are replaced there, as `read_whole`.
    """
    nova = CallersNova(region_of(infrastructure), token)
    lists = read_whole(
        [infrastructure],
        nova.list_flavors,
        settle=lambda: replacing.settle_replacements(infrastructure=infrastructure, nova=nova),
    )
    if len(lists) == 1:
        return lists[0]
    by_id = {flavor.id: flavor for flavors in lists for flavor in flavors}
    return sorted(by_id.values(), key=lambda flavor: (flavor.name, flavor.id))


def get_flavor(*, infrastructure: Infrastructure, token: str, flavorid: str) -> NovaFlavor:
    """Return one flavor of the region.

    Raises:
        FlavorNotFound: the region has none with this id that the token may see.
        TokenRefused, CloudUnavailable: as `list_flavors`; or it is missing only until its replacement is settled.

    Cost: one upstream call when warm, one query; if there is none, twice that and one more query.
    """
    nova = _contact(infrastructure, token)
    try:
        return nova.get_flavor(flavorid)
    except FlavorNotFound:
        # It may be missing because a replacement has begun meanwhile: wait until that is over.
        replacing.settle_replacements(infrastructure=infrastructure, nova=nova)
    try:
        return nova.get_flavor(flavorid)
    except FlavorNotFound:
        raise_if_missing_for_now([infrastructure], flavorid)
        raise


def create_flavor(*, infrastructure: Infrastructure, token: str, values: Mapping[str, Any]) -> NovaFlavor:
    """Create a flavor in the region from *values*, by member of `NovaFlavor`; without `id` it gets a UUID.

    We generate that UUID ourselves, to be able to read the flavor back if the response is lost.

    Raises:
        FlavorConflict: the name or the id is taken there.
        FlavorRefused, Forbidden: Nova's refusal.
        TokenRefused, CloudUnavailable: as `list_flavors`.

    Cost: as `list_flavors`, and one query, or as `record_change`.
    """
    flavor = NovaFlavor(**{**values, "id": values.get("id") or str(uuid.uuid4())})
    nova = _contact(infrastructure, token)
    created = changes.create_flavor(infrastructure=infrastructure, nova=nova, flavor=flavor)
    record_change(infrastructure=infrastructure, nova=nova, flavorid=created.id, has=created)
    return created


def update_flavor(
    *, infrastructure: Infrastructure, token: str, flavorid: str, changes: Mapping[str, Any], requested_by: str
) -> NovaFlavor:
    """Change some of a flavor's values and keep the others; see `replace_flavor`.

    Raises and cost: as `infrastructures.replacements.replacing.replace_flavor`, and one query, or as `record_change`.
    """
    nova = _contact(infrastructure, token)
    changed = replacing.replace_flavor(
        infrastructure=infrastructure, nova=nova, flavorid=flavorid, changes=changes, requested_by=requested_by
    )
    record_change(infrastructure=infrastructure, nova=nova, flavorid=flavorid, has=changed)
    return changed


def delete_flavor(*, infrastructure: Infrastructure, token: str, flavorid: str) -> None:
    """Delete a flavor from the region.

    Raises:
        FlavorNotFound: the region has none with this id that the token may see.
        Forbidden: Nova does not let the token delete it.
        TokenRefused, CloudUnavailable: as `list_flavors`.

    Cost: as `list_flavors`, and one query, or as `record_change`.
    """
    nova = _contact(infrastructure, token)
    changes.delete_flavor(infrastructure=infrastructure, nova=nova, flavorid=flavorid)
    record_change(infrastructure=infrastructure, nova=nova, flavorid=flavorid, has=None)


def _contact(infrastructure: Infrastructure, token: str) -> Nova:
    nova = CallersNova(region_of(infrastructure), token)
    replacing.settle_replacements(infrastructure=infrastructure, nova=nova)
    return nova
