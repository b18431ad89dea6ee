"""Which node has which flavor, as it was last compared: what the coverage map shows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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
    states: Sequence[str]


@dataclass(frozen=True)
class Coverage:
    """The map. A state is one of `SyncOutcome.State`, or `RECORDED` or `UNRECORDED` where nothing was compared."""

    nodes: Sequence[Node]
    rows: Sequence[Row]

    @property
    def counts(self) -> Counter[str]:
        """Return how many cells are in each state."""
        return Counter(state for row in self.rows for state in row.states)

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
    compared, states = _last_states()
    installed = set(Installation.objects.order_by().values_list("flavor_id", "infrastructure_id"))
    rows = []
    for pk, flavorid, name, is_promoted in flavors:
        of_flavor = states.get(flavorid, {})
        rows.append(
            Row(
                pk,
                name,
                is_promoted,
                [of_flavor.get(key) or (RECORDED if (pk, key) in installed else UNRECORDED) for key, _ in nodes],
            )
        )
    return Coverage([Node(pk, name, compared.get(pk)) for pk, name in nodes], rows)


def last_outcome(*, flavor: Flavor, infrastructure: Infrastructure) -> SyncOutcome | None:
    """Return what a run last found of the flavor in the node, None when it was never compared there. One query."""
    outcomes = SyncOutcome.objects.filter(node__infrastructure=infrastructure, flavorid=flavor.flavorid)
    return outcomes.select_related("node__run").order_by("-pk").first()


def _last_states() -> tuple[dict[int, datetime], dict[str, dict[int, str]]]:
    """Return when each node was last compared whole, and each flavor's last state in it, by id and node.

    A run over some flavors alone adds to what the last one over all of them has found.
    """
    compared = SyncNode.objects.filter(compared_at__isnull=False, infrastructure__isnull=False).order_by()
    whole = compared.filter(run__flavorids=[]).values("infrastructure").annotate(latest=Max("pk"))
    latest = dict(whole.values_list("infrastructure", "latest"))
    parts = compared.exclude(run__flavorids=[]).filter(pk__gt=min(latest.values(), default=0))
    node_of = {
        pk: infrastructure
        for pk, infrastructure in parts.values_list("pk", "infrastructure")
        if pk > latest.get(infrastructure, 0)
    } | {pk: infrastructure for infrastructure, pk in latest.items()}
    ages = {
        infrastructure: compared_at
        for infrastructure, compared_at in compared.filter(pk__in=latest.values()).values_list(
            "infrastructure", "compared_at"
        )
        if compared_at
    }
    states: dict[str, dict[int, str]] = {}
    outcomes = SyncOutcome.objects.filter(node__in=node_of).order_by("pk")
    for node, flavorid, state, result in outcomes.values_list("node_id", "flavorid", "state", "result"):
        repaired = result == SyncOutcome.Result.DONE
        states.setdefault(flavorid, {})[node_of[node]] = State.IN_SYNC.value if repaired else state
    return ages, states
