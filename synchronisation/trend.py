"""The daily state of nodes: recorded by the scheduler, and read for the charts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F, Sum
from django.utils import timezone

from flavors.catalogue.states import RECORDED, UNRECORDED
from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from synchronisation.models import NodeDay
from synchronisation.summary import NodeSummary, known_flavors, summaries

State = Sighting.State

BETWEEN_NOTES = timedelta(minutes=10)
KEPT = timedelta(days=400)
# Not counted: what is not known, and what is ignored
UNKNOWN = (State.UNREACHABLE.value, State.IGNORED.value, RECORDED, UNRECORDED)


@dataclass(frozen=True)
class Day:
    """A day: how many of its flavors were in sync, and how many of its looks at nodes found them unreachable."""

    day: date
    flavors: int
    in_sync: int
    looks: int
    looks_away: int

    @property
    def per_cent(self) -> float | None:
        """The percentage of flavors in sync, or None if nothing was known."""
        return 100 * self.in_sync / self.flavors if self.flavors else None


def known(node: NodeSummary) -> int:
    """Return the number of flavors whose state in the node is known, and not ignored."""
    return node.counts.total() - sum(node.counts[state] for state in UNKNOWN)


def note_when_due() -> bool:
    """Record the state of every node, unless that was done within `BETWEEN_NOTES`; return whether it was due.

    Cost: one query; when due, also those of `summaries`, and a handful for each distinct share of flavors in sync.
    """
    now = timezone.now()
    if NodeDay.objects.filter(noted_at__gt=now - BETWEEN_NOTES).exists():
        return False
    found = summaries(Infrastructure.objects.all(), known_flavors(Flavor.objects.wanted_in_nodes()))
    _note(found, now)
    NodeDay.objects.filter(day__lt=now.date() - KEPT).delete()
    return True


def _note(nodes: Sequence[NodeSummary], now: datetime) -> None:
    days = NodeDay.objects.filter(day=now.date())
    there = set(days.values_list("infrastructure", flat=True))
    NodeDay.objects.bulk_create(
        [NodeDay(infrastructure_id=node.pk, day=now.date(), noted_at=now) for node in nodes if node.pk not in there],
        ignore_conflicts=True,  # another scheduler may create them at the same time
    )
    days.update(looks=F("looks") + 1, noted_at=now)
    days.filter(infrastructure__in=[node.pk for node in nodes if node.unreachable_at]).update(
        looks_away=F("looks_away") + 1
    )
    alike = defaultdict(list)
    for node in nodes:
        alike[known(node), node.counts[State.IN_SYNC.value]].append(node.pk)
    for (flavors, in_sync), keys in alike.items():
        days.filter(infrastructure__in=keys).update(flavors=flavors, in_sync=in_sync)


def trend(*, days: int, node: int | None = None) -> list[Day]:
    """Return the last *days* days up to today, of one node or of all nodes together. Cost: one query."""
    first = timezone.now().date() - timedelta(days=days - 1)
    found = NodeDay.objects.order_by().filter(day__gte=first)
    if node is not None:
        found = found.filter(infrastructure=node)
    sums = found.values_list("day").annotate(*(Sum(name) for name in ("flavors", "in_sync", "looks", "looks_away")))
    by_day = {day: figures for day, *figures in sums}
    return [
        Day(day, *by_day.get(day, (0, 0, 0, 0))) for day in (first + timedelta(days=number) for number in range(days))
    ]
