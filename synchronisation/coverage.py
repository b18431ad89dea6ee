"""Which node has which flavor, as it was last seen: what the coverage map shows."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Q

from flavors.catalogue.states import CHANGED, RECORDED, UNRECORDED, state_now
from flavors.models import DIGESTED, Flavor, Installation, Sighting, digest_of
from infrastructures.models import Infrastructure
from synchronisation.models import SyncNode, SyncOutcome

State = Sighting.State


@dataclass(frozen=True, slots=True)
class Node:
    """A column of the map; without `compared_at` it was never compared.

    `compared_at` is when that of its cells was compared which it is longest ago for.
    `unreachable_since` is when the last run could not ask it, None when it could.
    """

    pk: int
    name: str
    compared_at: datetime | None
    unreachable_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A flavor, and its state in each node, in the order of the map's nodes."""

    pk: int
    name: str
    promoted: bool
    states: list[str]


@dataclass(frozen=True)
class Coverage:
    """The map. A state is one of `SyncOutcome.State`, or `CHANGED`, or where nothing was seen `RECORDED` or not."""

    nodes: Sequence[Node]
    rows: Sequence[Row]
    # The number of a run that waits or is at work
    running: int | None

    @property
    def counts(self) -> Counter[str]:
        """Return how many cells are in each state."""
        return Counter(chain.from_iterable(row.states for row in self.rows))

    @property
    def oldest(self) -> datetime | None:
        """Return when the cell was compared which it is longest ago for."""
        return min((node.compared_at for node in self.nodes if node.compared_at), default=None)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What there is to say of one flavor in one node; `outcome` is what the last run did about it."""

    state: str
    sighting: Sighting | None
    installation: Installation | None
    outcome: SyncOutcome | None


def coverage(*, promoted: bool = True, flavor: str = "", node: str = "") -> Coverage:
    """Return the coverage of the promoted flavors, or of all public ones, by nodes.

    Args:
        promoted: whether those alone that every node should have.
        flavor: what the names of the flavors hold, in any case.
        node: what the names of the nodes hold, in any case.

    Cost: seven queries; one more while a node cannot be reached.
    """
    flavors = Flavor.objects.promoted() if promoted else Flavor.objects.published()
    found: Iterable[Any] = flavors.values_list("pk", "name", "promoted", *DIGESTED)
    # Names are compared here: a collation by code point knows no case.
    chosen = [each for each in found if flavor.lower() in each[1].lower()]
    with connection.cursor() as cursor:
        comparable = {flavorid for _, _, is_promoted, flavorid, *_ in chosen if is_promoted}
        nodes = [each for each in _nodes(cursor, comparable) if node.lower() in each.name.lower()]
        rows = [Row(pk, name, is_promoted, [UNRECORDED] * len(nodes)) for pk, name, is_promoted, *_ in chosen]
        states_of = {row.pk: row.states for row in rows}
        column_of = {each.pk: column for column, each in enumerate(nodes)}
        _fill_with_record(cursor, states_of, column_of)
        _fill_with_sightings(cursor, states_of, column_of, {pk: digest_of(values) for pk, _, _, *values in chosen})
        running = [pk for (pk,) in _rows(cursor, _RUNNING)]
    _fill_with_unreachable(states_of, column_of, nodes)
    return Coverage(nodes, rows, next(iter(running), None))


def cell(*, flavor: Flavor, infrastructure: Infrastructure) -> Cell:
    """Return what there is to say of a flavor in a node. Cost: four queries."""
    sighting = Sighting.objects.filter(flavor=flavor, infrastructure=infrastructure).first()
    installation = Installation.objects.filter(flavor=flavor, infrastructure=infrastructure).first()
    compared = SyncNode.objects.filter(infrastructure=infrastructure, compared_at__isnull=False)
    last = compared.order_by("-compared_at", "-pk").first()
    outcomes = SyncOutcome.objects.filter(node__infrastructure=infrastructure, flavorid=flavor.flavorid)
    if last and last.compared_at and last.unreachable and not (sighting and sighting.seen_at > last.compared_at):
        state: str = State.UNREACHABLE.value
    elif sighting:
        state = state_now(sighting.state, sighting.digest, flavor.digest)
    else:
        state = RECORDED if installation else UNRECORDED
    return Cell(
        state=state,
        sighting=sighting,
        installation=installation,
        outcome=outcomes.select_related("node__run").order_by("-pk").first(),
    )


# There are thousands of cells: each is looked up twice and written, and that is all. The queries are asked by hand:
# QuerySets would take half as long again for the same rows.

# With the last comparison over all promoted flavors, and the last one at all. Thousands may have been made: an index
# leads to the last one.
_NODES = """
    SELECT infrastructure.id, infrastructure.name, (
        SELECT node.id FROM flavors_syncnode node JOIN flavors_syncrun run ON run.id = node.run_id
        WHERE node.infrastructure_id = infrastructure.id AND node.compared_at IS NOT NULL AND run.flavorids = '[]'
        ORDER BY node.compared_at DESC, node.id DESC LIMIT 1
    ), (
        SELECT node.id FROM flavors_syncnode node
        WHERE node.infrastructure_id = infrastructure.id AND node.compared_at IS NOT NULL
        ORDER BY node.compared_at DESC, node.id DESC LIMIT 1
    )
    FROM infrastructures_infrastructure infrastructure ORDER BY infrastructure.name
"""
_COMPARISONS = "SELECT id, compared_at, unreachable FROM flavors_syncnode WHERE id IN ({})"
_SOME = """
    SELECT node.infrastructure_id, node.id, node.compared_at, outcome.flavorid
    FROM flavors_syncnode node JOIN flavors_syncrun run ON run.id = node.run_id
    JOIN flavors_syncoutcome outcome ON outcome.node_id = node.id
    WHERE node.id > {} AND node.compared_at IS NOT NULL AND run.flavorids <> '[]' ORDER BY node.id
"""
_RUNNING = """
    SELECT id FROM flavors_syncrun WHERE state IN ('waiting', 'running') ORDER BY created_at DESC, id DESC LIMIT 1
"""
_INSTALLED = """
    SELECT installation.flavor_id, installation.infrastructure_id
    FROM flavors_installation installation LEFT JOIN flavors_sighting sighting
    ON sighting.flavor_id = installation.flavor_id AND sighting.infrastructure_id = installation.infrastructure_id
    WHERE sighting.id IS NULL
"""
_SIGHTINGS = "SELECT flavor_id, infrastructure_id, state, digest FROM flavors_sighting"


def _rows(cursor: CursorWrapper, query: str, keys: Collection[int] = ()) -> Sequence[Any]:
    """Return what the query finds; *keys* are what stands in its brackets."""
    cursor.execute(query.format(", ".join(["%s"] * len(keys)) or "NULL"), tuple(keys))
    rows: Sequence[Any] = cursor.fetchall()
    return rows


def _nodes(cursor: CursorWrapper, flavorids: AbstractSet[str]) -> Iterator[Node]:
    """Yield the nodes, by name, of which these flavors are shown. Cost: three queries."""
    found = _rows(cursor, _NODES)
    keys = {key for _, _, *last in found for key in last if key}
    comparisons = {
        pk: (at.replace(tzinfo=UTC), bool(unreachable)) for pk, at, unreachable in _rows(cursor, _COMPARISONS, keys)
    }
    later = _compared_later(cursor, {pk: whole or 0 for pk, _, whole, _ in found}, flavorids)
    nothing = (None, False)
    for pk, name, whole, last in found:
        whole_at, _ = comparisons.get(whole, nothing)
        last_at, unreachable = comparisons.get(last, nothing)
        ages = later.get(pk, {})
        # What was compared later by itself hides the time of the whole when it is all that is shown
        oldest = min(ages.values(), default=None) if not whole_at or ages.keys() >= flavorids else whole_at
        yield Node(pk, name, last_at if unreachable else oldest, last_at if unreachable else None)


def _compared_later(
    cursor: CursorWrapper, wholes: Mapping[int, int], flavorids: Collection[str]
) -> dict[int, dict[str, datetime]]:
    """Return when flavors were last compared by runs over some alone, after the last *wholes*, by node and id.

    One query.
    """
    later: dict[int, dict[str, datetime]] = defaultdict(dict)
    for node, comparison, at, flavorid in _rows(cursor, _SOME, [min(wholes.values(), default=0)]):
        if comparison > wholes.get(node, comparison) and flavorid in flavorids:
            later[node][flavorid] = at.replace(tzinfo=UTC)
    return later


def _fill_with_record(cursor: CursorWrapper, states_of: Mapping[int, list[str]], column_of: Mapping[int, int]) -> None:
    """Mark where the catalogue says that flavors are which nobody has seen there; one query."""
    for flavor, infrastructure in _rows(cursor, _INSTALLED):
        if flavor in states_of and infrastructure in column_of:
            states_of[flavor][column_of[infrastructure]] = RECORDED


def _fill_with_sightings(
    cursor: CursorWrapper,
    states_of: Mapping[int, list[str]],
    column_of: Mapping[int, int],
    digests: Mapping[int, str],
) -> None:
    """Mark what was last seen, as far as that still holds; one query."""
    missing = State.MISSING.value
    for flavor, infrastructure, state, digest in _rows(cursor, _SIGHTINGS):
        if flavor in states_of and infrastructure in column_of:
            # As `state_now` says, thousands of times
            holds = digest == digests[flavor] or state == missing
            states_of[flavor][column_of[infrastructure]] = state if holds else CHANGED


def _fill_with_unreachable(
    states_of: Mapping[int, list[str]], column_of: Mapping[int, int], nodes: Sequence[Node]
) -> None:
    """Mark all of a node that could not be asked, but for what was seen there since; one query if there is one."""
    unreachable = [node for node in nodes if node.unreachable_since]
    if not unreachable:
        return
    since = Q()
    for node in unreachable:
        since |= Q(infrastructure=node.pk, seen_at__gt=node.unreachable_since)
    seen = set(Sighting.objects.order_by().filter(since).values_list("flavor_id", "infrastructure_id"))
    for node in unreachable:
        for flavor, states in states_of.items():
            if (flavor, node.pk) not in seen:
                states[column_of[node.pk]] = State.UNREACHABLE.value
