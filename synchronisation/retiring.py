"""Carrying out retirements: the flavor is removed from the nodes, like a deleted one, and then from the catalogue.

In a node where a synchronisation has only found the flavor, it stays and is forgotten. If it was changed there, or
servers use it, it stays until that ends or the removal is forced. Each step can be repeated: a crash between two steps
loses nothing.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from flavors.catalogue.sightings import forget
from flavors.models import Flavor, Retirement
from infrastructures.models import Infrastructure
from synchronisation.delivery import note_written
from synchronisation.models import Removal
from synchronisation.removing import note_removals


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A node that still has a flavor due to leave it; `reason` is why the last run left it there, or ""."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Retiring:
    """A flavor that is being retired, or will be from `retire_at` on, with the nodes that still have it."""

    flavorid: str
    name: str
    retire_at: datetime
    nodes: tuple[Kept, ...]


def begin_due() -> list[Flavor]:
    """Begin the retirements that are due, and return their flavors; a run over each follows.

    Cost: one query when none is due; else some ten for each.
    """
    due = Retirement.objects.filter(begun_at=None, retire_at__lte=timezone.now())
    begun = (_begin(pk) for pk in due.values_list("pk", flat=True))
    return [flavor for flavor in begun if flavor]


def _begin(pk: int) -> Flavor | None:
    with transaction.atomic():
        retirement = Retirement.objects.select_for_update().filter(pk=pk, begun_at=None).first()
        if retirement is None:
            return None  # it was cancelled, or another scheduler has begun it
        retirement.begun_at = timezone.now()
        retirement.save(update_fields=["begun_at"])
        _take_out(retirement)
    return retirement.flavor


def _take_out(retirement: Retirement) -> None:
    """Record the removals, request a run over the flavor, and forget it in nodes without a removal."""
    flavor = retirement.flavor
    note_removals(flavor, requested_by=retirement.requested_by)
    _forget_where_nothing_is_to_be_done(flavor)
    note_written(flavor.flavorid, written_by=retirement.requested_by)


def _forget_where_nothing_is_to_be_done(flavor: Flavor) -> None:
    removals = Removal.objects.filter(flavorid=flavor.flavorid).values("infrastructure")
    forget(flavor, list(Infrastructure.objects.filter(installations__flavor=flavor).exclude(pk__in=removals)))


def finish_done() -> list[Flavor]:
    """Delete retired flavors that have left their last node from the catalogue, and return them.

    Cost: two queries; some eight for each of these.
    """
    held = Removal.objects.order_by().values("flavorid")
    done = Flavor.objects.filter(retirement__begun_at__isnull=False).exclude(flavorid__in=held)
    return [flavor for flavor in done if _finish(flavor)]


def _finish(flavor: Flavor) -> bool:
    with transaction.atomic():
        retirement = Retirement.objects.select_for_update().filter(flavor=flavor, begun_at__isnull=False).first()
        if retirement is None:
            return False  # the retirement was cancelled
        if flavor.installations.exists():  # created by a run that was under way, or installed by somebody
            _take_out(retirement)
            return False
        flavor.delete()
    return True


def retirements(nodes: Iterable[Infrastructure]) -> list[Retiring]:
    """Return the current and future retirements, with those of these nodes that still have the flavor.

    Cost: one query when there are none; else four.
    """
    found = list(Retirement.objects.select_related("flavor"))
    if not found:
        return []
    names = {node.name for node in nodes}
    flavors = Flavor.objects.with_nodes().in_bulk([each.flavor_id for each in found])
    removals = Removal.objects.filter(flavorid__in=[flavor.flavorid for flavor in flavors.values()])
    reasons = {
        (each.flavorid, each.infrastructure.name): each.reason for each in removals.select_related("infrastructure")
    }
    return [_retiring(each, flavors[each.flavor_id], names, reasons) for each in found]


def _retiring(
    retirement: Retirement, flavor: Flavor, names: Container[str], reasons: Mapping[tuple[str, str], str]
) -> Retiring:
    return Retiring(
        flavorid=flavor.flavorid,
        name=flavor.name,
        retire_at=retirement.retire_at,
        nodes=tuple(
            Kept(name=name, reason=reasons.get((flavor.flavorid, name), "")) for name in flavor.nodes if name in names
        ),
    )
