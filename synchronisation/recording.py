"""Recording a run's progress in a node: what it found there, what it has done, and that it has ended.

The same transaction updates the run's own counters, which are the sums of its nodes' counters.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from flavors.catalogue import sightings
from flavors.catalogue.comparison import Finding
from flavors.models import Flavor
from infrastructures.commits import in_transaction, write_certainly
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, CloudTimedOut
from synchronisation.backing_off import back_off
from synchronisation.lists import flavor_list
from synchronisation.models import FlavorList, LastComparison, SyncNode, SyncOutcome, SyncRun

# The fields that are recorded when a node has been asked
COMPARED = ("compared_at", "unreachable", "error", "compared_with", "flavor_count", "flavors_done")

STOPPED = "The run was stopped."

Action = SyncOutcome.Action
Result = SyncOutcome.Result


def record_starts(nodes: Collection[SyncNode]) -> None:
    """Record that the run begins in nodes. One query."""
    now = timezone.now()
    for node in nodes:
        node.state, node.started_at, node.attempts = SyncNode.State.RUNNING, now, node.attempts + 1
    begun = SyncNode.objects.filter(pk__in=[node.pk for node in nodes])
    begun.update(state=SyncNode.State.RUNNING, started_at=now, attempts=F("attempts") + 1)


def record_plans(
    run: SyncRun, plans: Mapping[SyncNode, tuple[Collection[Flavor], Sequence[SyncOutcome]]]
) -> dict[SyncNode, list[SyncOutcome]]:
    """Record what was found and planned in nodes, and return the outcomes that are new.

    A flavor that is in sync and needs no action takes no row: the list of compared flavors has it. What an earlier
    attempt has done stays recorded as done, unless it must be done again.

    Args:
        plans: for each node the flavors that it was compared with, and an unsaved outcome of each step that
            `takes_row`.

    Raises:
        MayBeWritten: the database connection was lost, and did not come back in time.

    Cost: some seven queries, in one transaction, however many nodes; two more for each that was begun before.
    """
    now = timezone.now()
    new: dict[SyncNode, list[SyncOutcome]] = {}

    def write() -> None:
        for node, (flavors, outcomes) in plans.items():
            if node.attempts > 1:
                _forget_undone(node, flavors, outcomes)
            new[node] = list(outcomes)
        if to_store := [outcome for outcomes in new.values() for outcome in outcomes]:
            SyncOutcome.objects.bulk_create(to_store)
        lists = _lists_of(flavors for flavors, _ in plans.values())
        with _counted(run, plans, *COMPARED):
            for node, (flavors, _) in plans.items():
                to_do = sum(run.repairs and outcome.result == Result.PLANNED for outcome in new[node])
                node.compared_at, node.unreachable, node.error = now, False, ""
                node.compared_with, node.flavor_count = lists[id(flavors)], len(flavors)
                node.flavors_done = len(flavors) - to_do
        record_last_comparisons(run, {node: flavors for node, (flavors, _) in plans.items()})

    first = next(iter(plans))
    same = SyncNode.objects.select_for_update().filter(pk=first.pk, compared_at=now)
    write_certainly(write, is_written=same.exists)
    return new


def created_unrecorded(found: Mapping[Infrastructure, Iterable[Finding]]) -> set[sightings.Key]:
    """Return which of the found flavors, by their key and their node's, runs seem to have created there.

    A run whose worker died may have created a flavor without recording it. If it were taken for one that somebody else
    has made, it would stay in the node for ever. Cost: one query if a flavor was found that is not recorded.
    """
    new = {
        (finding.wanted.flavor.flavorid, node.pk): finding.wanted.flavor.pk
        for node, findings in found.items()
        for finding in findings
        if not finding.recorded and finding.has and finding.has.id == finding.wanted.flavor.flavorid
    }
    if not new:
        return set()
    flavorids, nodes = zip(*new, strict=True)
    there = SyncOutcome.objects.order_by().filter(flavorid__in=set(flavorids), node__infrastructure__in=set(nodes))
    planned = there.filter(action=Action.CREATE, result=Result.PLANNED, node__run__repairs=True)
    begun = planned.exclude(node__error=STOPPED).values_list("flavorid", "node__infrastructure")
    return {(new[key], key[1]) for key in begun if key in new}


def record_unreachable(run: SyncRun, node: SyncNode, flavors: Collection[Flavor], error: CloudError) -> None:
    """Record that a node could not be asked for these flavors: in one row, whatever their number.

    Cost: some seven queries, in one transaction.
    """

    def write() -> None:
        node.outcomes.all().delete()
        with _counted(run, [node], *COMPARED):
            node.compared_at, node.unreachable, node.error = timezone.now(), True, str(error.detail)
            node.compared_with, node.flavor_count, node.flavors_done = flavor_list(flavors), len(flavors), len(flavors)
        record_last_comparisons(run, {node: flavors}, is_silent=isinstance(error, CloudTimedOut))

    in_transaction(write)


def record_ends(errors: Mapping[SyncNode, str]) -> None:
    """Record that a run has ended in nodes, each with its error or "".

    Some four queries, in one transaction; none without nodes.
    """
    if not errors:
        return
    run = next(iter(errors)).run

    def write() -> None:
        with _counted(run, errors, "state", "error", "finished_at", "flavor_count", "flavors_done") as before:
            now = timezone.now()
            for node, error in errors.items():
                node.error, node.state = error, SyncNode.State.FAILED if error else SyncNode.State.DONE
                node.finished_at = now
                node.flavors_done = node.flavor_count = before[node.pk].flavor_count

    in_transaction(write)


@contextmanager
def _counted(run: SyncRun, nodes: Collection[SyncNode], *fields: str) -> Iterator[dict[int, SyncNode]]:
    """Yield the nodes as stored; then save the block's changes of *fields*, and update the run's counters to match.

    Cost: three queries if all nodes end up with equal values; one more for each further set of values.
    """
    before = SyncNode.objects.select_for_update().in_bulk([node.pk for node in nodes])
    yield before
    alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for node in nodes:
        alike[tuple(getattr(node, field) for field in fields)].append(node.pk)
    for values, keys in alike.items():
        SyncNode.objects.filter(pk__in=keys).update(**dict(zip(fields, values, strict=True)))
    moved = {name: sum(count(node) - count(before[node.pk]) for node in nodes) for name, count in _COUNTERS.items()}
    SyncRun.objects.filter(pk=run.pk).update(**{name: F(name) + by for name, by in moved.items()})


def _is_compared(node: SyncNode) -> bool:
    return node.compared_at is not None or node.finished_at is not None


_COUNTERS: Mapping[str, Callable[[SyncNode], int]] = {
    "nodes_compared": _is_compared,
    "nodes_ended": lambda node: node.finished_at is not None,
    "flavor_count": lambda node: node.flavor_count,
    "flavors_done": lambda node: node.flavors_done,
}


def _lists_of(compared: Iterable[Collection[Flavor]]) -> dict[int, FlavorList]:
    """Return the stored lists by the collections' `id()`: most nodes of a run share one. One query for each."""
    return {key: flavor_list(flavors) for key, flavors in {id(flavors): flavors for flavors in compared}.items()}


def record_last_comparisons(
    run: SyncRun, compared: Mapping[SyncNode, Collection[Flavor]], *, is_silent: bool = False
) -> None:
    """Record when nodes were last compared with these flavors; call this in a transaction. Three queries.

    Args:
        is_silent: whether they timed out: periodic runs then leave them alone for a while.
    """
    there = set(
        Infrastructure.objects.filter(pk__in=[node.infrastructure_id for node in compared]).values_list("pk", flat=True)
    )
    nodes = {node.infrastructure_id: node for node in compared if node.infrastructure_id in there}
    known = {last.infrastructure_id: last for last in LastComparison.objects.filter(infrastructure__in=nodes)}
    rows = [known.get(key) or LastComparison(infrastructure_id=key) for key in nodes]
    new = [
        row
        for row in rows
        if _has_news(row, run, node := nodes[row.infrastructure_id], compared[node], is_silent=is_silent)
    ]
    LastComparison.objects.bulk_create(
        new,
        update_conflicts=True,
        update_fields=["whole_at", "parts", "unreachable_at", "error", "silences", "ask_again_at"],
        # MySQL's own form of it names no columns.
        unique_fields=["infrastructure"] if connection.features.supports_update_conflicts_with_target else None,
    )


def _has_news(
    last: LastComparison, run: SyncRun, node: SyncNode, flavors: Collection[Flavor], *, is_silent: bool
) -> bool:
    """Update *last*; return False if there is nothing to update, or a clock that was ahead has dated it later."""
    if node.compared_at is None or any(at and at > node.compared_at for at in (last.whole_at, last.unreachable_at)):
        return False
    last.error, last.unreachable_at = node.error, node.compared_at if node.unreachable else None
    if is_silent:
        last.silences += 1
        last.ask_again_at = node.compared_at + back_off(last.silences)
        if last.ask_again_at > node.compared_at:
            last.error += f" Periodic runs ask it again after {last.ask_again_at:%H:%M} UTC."
    elif not node.unreachable:
        last.silences, last.ask_again_at = 0, None
    if not node.unreachable and run.flavorids:
        last.parts |= {flavor.flavorid: node.compared_at.isoformat() for flavor in flavors}
    elif not node.unreachable:
        last.whole_at, last.parts = node.compared_at, {}
    return True


def _forget_undone(node: SyncNode, flavors: Collection[Flavor], outcomes: Collection[SyncOutcome]) -> None:
    """Delete what an earlier attempt in a node has left undone, or must be done again by the new *outcomes*."""
    in_sync = {flavor.flavorid for flavor in flavors} - {outcome.flavorid for outcome in outcomes}
    done = set(node.outcomes.filter(result=Result.DONE).values_list("flavorid", flat=True))
    node.outcomes.exclude(flavorid__in=done & in_sync).delete()


def record_repairs(
    *,
    infrastructure: Infrastructure,
    installed: Mapping[Flavor, str],
    outcomes: Sequence[SyncOutcome],
    made: Collection[Flavor] = (),
    applied: Mapping[int, Mapping[str, object]] | None = None,
) -> None:
    """Record what a run has done in a cloud, and what its Nova has now; all of it or nothing.

    Args:
        installed: by flavor, its id in the node.
        outcomes: at least one, already stored; their result, reason and seconds are written.
        made: those of the flavors that were created there, not found.
        applied: by the flavors' keys, the values that they were given there, as in a `Sighting`.

    Raises:
        IntegrityError: somebody else has just deleted one of the flavors, or another flavor of the catalogue
            has its id there; `record_installation` says which.
        MayBeWritten: the database connection was lost, and did not come back in time.

    Cost: five queries, in one transaction; one more for each flavor that is recorded there under another id.
    """

    def write() -> None:
        sightings.write(
            [
                sightings.installed(
                    flavor,
                    infrastructure,
                    flavorid=flavorid,
                    made=flavor in made,
                    applied=(applied or {}).get(flavor.pk),
                )
                for flavor, flavorid in installed.items()
            ]
        )
        _write_results(outcomes)
        _count_done(outcomes)

    write_certainly(write, is_written=lambda: _has_results(outcomes))


def record_result(outcome: SyncOutcome) -> None:
    """Record the result of a single step. Three queries, in one transaction."""

    def write() -> None:
        outcome.save(update_fields=["result", "reason", "seconds"])
        _count_done([outcome])

    in_transaction(write)


def _count_done(outcomes: Sequence[SyncOutcome]) -> None:
    node, done = outcomes[0].node_id, F("flavors_done") + len(outcomes)
    SyncNode.objects.filter(pk=node).update(flavors_done=done)
    SyncRun.objects.filter(nodes=node).update(flavors_done=done)


def _has_results(outcomes: Sequence[SyncOutcome]) -> bool:
    """Say whether the first outcome's result is stored, and so everything in the same transaction."""
    first = outcomes[0]
    return SyncOutcome.objects.select_for_update().filter(pk=first.pk, result=first.result).exists()


def _write_results(outcomes: Sequence[SyncOutcome]) -> None:
    """Write the results; one statement for all of them costs a fraction of an UPDATE for each."""
    SyncOutcome.objects.bulk_create(
        outcomes,
        update_conflicts=True,
        update_fields=["result", "reason", "seconds"],
        # MySQL's own form of it names no columns.
        unique_fields=["pk"] if connection.features.supports_update_conflicts_with_target else None,
    )
