"""A flavor's way from one cloud's Nova into the catalogue and into other clouds, and out again.

A private flavor lives only in Novas; publishing puts it into the catalogue. Nova comes first, then
the record. If a request fails in between, what it created in Nova is deleted again.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from rest_framework.exceptions import PermissionDenied, ValidationError

from flavors.catalogue import recording, services, sightings
from flavors.catalogue.outcomes import Came
from flavors.lifecycle.installing import install_flavor
from flavors.lifecycle.private import (
    PrivateFlavor,
    can_be_finished,
    find_private,
    require_settled,
    require_unpublished,
    resized,
    still_the_same,
)
from flavors.lifecycle.reading import find_in_catalogue
from flavors.lifecycle.rights import (
    chosen_nodes,
    named_nodes,
    operated_nodes,
    require_operator,
    require_own,
    require_promotable,
    unprivileged,
)
from flavors.lifecycle.together import alone_in, raise_first, raise_partly, taken_back
from flavors.models import Flavor
from flavors.permissions import PROMOTE
from flavorsync_project.api.errors import Conflict
from identity.callers import Caller
from infrastructures.clouds import Outcome
from infrastructures.commits import again_when_not_written, read_certainly
from infrastructures.models import Infrastructure
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.changes import create_in_each_cloud, delete_in_each_cloud

SIZES = ("name", "vcpus", "ram", "disk", "swap")


def create_flavor(*, user: Caller, values: Mapping[str, Any]) -> Flavor | PrivateFlavor:
    """Create a flavor in nodes that *user* operates, in all of them or in none; publish it if it is `public`.

    Args:
        values: the members of a flavor; without `nodes`, the one node that *user* operates is meant.

    Raises:
        PermissionDenied: *user* is no operator, or does not operate one of the nodes.
        ValidationError: `nodes` is missing, or it is `promoted` and not `public`.
        Conflict, CloudError: the catalogue or a cloud refused.

    Cost: one to three upstream calls in each node, side by side.
    """
    require_operator(user)
    public, promoted = bool(values.get("public")), bool(values.get("promoted"))
    if promoted:
        require_promotable(user, public=public)
    infrastructures = chosen_nodes(user, values.get("nodes") or [])
    wanted = NovaFlavor(
        id=values.get("id") or str(uuid.uuid4()), **{member: values[member] for member in SIZES if member in values}
    )
    if public:
        services.require_free(name=wanted.name, flavorid=wanted.id)
    given: set[Infrastructure] = set()

    def create() -> None:
        with alone_in(infrastructures, wanted.id, name=wanted.name):
            outcomes = create_in_each_cloud(infrastructures, wanted, adopts=bool(given))
            given.update(outcome.infrastructure for outcome in outcomes if not outcome.error)
            with taken_back(wanted.id, given):
                raise_first(outcomes)
                if public:
                    _publish(wanted, infrastructures, promoted=promoted)

    again_when_not_written(create)
    return _published(wanted) if public else PrivateFlavor(wanted, tuple(infrastructures))


def update_flavor(
    *, user: Caller, flavorid: str, node: str | None, changes: Mapping[str, Any]
) -> Flavor | PrivateFlavor:
    """Publish, promote, install or resize a flavor, or do several of these, in the order that makes sense.

    Raises:
        Unauthorized: *user* may not promote.
        PermissionDenied: *user* may not change the flavor or a node.
        NotFound: *user* sees no such flavor.
        ValidationError: a flavor that is not public cannot be promoted.
        Conflict, CloudError, PartlyDone: the catalogue or a cloud refused.

    Cost: as `find_flavor`, and some upstream calls in each changed node, side by side.
    """
    if changes.get("promoted") and changes.get("public") is False:
        raise ValidationError({"promoted": ["a flavor that is not public cannot be promoted"]})
    if changes.get("promoted") and not user.has_perm(PROMOTE) and not _is_promoted(flavorid):
        raise unprivileged()
    if not user.has_perm(PROMOTE):
        require_operator(user)
    found = _find_to_change(user, flavorid, node)
    if isinstance(found, Flavor):
        return _update_published(user, found, changes)
    return _update_private(user, found, changes)


def delete_flavor(*, user: Caller, flavorid: str, node: str | None) -> None:
    """Remove a flavor from the nodes that *user* operates, or from one of them.

    A flavor of the catalogue leaves it with its last node, unless it is promoted.

    Raises:
        PermissionDenied: *user* does not operate a node that has it.
        NotFound: *user* sees no such flavor.
        Conflict: private flavors with this id differ, and `node` does not say which one is meant.
        PartlyDone: some of the nodes failed; it is gone from the others.

    Cost: as `find_flavor`, and one upstream call in each of the nodes, side by side.
    """
    require_operator(user)
    found = _find_to_change(user, flavorid, node)
    if isinstance(found, Flavor):
        _delete_published(user, found, node)
    else:
        _delete_private(found)


# A published flavor


def _update_published(user: Caller, flavor: Flavor, changes: Mapping[str, Any]) -> Flavor:
    operated = {infrastructure.name for infrastructure in operated_nodes(user)}
    is_theirs = not operated.isdisjoint(flavor.nodes)
    takes_back = changes.get("public") is False or (flavor.promoted and changes.get("promoted") is False)
    resizes = any(member in changes and changes[member] != getattr(flavor, member) for member in SIZES)
    if (takes_back or resizes) and not is_theirs and not user.has_perm(PROMOTE):
        raise PermissionDenied(f"You do not operate a node that has the flavor {flavor.flavorid}.")
    if takes_back:
        raise Conflict("A published flavor stays public, and a promoted one promoted.")
    if resizes:
        raise Conflict("A published flavor keeps its name and sizes.")
    # In somebody else's node the record that it is there is enough; the user's own nodes are asked.
    nodes = [name for name in changes.get("nodes") or () if name not in flavor.nodes or name in operated]
    if nodes:
        install(user=user, flavor=flavor, nodes=nodes)
    if changes.get("promoted"):
        services.promote(flavor=flavor)
    return Flavor.objects.with_nodes().get(pk=flavor.pk)


def install(*, user: Caller, flavor: Flavor, nodes: Sequence[str]) -> list[Outcome[Came]]:
    """Install a flavor of the catalogue in nodes that *user* operates, and return how each came to have it.

    Raises:
        Conflict: there is no node with one of the names.
        PermissionDenied: one of them is not the user's.
        NotFound, CloudError, PartlyDone: as `install_flavor`, or a cloud refused.
    """
    outcomes = install_flavor(flavor=flavor, infrastructures=named_nodes(user, nodes))
    raise_partly(outcomes, verb="Installed")
    return outcomes


def _delete_published(user: Caller, flavor: Flavor, node: str | None) -> None:
    """Delete it in the nodes that have it, and in those that had it: what was last seen may no longer be true."""
    infrastructures = _known_in(flavor, operated_nodes(user, node))
    if not infrastructures:
        where = f"the node {node}" if node else "a node that has it"
        raise PermissionDenied(f"You do not operate {where}.")

    def delete() -> list[Outcome[bool]]:
        with ExitStack() as locks:
            for infrastructure, flavorid in _known_in(flavor, infrastructures).items():
                locks.enter_context(alone_in([infrastructure], flavorid))
            known = _known_in(flavor, infrastructures)
            outcomes = delete_in_each_cloud(known)
            gone = [outcome.infrastructure for outcome in outcomes if not outcome.error]
            recording.forget_installations(flavor=flavor, infrastructures=gone)
        return outcomes

    raise_partly(again_when_not_written(delete), verb="Deleted")


def _known_in(flavor: Flavor, infrastructures: Collection[Infrastructure]) -> dict[Infrastructure, str]:
    """Return the ids under which the flavor is recorded in these clouds now; they may change until it is locked."""
    by_key = {infrastructure.pk: infrastructure for infrastructure in infrastructures}
    known = sightings.known_ids(infrastructures)
    return {by_key[node]: flavorid for (which, node), flavorid in known.items() if which == flavor.pk}


# A private flavor


def _delete_private(variants: Sequence[PrivateFlavor]) -> None:
    if len(variants) > 1:
        raise _ambiguous(variants)
    (flavor,) = variants
    with alone_in(flavor.infrastructures, flavor.id):
        require_unpublished(flavor)
        outcomes = delete_in_each_cloud(dict.fromkeys(flavor.infrastructures, flavor.id))
    raise_partly(outcomes, verb="Deleted")


def _update_private(
    user: Caller, variants: Sequence[PrivateFlavor], changes: Mapping[str, Any]
) -> Flavor | PrivateFlavor:
    promoted, public = bool(changes.get("promoted")), bool(changes.get("public"))
    if promoted:
        require_promotable(user, public=public)
    sizes = {member: changes[member] for member in SIZES if member in changes}
    if len(variants) > 1 and not can_be_finished(variants, sizes):
        raise _ambiguous(variants)
    there = {name for variant in variants for name in variant.nodes}
    added = named_nodes(user, [name for name in changes.get("nodes") or () if name not in there])
    if public:
        services.require_free(name=sizes.get("name", variants[0].name), flavorid=variants[0].id)
    flavor = resized(user, variants, sizes)
    if not (added or public):
        return flavor
    infrastructures = [*flavor.infrastructures, *added]
    given: set[Infrastructure] = set()

    def install_and_publish() -> NovaFlavor:
        with alone_in(infrastructures, flavor.id, name=flavor.name):
            wanted = still_the_same(flavor)
            outcomes = create_in_each_cloud(added, wanted, adopts=True)
            given.update(outcome.infrastructure for outcome in outcomes if outcome.result)
            raise_partly(outcomes, verb="Installed")
            if public:
                with taken_back(flavor.id, given):
                    _publish(wanted, infrastructures, promoted=promoted)
            return wanted

    wanted = again_when_not_written(install_and_publish)
    return _published(wanted) if public else PrivateFlavor(wanted, tuple(infrastructures))


def _publish(wanted: NovaFlavor, infrastructures: Sequence[Infrastructure], *, promoted: bool) -> None:
    flavor = Flavor.from_nova(wanted, public=True, promoted=promoted)
    journal.want(infrastructures, [wanted])
    services.publish(flavor=flavor, infrastructures=infrastructures)


def _published(wanted: NovaFlavor) -> Flavor:
    """Return what was just published; from here on nothing is undone."""
    return read_certainly(lambda: Flavor.objects.with_nodes().get(flavorid=wanted.id))


# Finding


def _find_to_change(user: Caller, flavorid: str, node: str | None) -> Flavor | list[PrivateFlavor]:
    """Return what `_find` does, for somebody who wants to change it.

    Raises:
        NotFound: *user* sees no such flavor.
        PermissionDenied: everybody sees it, but *node* is somebody else's and does not have it.
        CloudUnavailable: a replacement makes it missing in one of the nodes for now, which would be left out.
    """
    flavor = find_in_catalogue(flavorid, node)
    if flavor:
        return flavor
    if node and Flavor.objects.published().filter(flavorid=flavorid).exists():
        require_own(user, node)
    operated = operated_nodes(user, node)
    variants = find_private(operated, flavorid)
    require_settled(variants, operated)
    return variants


def _ambiguous(variants: Sequence[Flavor | PrivateFlavor]) -> Conflict:
    nodes = ", ".join(name for variant in variants for name in variant.nodes)
    return Conflict(f"The flavor {variants[0].flavorid} differs between {nodes}: name one with ?node=")


def _is_promoted(flavorid: str) -> bool:
    return Flavor.objects.promoted().filter(flavorid=flavorid).exists()
