"""The coverage map: which node has which flavor, as last seen; read one window at a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flavors.catalogue.states import RECORDED, UNRECORDED
from flavors.catalogue.states import state_now as state_of
from flavors.models import Flavor, Installation, Sighting
from flavors.natural import natural
from infrastructures.models import Infrastructure
from synchronisation.ignoring import ignored_in
from synchronisation.models import IgnoredFlavor, LastComparison, SyncOutcome, SyncRun
from synchronisation.summary import (
    Known,
    NodeSummary,
    known_flavors,
    only_in_state,
    only_trouble,
    recorded_alone,
    sightings_now,
    summaries,
    time_of_part,
    total,
)

State = Sighting.State

ALL = slice(None)
# States that are fine, or not known to be wrong: everything in an unreachable node is unknown
NO_TROUBLE = (State.IN_SYNC.value, State.UNREACHABLE.value, RECORDED, UNRECORDED)


@dataclass(frozen=True, slots=True)
class Row:
    """A flavor and its state in each node, in the order of the window's nodes."""

    pk: int
    flavorid: str
    name: str
    promoted: bool
    states: list[str]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The map. A state is one of `SyncOutcome.State` or `CHANGED`; if nothing was seen, `RECORDED` or `UNRECORDED`.

    Members:
        nodes, rows: the contents of the window.
        all_nodes: the summaries of all selected nodes.
        flavor_count: the number of selected flavors, in the window or not.
        running: the number of a waiting or running run.
    """

    nodes: Sequence[NodeSummary]
    rows: Sequence[Row]
    all_nodes: Sequence[NodeSummary]
    flavor_count: int
    running: int | None

    @property
    def counts(self) -> Counter[str]:
        """The number of cells in each state, in the window or not."""
        return total(self.all_nodes)

    @property
    def oldest(self) -> datetime | None:
        """The time of the oldest comparison of any cell, in the window or not."""
        return min((node.compared_at for node in self.all_nodes if node.compared_at), default=None)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is known of one flavor in one node; `outcome` is the last outcome that a run recorded."""

    state: str
    ignored: IgnoredFlavor | None
    sighting: Sighting | None
    installation: Installation | None
    outcome: SyncOutcome | None
    compared_at: datetime | None


def coverage(
    *,
    promoted: bool = True,
    flavor: str = "",
    node: str = "",
    trouble: bool = False,
    state: str = "",
    rows: slice = ALL,
    columns: slice = ALL,
) -> Coverage:
    """Return the coverage of the promoted flavors, or of all public ones, by nodes.

    Args:
        promoted: whether to select promoted flavors only.
        flavor: text that the flavors' names contain, in any case.
        node: text that the nodes' names contain, in any case.
        trouble: whether to select only flavors that need attention in one of the nodes.
        state: the state that the flavors were seen in, in one of the nodes; "" is any.
        rows, columns: the window, in flavors and nodes.

    Cost: five queries, two more with *trouble* or *state*, and those of `summaries`; three of them read cells, those in
    the window only.
    """
    flavors = Flavor.objects.promoted() if promoted else Flavor.objects.published()
    # Names are compared in Python: a collation by code point is case-sensitive.
    chosen = [each for each in known_flavors(flavors) if flavor.lower() in each.name.lower()]
    chosen.sort(key=lambda each: natural(each.name))
    all_nodes = [each for each in summaries(Infrastructure.objects.all(), chosen) if node.lower() in each.name.lower()]
    if trouble:
        chosen = only_trouble(chosen, {each.pk for each in all_nodes}, NO_TROUBLE)
    if state:
        chosen = only_in_state(chosen, {each.pk for each in all_nodes}, state)
    running = SyncRun.objects.open().order_by("-created_at", "-pk").values_list("pk", flat=True).first()
    nodes = all_nodes[columns]
    return Coverage(
        nodes=nodes,
        rows=_rows(chosen[rows], nodes),
        all_nodes=all_nodes,
        flavor_count=len(chosen),
        running=running,
    )


def cell(*, flavor: Flavor, infrastructure: Infrastructure) -> Cell:
    """Return what is known of a flavor in a node. Cost: five queries."""
    ignored = IgnoredFlavor.objects.filter(flavor=flavor, infrastructure=infrastructure).first()
    sighting = Sighting.objects.filter(flavor=flavor, infrastructure=infrastructure).first()
    installation = Installation.objects.filter(flavor=flavor, infrastructure=infrastructure).first()
    last = LastComparison.objects.filter(infrastructure=infrastructure).first()
    outcomes = SyncOutcome.objects.of_flavor(flavor.flavorid).of_node(infrastructure)
    return Cell(
        state=State.IGNORED.value if ignored else _state(last, sighting, installation, flavor),
        ignored=ignored,
        sighting=sighting,
        installation=installation,
        outcome=outcomes.latest_first().first(),
        compared_at=_compared_at(last, flavor),
    )


def _compared_at(last: LastComparison | None, flavor: Flavor) -> datetime | None:
    if last is None or not flavor.promoted:
        return None
    return time_of_part(last.parts, flavor.flavorid) or last.whole_at


def _state(
    last: LastComparison | None, sighting: Sighting | None, installation: Installation | None, flavor: Flavor
) -> str:
    if last and last.unreachable_at and not (sighting and sighting.seen_at > last.unreachable_at):
        return State.UNREACHABLE.value
    if sighting:
        return state_of(sighting.state, sighting.digest, flavor.digest)
    return RECORDED if installation else UNRECORDED


def _rows(flavors: Sequence[Known], nodes: Sequence[NodeSummary]) -> list[Row]:
    """Return the flavors' rows, with a cell for each node. Three queries."""
    unseen = [State.UNREACHABLE.value if node.unreachable_at else UNRECORDED for node in nodes]
    rows = {
        flavor.pk: Row(flavor.pk, flavor.flavorid, flavor.name, flavor.promoted, unseen.copy()) for flavor in flavors
    }
    column_of = {node.pk: column for column, node in enumerate(nodes)}
    _mark_recorded(rows, column_of, recorded_alone(flavors).filter(infrastructure__in=column_of), nodes)
    seen = sightings_now(flavors).filter(infrastructure__in=column_of)
    for flavor, node, state in seen.values_list("flavor", "infrastructure", "now"):
        rows[flavor].states[column_of[node]] = state
    for node, ignored in ignored_in(column_of).items():
        for flavor in ignored & rows.keys():
            rows[flavor].states[column_of[node]] = State.IGNORED.value
    return list(rows.values())


def _mark_recorded(
    rows: Mapping[int, Row], column_of: Mapping[int, int], recorded: Any, nodes: Sequence[NodeSummary]
) -> None:
    for flavor, node in recorded.values_list("flavor", "infrastructure"):
        if not nodes[column_of[node]].unreachable_at:
            rows[flavor].states[column_of[node]] = RECORDED
