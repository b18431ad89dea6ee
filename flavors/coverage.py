"""Which node has which flavor, as it was last compared: what the coverage map shows."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from flavors.models import Flavor, SyncOutcome
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
    # The number of a run that waits or is at work
    running: int | None

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

    Cost: six queries.
    """
    with connection.cursor() as cursor:
        # Names are compared here: a collation by code point knows no case.
        flavors = [
            each for each in _rows(cursor, _PROMOTED if promoted else _PUBLIC) if flavor.lower() in each[2].lower()
        ]
        nodes = [each for each in _rows(cursor, _NODES) if node.lower() in each[1].lower()]
        rows = [Row(pk, name, bool(is_promoted), [UNRECORDED] * len(nodes)) for pk, _, name, is_promoted in flavors]
        columns = {pk: column for column, (pk, _, _) in enumerate(nodes)}
        _fill_with_record(cursor, {row.pk: row.states for row in rows}, columns)
        comparisons = _comparisons(cursor, {pk: latest for pk, _, latest in nodes if latest})
        _fill_with_outcomes(
            cursor,
            {flavorid: row.states for (_, flavorid, _, _), row in zip(flavors, rows, strict=True)},
            {pk: columns[node] for pk, node, _ in comparisons if node in columns},
        )
        running = [pk for (pk,) in _rows(cursor, _RUNNING)]
    ages = {pk: at.replace(tzinfo=UTC) for pk, _, at in comparisons}
    return Coverage([Node(pk, name, ages.get(latest)) for pk, name, latest in nodes], rows, next(iter(running), None))


def last_outcome(*, flavor: Flavor, infrastructure: Infrastructure) -> SyncOutcome | None:
    """Return what a run last found of the flavor in the node, None when it was never compared there. One query."""
    outcomes = SyncOutcome.objects.filter(node__infrastructure=infrastructure, flavorid=flavor.flavorid)
    return outcomes.select_related("node__run").order_by("-pk").first()


# There are thousands of cells: each is looked up twice and written, and that is all. The queries are asked by hand:
# QuerySets would take half as long again for the same rows.

_PUBLIC = "SELECT id, flavorid, name, promoted FROM flavors_flavor WHERE public ORDER BY name, flavorid"
_PROMOTED = "SELECT id, flavorid, name, promoted FROM flavors_flavor WHERE promoted ORDER BY name, flavorid"
# With the last comparison over all promoted flavors. Thousands may have been made: an index leads to the last one.
_NODES = """
    SELECT infrastructure.id, infrastructure.name, (
        SELECT node.id FROM flavors_syncnode node JOIN flavors_syncrun run ON run.id = node.run_id
        WHERE node.infrastructure_id = infrastructure.id AND node.compared_at IS NOT NULL AND run.flavorids = '[]'
        ORDER BY node.compared_at DESC, node.id DESC LIMIT 1
    )
    FROM infrastructures_infrastructure infrastructure ORDER BY infrastructure.name
"""
_COMPARISONS = """
    SELECT node.id, node.infrastructure_id, node.compared_at
    FROM flavors_syncnode node JOIN flavors_syncrun run ON run.id = node.run_id
    WHERE node.id IN ({}) OR node.id > %s AND node.compared_at IS NOT NULL AND run.flavorids <> '[]'
"""
_RUNNING = """
    SELECT id FROM flavors_syncrun WHERE state IN ('waiting', 'running') ORDER BY created_at DESC, id DESC LIMIT 1
"""
_INSTALLED = "SELECT flavor_id, infrastructure_id FROM flavors_installation"
_OUTCOMES = "SELECT node_id, flavorid, state, result FROM flavors_syncoutcome WHERE node_id IN ({}) ORDER BY id"


def _rows(cursor: CursorWrapper, query: str, *parameters: int, keys: Collection[int] = ()) -> Sequence[Any]:
    """Return what the query finds; *keys* are what stands in its brackets."""
    cursor.execute(query.format(", ".join(["%s"] * len(keys)) or "NULL"), (*keys, *parameters))
    rows: Sequence[Any] = cursor.fetchall()
    return rows


def _comparisons(cursor: CursorWrapper, latest: Mapping[int, int]) -> list[tuple[int, int, datetime]]:
    """Return the comparisons that count, each with its node and time: the *latest* of each node, and later ones.

    A run over some flavors alone adds to what the last one over all of them has found. One query.
    """
    found = _rows(cursor, _COMPARISONS, min(latest.values(), default=0), keys=latest.values())
    return [(pk, node, at) for pk, node, at in found if pk >= latest.get(node, 0)]


def _fill_with_record(cursor: CursorWrapper, states_of: Mapping[int, list[str]], column_of: Mapping[int, int]) -> None:
    """Mark where the catalogue says that flavors are; one query."""
    for flavor, infrastructure in _rows(cursor, _INSTALLED):
        if flavor in states_of and infrastructure in column_of:
            states_of[flavor][column_of[infrastructure]] = RECORDED


def _fill_with_outcomes(
    cursor: CursorWrapper, states_of: Mapping[str, list[str]], column_of: Mapping[int, int]
) -> None:
    """Mark what these comparisons found, the later over the earlier; one query."""
    done, in_sync = SyncOutcome.Result.DONE.value, State.IN_SYNC.value
    for node, flavorid, state, result in _rows(cursor, _OUTCOMES, keys=column_of.keys()):
        if flavorid in states_of:
            states_of[flavorid][column_of[node]] = in_sync if result == done else state
