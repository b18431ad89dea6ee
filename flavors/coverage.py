"""Which node has which flavor, as it was last compared: what the coverage map shows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.db.models import Max

from flavors.models import Flavor, Installation, SyncNode, SyncOutcome
from infrastructures.models import Infrastructure

State = SyncOutcome.State

# What there is to say of a flavor that was not compared: by the catalogue's own record
RECORDED = "recorded"
UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True)
class Node:
    """A column of the map; without `compared_at` it was never compared."""

    pk: int
    name: str
    compared_at: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """A flavor, and its state in each node, in the order of the map's nodes."""

    pk: int
    name: str
    promoted: bool
    states: list[str]


@dataclass(frozen=True)
class Coverage:
    """The map. A state is one of `SyncOutcome.State`, or `RECORDED` or `UNRECORDED` where nothing was compared."""

    nodes: Sequence[Node]
    rows: Sequence[Row]

    @property
    def counts(self) -> Counter[str]:
        """Return how many cells are in each state."""
        return Counter(chain.from_iterable(row.states for row in self.rows))

    @property
    def oldest(self) -> datetime | None:
        """Return when the node was compared whose comparison is the oldest."""
        return min((node.compared_at for node in self.nodes if node.compared_at), default=None)


def coverage(*, promoted: bool = True, flavor: str = "", node: str = "") -> Coverage:
    """Return the coverage of the promoted flavors, or of all public ones, by nodes.

    Args:
        promoted: whether those alone that every node should have.
        flavor: what the names of the flavors hold, in any case.
        node: what the names of the nodes hold, in any case.

    Cost: seven queries.
    """
    # Names are compared here: a collation by code point knows no case.
    flavors = [
        each
        for each in Flavor.objects.published()
        .in_state(promoted=promoted or None, node=None)
        .values_list("pk", "flavorid", "name", "promoted")
        if flavor.lower() in each[2].lower()
    ]
    nodes = [each for each in Infrastructure.objects.values_list("pk", "name") if node.lower() in each[1].lower()]
    rows = [Row(pk, name, is_promoted, [UNRECORDED] * len(nodes)) for pk, _, name, is_promoted in flavors]
    column_of = {pk: column for column, (pk, _) in enumerate(nodes)}
    _fill_with_record({row.pk: row.states for row in rows}, column_of)
    compared = _fill_with_outcomes(
        {flavorid: row.states for (_, flavorid, _, _), row in zip(flavors, rows, strict=True)}, column_of
    )
    return Coverage([Node(pk, name, compared.get(pk)) for pk, name in nodes], rows)


def last_outcome(*, flavor: Flavor, infrastructure: Infrastructure) -> SyncOutcome | None:
    """Return what a run last found of the flavor in the node, None when it was never compared there. One query."""
    outcomes = SyncOutcome.objects.filter(node__infrastructure=infrastructure, flavorid=flavor.flavorid)
    return outcomes.select_related("node__run").order_by("-pk").first()


# There are thousands of cells: each is looked up twice and written, and that is all.


def _fill_with_record(states_of: Mapping[int, list[str]], column_of: Mapping[int, int]) -> None:
    """Mark where the catalogue says that flavors are; one query."""
    installed = Installation.objects.order_by().filter(flavor__public=True)
    for flavor, infrastructure in installed.values_list("flavor_id", "infrastructure_id"):
        if flavor in states_of and infrastructure in column_of:
            states_of[flavor][column_of[infrastructure]] = RECORDED


def _fill_with_outcomes(states_of: Mapping[str, list[str]], column_of: Mapping[int, int]) -> dict[int, datetime]:
    """Mark what runs found, and return when each node was last compared whole; four queries.

    A run over some flavors alone adds to what the last one over all of them has found.
    """
    compared = SyncNode.objects.filter(compared_at__isnull=False, infrastructure__isnull=False).order_by()
    whole = compared.whole().values("infrastructure").annotate(latest=Max("pk"))
    latest = dict(whole.values_list("infrastructure", "latest"))
    parts = compared.exclude(run__flavorids=[]).filter(pk__gt=min(latest.values(), default=0))
    later = {pk: node for pk, node in parts.values_list("pk", "infrastructure") if pk > latest.get(node, 0)}
    node_of = {pk: node for node, pk in latest.items()} | later
    columns = {pk: column_of[node] for pk, node in node_of.items() if node in column_of}
    outcomes = SyncOutcome.objects.filter(node__in=columns).order_by("pk")
    done, in_sync = SyncOutcome.Result.DONE.value, State.IN_SYNC.value
    for node, flavorid, state, result in outcomes.values_list("node_id", "flavorid", "state", "result"):
        if flavorid in states_of:
            states_of[flavorid][columns[node]] = in_sync if result == done else state
    ages = compared.filter(pk__in=latest.values()).values_list("infrastructure", "compared_at")
    return {node: at for node, at in ages if at is not None}
