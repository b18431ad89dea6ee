"""Exceptions: promoted flavors that the synchronisation leaves alone in a node, each with a reason."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db import transaction
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
    _require_reason(reason)
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


def ignore_several(*, cells: Collection[Key], reason: str, ignored_by: str) -> list[Key]:
    """Have the synchronisation leave flavors alone in nodes; return what was not ignored before.

    Flavors that are no longer promoted, or are being retired, are passed over.

    Raises:
        ValidationError: there is no reason.

    Cost: three queries in one transaction.
    """
    _require_reason(reason)
    with transaction.atomic():
        wanted = set(Flavor.objects.wanted_in_nodes().filter(pk__in=_flavors(cells)).values_list("pk", flat=True))
        known = {(row.flavor_id, row.infrastructure_id) for row in _rows(cells)}
        new = [cell for cell in dict.fromkeys(cells) if cell[0] in wanted and cell not in known]
        IgnoredFlavor.objects.bulk_create(
            [
                IgnoredFlavor(flavor_id=flavor, infrastructure_id=node, reason=reason.strip(), ignored_by=ignored_by)
                for flavor, node in new
            ],
            ignore_conflicts=True,
        )
    return new


def heed_several(*, cells: Collection[Key]) -> list[Key]:
    """Take exceptions back; return those that there were. Cost: two queries in one transaction."""
    with transaction.atomic():
        rows = _rows(cells)
        IgnoredFlavor.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return [(row.flavor_id, row.infrastructure_id) for row in rows]


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": ["Say why the flavor is to be ignored."]})


def _rows(cells: Collection[Key]) -> list[IgnoredFlavor]:
    """Return the exceptions that there are for these cells. One query."""
    nodes = {node for _, node in cells}
    rows = IgnoredFlavor.objects.filter(flavor__in=_flavors(cells), infrastructure__in=nodes)
    return [row for row in rows if (row.flavor_id, row.infrastructure_id) in cells]


def _flavors(cells: Collection[Key]) -> set[int]:
    return {flavor for flavor, _ in cells}


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
