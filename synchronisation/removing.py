"""Removing flavors from the nodes after they were deleted from the catalogue.

A flavor that a synchronisation created in a node is deleted there once no server uses it, unless somebody has changed
it there. A flavor that it only found there stays, and is forgotten.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from django.db import transaction

from flavors.catalogue.sightings import forget
from flavors.models import DroppedSpec, Flavor, Installation, Retirement
from flavorsync_project.api.errors import Conflict
from flavorsync_project.console.words import counted
from infrastructures.clouds import in_each_cloud
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, CloudUnavailable, FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements.changes import delete_flavor
from synchronisation.models import Removal, SyncOutcome

logger = logging.getLogger(__name__)


def note_removals(flavor: Flavor, *, requested_by: str) -> None:
    """Record the nodes to remove a flavor from that is about to leave the catalogue; call this in a transaction.

    Cost: seven queries.
    """
    # Also the revoked ones: that may not have reached every node.
    granted = flavor.grants.values_list("project", flat=True)
    was = replace(flavor.as_nova(), projects=tuple(granted))
    dropped = [[spec.key, spec.value] for spec in DroppedSpec.objects.filter(flavor=flavor)]
    for node in _nodes_it_was_made_in(flavor):
        Removal.objects.update_or_create(
            infrastructure_id=node,
            flavorid=flavor.flavorid,
            defaults={"was": was.as_json(), "dropped": dropped, "requested_by": requested_by, "reason": ""},
        )


def require_unused(flavor: Flavor) -> None:
    """Require that no server uses a flavor in any node that has it and that we have credentials for.

    Raises:
        Conflict: some servers do.
        CloudError: a node could not be asked.

    Cost: one query, and one upstream call for each node, in parallel.
    """
    there = {each.infrastructure: each.flavorid for each in flavor.installations.select_related("infrastructure")}
    nodes = sorted((node for node in there if node.has_credentials), key=lambda node: node.name)
    ids = {node.name: there[node] for node in nodes}
    outcomes = in_each_cloud(nodes, lambda nova: nova.count_servers(ids[nova.region.name]), retries=True)
    for outcome in outcomes:
        if outcome.error:
            raise outcome.error
    used = [f"{counted(each.result, 'server')} in {each.infrastructure}" for each in outcomes if each.result]
    if used:
        raise Conflict(f"Flavor {flavor.flavorid} is used by {', '.join(used)}.")


def _nodes_it_was_made_in(flavor: Flavor) -> set[int]:
    """Return the keys of the nodes where a synchronisation created it, or may have.

    It may have where it planned to, and no installation is recorded. Nodes that ignore it are left out: whoever made
    that exception wants the flavor left alone there.
    """
    installed = dict(Installation.objects.filter(flavor=flavor).values_list("infrastructure", "made"))
    tried = SyncOutcome.objects.order_by().filter(
        flavorid=flavor.flavorid, action=SyncOutcome.Action.CREATE, node__infrastructure__isnull=False
    )
    may_have = set(tried.exclude(result="").values_list("node__infrastructure", flat=True)) - installed.keys()
    ignoring = set(flavor.ignored_in.values_list("infrastructure", flat=True))
    return ({node for node, made in installed.items() if made} | may_have) - ignoring


def remove_deleted(*, infrastructure: Infrastructure, nova: Nova) -> list[Removal]:
    """Remove flavors from a node that were deleted from the catalogue, and return those that must stay for now.

    The reason why they must stay is recorded.

    Raises:
        CloudUnavailable: the node could not be asked.

    Cost: one query; for each of these flavors some three upstream calls and five queries.
    """
    return [removal for removal in _of(infrastructure) if not _is_done(removal, infrastructure, nova)]


def _of(infrastructure: Infrastructure) -> Iterable[Removal]:
    return list(Removal.objects.filter(infrastructure=infrastructure))


def _is_done(removal: Removal, infrastructure: Infrastructure, nova: Nova) -> bool:
    try:
        reason = _remove(removal, infrastructure, nova)
    except CloudUnavailable:
        raise
    except (CloudError, Conflict) as error:
        reason = str(error.detail)
    if reason:
        logger.warning("%s keeps flavor %s: %s", infrastructure, removal.flavorid, reason)
        Removal.objects.filter(pk=removal.pk).update(reason=reason)
        return False
    with transaction.atomic():
        Removal.objects.filter(pk=removal.pk).delete()
        # A flavor that is being retired is still in the catalogue.
        for flavor in Flavor.objects.filter(flavorid=removal.flavorid, retirement__begun_at__isnull=False):
            forget(flavor, [infrastructure])
    return True


def _remove(removal: Removal, infrastructure: Infrastructure, nova: Nova) -> str:
    """Delete the flavor, if it is there and may be deleted; return why it must stay, or "".

    Servers do not keep a flavor that another one with the same id is to replace: its creator asked for that, and the
    servers keep their values.
    """
    was = NovaFlavor.from_json(removal.was)
    wanted = Flavor.objects.wanted_in_nodes().filter(flavorid=was.id).first()
    if wanted and _could_become(wanted.as_nova(), was) and _overwrites(wanted, was, removal.dropped):
        return ""  # the catalogue has the same flavor again
    has = nova.find_flavor(removal.flavorid)
    if has is None:
        return ""
    is_forced = Retirement.objects.filter(flavor__flavorid=was.id, forced=True).exists()
    if not is_forced and not _is_as_it_was_left(has, was, removal.dropped):
        return "Somebody else has changed it there."
    if not (is_forced or wanted) and (servers := nova.count_servers(removal.flavorid)):
        return f"It is used by {counted(servers, 'server')} there."
    with suppress(FlavorNotFound):  # it has just been deleted by somebody else
        delete_flavor(infrastructure=infrastructure, nova=nova, flavorid=removal.flavorid)
    return ""


def _overwrites(wanted: Flavor, was: NovaFlavor, dropped: Iterable[Iterable[str]]) -> bool:
    """Say whether bringing a flavor to a node leaves no extra spec or grant of the old one there.

    A run takes out the extra specs and grants that the flavor itself has had: it may be the old one, still wanted.
    """
    ours = {*(was.extra_specs or {}).items(), *((key, value) for key, value in dropped)}
    left = {(key, value) for key, value in ours if key not in wanted.extra_specs}
    projects = set(was.projects or ())
    return left <= set(wanted.dropped_specs.values_list("key", "value")) and projects <= set(
        wanted.grants.values_list("project", flat=True)
    )


def _is_as_it_was_left(has: NovaFlavor, was: NovaFlavor, dropped: Iterable[Iterable[str]]) -> bool:
    """Say whether everything that a node has of a flavor came from us; extra specs that it lacks do not count."""
    ours = set((was.extra_specs or {}).items()) | {tuple(spec) for spec in dropped}
    return _could_become(has, was) and set((has.extra_specs or {}).items()) <= ours


def _could_become(flavor: NovaFlavor, other: NovaFlavor) -> bool:
    """Say whether one flavor could become the other by changes in place: only description and extra specs differ."""
    return replace(flavor, description=other.description).row == other.row
