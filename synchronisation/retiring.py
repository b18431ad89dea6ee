"""Carrying out what was retired: out of the nodes, as a deleted flavor goes, and then out of the catalogue.

Where a synchronisation has only found the flavor, it stays and is forgotten. Where it was changed, or servers use it,
it stays until that ends, or until it is forced. Each step can be repeated, so a kill between two of them costs nothing.
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
    """A node that has a flavor yet which is to leave it; `reason` is why the last run has left it there, or ""."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Retiring:
    """A flavor that is being retired, or will be from `retire_at` on, with the nodes that have it yet."""

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
            return None  # taken back, or begun by another scheduler
        retirement.begun_at = timezone.now()
        retirement.save(update_fields=["begun_at"])
        _take_out(retirement)
    return retirement.flavor


def _take_out(retirement: Retirement) -> None:
    """Write down where the flavor is to go from, and have a run over it; forget where nothing is to be done."""
    flavor = retirement.flavor
    note_removals(flavor, requested_by=retirement.requested_by)
    _forget_where_nothing_is_to_be_done(flavor)
    note_written(flavor.flavorid, written_by=retirement.requested_by)


def _forget_where_nothing_is_to_be_done(flavor: Flavor) -> None:
    removals = Removal.objects.filter(flavorid=flavor.flavorid).values("infrastructure")
    forget(flavor, list(Infrastructure.objects.filter(installations__flavor=flavor).exclude(pk__in=removals)))


def finish_done() -> list[Flavor]:
    """Delete from the catalogue what was retired and has left the last node, and return it.

    Cost: two queries; some eight for each of these.
    """
    held = Removal.objects.order_by().values("flavorid")
    done = Flavor.objects.filter(retirement__begun_at__isnull=False).exclude(flavorid__in=held)
    return [flavor for flavor in done if _finish(flavor)]


def _finish(flavor: Flavor) -> bool:
    with transaction.atomic():
        retirement = Retirement.objects.select_for_update().filter(flavor=flavor, begun_at__isnull=False).first()
        if retirement is None:
            return False  # it is kept after all
        if flavor.installations.exists():  # made by a run that was at it when this began, or installed by somebody
            _take_out(retirement)
            return False
        flavor.delete()
    return True


def retirements(nodes: Iterable[Infrastructure]) -> list[Retiring]:
    """Return what is being retired, or will be, with those of these nodes that have it yet.

    Cost: one query when there is nothing; else four.
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
