"""The data of a flavor's page: its state in the nodes, as last seen, and its last outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from flavors.admin.looks import LOOKS, Look
from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from pages.differences import Told, told
from synchronisation.models import SyncOutcome
from synchronisation.summary import known_flavors, summaries

# The most nodes in each state, and the most of the last outcomes, that a page shows
NODES, OUTCOMES = 60, 8


@dataclass(frozen=True)
class There:
    """A node, since when the flavor has its state there, and what differs."""

    pk: int
    name: str
    since: datetime | None
    differences: Sequence[Told]


@dataclass(frozen=True)
class Share:
    """The nodes that have the flavor in the same state; `nodes` are the first `NODES` of them."""

    look: Look
    count: int
    nodes: Sequence[There]

    @property
    def more(self) -> int:
        """The number of further nodes."""
        return self.count - len(self.nodes)


def in_nodes(flavor: Flavor) -> list[Share]:
    """Return the nodes by the state of a flavor there; no cloud is asked. Cost: five queries."""
    flavors = known_flavors(Flavor.objects.filter(pk=flavor.pk))
    by_state: dict[str, list[tuple[int, str]]] = {state: [] for state in LOOKS}
    for node in summaries(Infrastructure.objects.all(), flavors):
        for state in node.counts:
            if node.counts[state]:
                by_state[state].append((node.pk, node.name))
    columns = ("infrastructure", "since", "differences")
    seen = {pk: rest for pk, *rest in Sighting.objects.filter(flavor=flavor).order_by().values_list(*columns)}
    return [
        Share(
            LOOKS[state],
            len(nodes),
            [
                There(pk, name, seen[pk][0], told(seen[pk][1])) if pk in seen else There(pk, name, None, ())
                for pk, name in nodes[:NODES]
            ],
        )
        for state, nodes in by_state.items()
        if nodes
    ]


def last_outcomes(flavor: Flavor, *, among: QuerySet[Infrastructure] | None) -> list[SyncOutcome]:
    """Return the last outcomes of a flavor in runs, in all nodes (None) or among these. Cost: one query."""
    outcomes = SyncOutcome.objects.of_flavor(flavor.flavorid).select_related("node__run")
    if among is not None:
        outcomes = outcomes.filter(node__infrastructure__in=among)
    return list(outcomes.latest_first()[:OUTCOMES])
