"""What everybody may know of a public flavor's past: when it came to the catalogue and to nodes, and was changed there.

It names no people, no reasons, no runs, and no value that a node had: those are for the staff.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min
from django.db.models.functions import TruncDate

from flavors.models import Flavor, Installation
from synchronisation.models import SyncOutcome

Action = SyncOutcome.Action

# The most lines that a page shows, and the most of the last outcomes that are read for them
LINES, OUTCOMES = 20, 500
# A flavor that was saved this much later was changed; sooner, it was only made
AT_ONCE = timedelta(minutes=1)
DONE = {Action.UPDATE.value: "changed in place", Action.REPLACE.value: "replaced"}


@dataclass(frozen=True)
class Past:
    """Something that has happened to a flavor, and when."""

    when: datetime
    words: str


def public_history(flavor: Flavor) -> Sequence[Past]:
    """Return the last things that happened to a public flavor, the newest first. Cost: two queries."""
    told = [*_in_the_catalogue(flavor), *_came(flavor), *_changed(flavor)]
    return sorted(told, key=lambda past: past.when, reverse=True)[:LINES]


def _in_the_catalogue(flavor: Flavor) -> Iterator[Past]:
    yield Past(flavor.created_at, "came to the catalogue")
    if flavor.updated_at - flavor.created_at > AT_ONCE:
        yield Past(flavor.updated_at, "last changed in the catalogue")


def _came(flavor: Flavor) -> Iterator[Past]:
    """Yield when it came to the nodes that have it, those of a day together."""
    here = Installation.objects.filter(flavor=flavor).order_by()
    days = here.values(day=TruncDate("installed_at")).annotate(
        count=Count("pk"), one=Min("infrastructure__name"), when=Max("installed_at")
    )
    for day in days.order_by("-day")[:LINES]:
        yield Past(day["when"], f"came to {_where(day['count'], day['one'])}")


def _changed(flavor: Flavor) -> Iterator[Past]:
    """Yield what synchronisation runs have changed, the nodes of a run together."""
    rows = SyncOutcome.objects.of_flavor(flavor.flavorid).filter(
        result=SyncOutcome.Result.DONE, action__in=DONE, node__finished_at__gte=flavor.created_at
    )
    columns = ("node__run", "action", "node__name", "node__finished_at")
    runs: dict[tuple[int, str], list[tuple[str, datetime]]] = {}
    for run, action, node, when in rows.order_by("-pk").values_list(*columns)[:OUTCOMES]:
        runs.setdefault((run, action), []).append((node, when))
    for (_, action), nodes in runs.items():
        yield Past(max(when for _, when in nodes), f"{DONE[action]} in {_where(len(nodes), nodes[0][0])}")


def _where(count: int, one: str) -> str:
    return one if count == 1 else f"{count} nodes"
