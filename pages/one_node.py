"""The data of a node's page, as the node was last seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from flavors.admin.looks import LOOKS, Look
from flavors.models import Flavor
from infrastructures.models import Infrastructure, Replacement
from pages.charts import Line, percentages
from pages.differences import Told, told
from pages.nodes import NodeLook, looks
from synchronisation.models import IgnoredFlavor, Removal, SyncNode
from synchronisation.selecting import FINE
from synchronisation.summary import known_flavors, sightings_now, summaries
from synchronisation.trend import Day, trend

DAYS = 30
# The most differences, and the most of the last runs, that a page shows
DIFFERENCES, RUNS = 200, 8


@dataclass(frozen=True)
class Amiss:
    """A flavor that is not in sync in the node, and since when."""

    pk: int
    flavorid: str
    name: str
    look: Look
    since: datetime
    differences: Sequence[Told]


@dataclass(frozen=True)
class Health:
    """A day of the strip that shows how well the node could be reached."""

    day: date
    colour: str
    words: str


@dataclass(frozen=True, kw_only=True)
class OneNode:
    """What a node's page shows."""

    look: NodeLook
    figures: Sequence[tuple[Look, int]]
    amiss: Sequence[Amiss]
    ignored: Sequence[IgnoredFlavor]
    runs: Sequence[SyncNode]
    changes: Sequence[Replacement]
    removals: Sequence[Removal]
    chart: Line | None
    strip: Sequence[Health]


def one_node(node: Infrastructure) -> OneNode:
    """Return the data of a node's page, without asking the node.

    Cost: twelve queries; two more where anything is ignored.
    """
    flavors = known_flavors(Flavor.objects.wanted_in_nodes())
    (summary,) = summaries(Infrastructure.objects.all(), flavors, only=node.pk)
    (look,) = looks([summary])
    by_key = {flavor.pk: flavor for flavor in flavors}
    ignored = node.ignored_flavors.select_related("flavor").order_by("flavor__name")
    seen = sightings_now(flavors).filter(infrastructure=node).exclude(now__in=FINE).order_by("flavor__name")
    seen = seen.exclude(flavor__in=ignored.order_by().values("flavor"))
    columns = ("flavor", "now", "since", "differences")
    days = trend(days=DAYS, node=node.pk)
    return OneNode(
        look=look,
        figures=[(LOOKS[state], summary.counts[state]) for state in LOOKS if summary.counts[state]],
        amiss=[
            Amiss(pk, by_key[pk].flavorid, by_key[pk].name, LOOKS[state], since, told(differences))
            for pk, state, since, differences in seen.values_list(*columns)[:DIFFERENCES]
        ],
        ignored=list(ignored[:DIFFERENCES]),
        runs=list(SyncNode.objects.filter(infrastructure=node).select_related("run").order_by("-run_id", "-pk")[:RUNS]),
        changes=list(node.replacements.all()[:RUNS]),
        removals=list(node.removals.all()[:RUNS]),
        chart=percentages([(day.day, day.per_cent) for day in days]),
        strip=[_health(day) for day in days],
    )


def _health(day: Day) -> Health:
    if not day.looks:
        return Health(day.day, "blank", "not known")
    if not day.looks_away:
        return Health(day.day, "good", "reachable")
    away = 100 * day.looks_away / day.looks
    return Health(day.day, "differs" if away > 50 else "missing", f"away {away:.0f} % of the day")
