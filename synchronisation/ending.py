"""Ending a run: once, with its final state, keeping no rows of nodes in which nothing happened."""

from collections import Counter

from django.db.models import Count, Q, Sum
from django.utils import timezone

from infrastructures.commits import in_transaction
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.recording import STOPPED

Action = SyncOutcome.Action
Result = SyncOutcome.Result
State = SyncOutcome.State


def end_run(run_id: int, *, state: SyncRun.State | None = None) -> bool:
    """End a run all of whose nodes have ended; return whether this call ended it.

    Nodes in which nothing happened are deleted: `SyncRun.listed` and `compared_with` hold all there is to know of them.

    Args:
        state: its final state; by default that follows from its nodes.

    Cost: some ten queries, in one transaction, whatever its size.
    """
    ended = False

    def write() -> None:
        nonlocal ended
        run = SyncRun.objects.open().select_for_update().filter(pk=run_id).first()
        ended = run is not None
        if run is not None:
            _end(run, state)

    in_transaction(write)
    return ended


def end_when_done(run_id: int) -> bool:
    """End a run if all of its nodes have ended; return whether this call ended it.

    Every crew calls it when it has finished, so the last one ends the run. Cost: one query, and those of `end_run`.
    """
    return not SyncNode.objects.unfinished().filter(run=run_id).exists() and end_run(run_id)


def _end(run: SyncRun, state: SyncRun.State | None) -> None:
    run.state, run.finished_at = state or _state_of(run), timezone.now()
    counted = {
        "node_count": Count("pk"),
        "nodes_compared": Count("pk"),
        "nodes_ended": Count("finished_at"),
        "flavor_count": Sum("flavor_count", default=0),
        "flavors_done": Sum("flavors_done", default=0),
    }
    counts = run.nodes.order_by().aggregate(**counted)
    for name, count in counts.items():
        setattr(run, name, count)
    run.found = _found(run)
    if run.listed_id:
        _fold(run)
    run.save(update_fields=["state", "finished_at", "compared_with", "found", *counts])


def _found(run: SyncRun) -> dict[str, int]:
    """Return how many flavors were found in which state, each once for each node. Two queries."""
    outcomes = SyncOutcome.objects.order_by().filter(node__run=run)
    found = Counter(dict(outcomes.values_list("state").annotate(count=Count("pk"))))
    away = run.nodes.filter(unreachable=True).aggregate(flavors=Sum("flavor_count", default=0))["flavors"]
    in_sync = run.flavor_count - found.total() - away
    return dict(found + Counter({State.IN_SYNC.value: in_sync, State.UNREACHABLE.value: away}))


def _state_of(run: SyncRun) -> SyncRun.State:
    """Return the run's final state, which follows from its nodes. Cost: one query, two if it was cancelled."""
    if run.cancelled_at and run.nodes.filter(error=STOPPED).exists():
        return SyncRun.State.CANCELLED
    found = set(run.nodes.order_by().values_list("pk", "state", "outcomes__result", "outcomes__action").distinct())
    failed = {node for node, state, result, _ in found if state == SyncNode.State.FAILED or result == Result.FAILED}
    if failed:
        something = any(node not in failed or result == Result.DONE for node, _, result, _ in found)
        return SyncRun.State.PARTLY_DONE if something else SyncRun.State.FAILED
    drift = any(action == Action.CANNOT or result == Result.PLANNED for _, _, result, action in found)
    return SyncRun.State.DRIFT if drift else SyncRun.State.IN_SYNC


def _fold(run: SyncRun) -> None:
    """Delete the nodes in which nothing happened, if they were compared with the most common list of flavors."""
    nothing_happened = Q(state=SyncNode.State.DONE, error="", outcomes=None, compared_with__isnull=False)
    quiet = run.nodes.order_by().filter(nothing_happened)
    lists = Counter(quiet.values_list("compared_with", flat=True))
    if lists:
        [(run.compared_with_id, _)] = lists.most_common(1)
        # They have no outcomes: Django would read all of them to look for what is to go along.
        there = quiet.filter(compared_with=run.compared_with_id)
        there._raw_delete(using=there.db)
