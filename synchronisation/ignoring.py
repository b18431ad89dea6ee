"""Exceptions: promoted flavors that the synchronisation leaves alone in a node, each with a reason."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from rest_framework.exceptions import ValidationError

from flavors.models import Flavor
from flavorsync_project.api.errors import Conflict
from infrastructures.models import Infrastructure
from synchronisation.models import IgnoredFlavor

Key = tuple[int, int]
"""A flavor's key, and an infrastructure's."""


def ignore(*, flavor: Flavor, infrastructure: Infrastructure, reason: str, ignored_by: str) -> IgnoredFlavor:
    """Have the synchronisation leave a flavor alone in a node from now on.

    A step that a run is at in that moment is still taken.

    Raises:
        ValidationError: there is no reason.
        Conflict: the flavor is not promoted, is being retired, or is ignored there already.

    Cost: some four queries.
    """
    if not reason.strip():
        raise ValidationError({"reason": ["Say why the flavor is to be ignored."]})
    if not Flavor.objects.wanted_in_nodes().filter(pk=flavor.pk).exists():
        raise Conflict(f"{flavor} is not brought to nodes: there is nothing to ignore.")
    ignored, is_new = IgnoredFlavor.objects.get_or_create(
        flavor=flavor, infrastructure=infrastructure, defaults={"reason": reason.strip(), "ignored_by": ignored_by}
    )
    if not is_new:
        raise Conflict(f"{flavor} is ignored in {infrastructure} already.")
    return ignored


def heed(*, flavor: Flavor, infrastructure: Infrastructure) -> None:
    """Take an exception back; the next run repairs the flavor there.

    Raises:
        Conflict: there is none.

    Cost: one query.
    """
    gone, _ = IgnoredFlavor.objects.filter(flavor=flavor, infrastructure=infrastructure).delete()
    if not gone:
        raise Conflict(f"{flavor} is not ignored in {infrastructure}.")


def told(ignored: IgnoredFlavor) -> str:
    """Return who ignores a flavor in a node, and why, in one sentence."""
    by = f" by {ignored.ignored_by}" if ignored.ignored_by else ""
    return f"Ignored{by} since {ignored.created_at:%Y-%m-%d}: {ignored.reason}"


def reasons(infrastructures: Collection[Infrastructure]) -> Mapping[Key, str]:
    """Return what is ignored in these nodes, and why. Cost: one query."""
    rows = IgnoredFlavor.objects.order_by().filter(infrastructure__in=infrastructures)
    return {(row.flavor_id, row.infrastructure_id): told(row) for row in rows}


def ignored_in(infrastructures: Collection[int] | None = None) -> Mapping[int, set[int]]:
    """Return the keys of the flavors that are ignored, by those of the nodes. Cost: one query.

    Args:
        infrastructures: the keys of the only nodes to read.
    """
    rows = IgnoredFlavor.objects.order_by()
    if infrastructures is not None:
        rows = rows.filter(infrastructure__in=infrastructures)
    found: dict[int, set[int]] = defaultdict(set)
    for node, flavor in rows.values_list("infrastructure", "flavor"):
        found[node].add(flavor)
    return found
