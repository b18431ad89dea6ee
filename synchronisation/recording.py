"""Writing down how far a run is in a node: what it found there, what it has done, and that it has ended.

With each of these the run's own counters are moved on, in the same transaction: they are the sums of its nodes'.
"""

from collections.abc import Collection, Mapping, Sequence

from django.db import connection
from django.db.models import F
from django.utils import timezone

from flavors.catalogue import sightings
from flavors.models import Flavor
from infrastructures.commits import in_transaction, write_certainly
from infrastructures.models import Infrastructure
from synchronisation.lists import flavor_list
from synchronisation.models import LastComparison, SyncNode, SyncOutcome, SyncRun

Action = SyncOutcome.Action
Result = SyncOutcome.Result


def record_start(node: SyncNode) -> None:
    """Write down that the run begins in a node. One query."""
    node.state, node.started_at = SyncNode.State.RUNNING, timezone.now()
    node.save(update_fields=["state", "started_at"])


def record_plan(
    *, run: SyncRun, node: SyncNode, flavors: Collection[Flavor], outcomes: Sequence[SyncOutcome]
) -> list[SyncOutcome]:
    """Write down what was found in a node and is planned there, and return what of it is new.

    What is in sync, and stays as it is, takes no row: it is in the list of *flavors* that were compared. What an
    earlier attempt has done stays written down as done, unless it is to be done again.

    Args:
        outcomes: of each of the flavors, not stored yet.

    Raises:
        MayBeWritten: the database is away.

    Cost: some seven queries, in one transaction.
    """
    node.compared_at, node.unreachable, node.error = timezone.now(), False, ""
    new: list[SyncOutcome] = []

    def write() -> None:
        new[:] = _not_settled(run, node, outcomes)
        SyncOutcome.objects.bulk_create(outcome for outcome in new if outcome.action != Action.NOTHING)
        to_do = sum(run.repairs and outcome.result == Result.PLANNED for outcome in new)
        _record_comparison(run, node, flavors, flavors_done=len(flavors) - to_do)

    same = SyncNode.objects.select_for_update().filter(pk=node.pk, compared_at=node.compared_at)
    write_certainly(write, is_written=same.exists)
    return new


def record_unreachable(*, run: SyncRun, node: SyncNode, flavors: Collection[Flavor], error: str) -> None:
    """Write down that a node could not be asked for these flavors: one line, whatever their number.

    Cost: some seven queries, in one transaction.
    """
    node.compared_at, node.unreachable, node.error = timezone.now(), True, error

    def write() -> None:
        node.outcomes.all().delete()
        _record_comparison(run, node, flavors, flavors_done=len(flavors))

    in_transaction(write)


def record_end(node: SyncNode, *, error: str) -> None:
    """Write down that the run has ended in a node. Four queries, in one transaction."""
    node.error, node.state = error, SyncNode.State.FAILED if error else SyncNode.State.DONE
    node.finished_at = timezone.now()

    def write() -> None:
        before = SyncNode.objects.select_for_update().get(pk=node.pk)
        node.flavors_done = node.flavor_count = before.flavor_count
        node.save(update_fields=["state", "error", "finished_at", "flavors_done"])
        _move_on(before, node)

    in_transaction(write)


def _record_comparison(run: SyncRun, node: SyncNode, flavors: Collection[Flavor], *, flavors_done: int) -> None:
    before = SyncNode.objects.select_for_update().get(pk=node.pk)
    node.infrastructure_id = before.infrastructure_id  # none if it has been unregistered since
    node.compared_with, node.flavor_count, node.flavors_done = flavor_list(flavors), len(flavors), flavors_done
    node.save(update_fields=["compared_at", "unreachable", "error", "compared_with", "flavor_count", "flavors_done"])
    _move_on(before, node)
    record_last_comparison(run=run, node=node, flavorids=[flavor.flavorid for flavor in flavors])


def _move_on(before: SyncNode, node: SyncNode) -> None:
    """Move the counters of a node's run on by as much as the node has come further."""
    counters = SyncRun.objects.filter(pk=node.run_id)
    counters.update(
        nodes_compared=F("nodes_compared") + int(_is_compared(node)) - int(_is_compared(before)),
        nodes_ended=F("nodes_ended") + int(node.finished_at is not None) - int(before.finished_at is not None),
        flavor_count=F("flavor_count") + node.flavor_count - before.flavor_count,
        flavors_done=F("flavors_done") + node.flavors_done - before.flavors_done,
    )


def _is_compared(node: SyncNode) -> bool:
    return node.compared_at is not None or node.finished_at is not None


def record_last_comparison(*, run: SyncRun, node: SyncNode, flavorids: Collection[str]) -> None:
    """Write down when a node was last compared with these flavors; to be called in a transaction. Two queries."""
    if node.infrastructure_id is None or node.compared_at is None:
        return
    last = LastComparison.objects.filter(infrastructure=node.infrastructure_id).first()
    last = last or LastComparison(infrastructure_id=node.infrastructure_id)
    if any(at and at > node.compared_at for at in (last.whole_at, last.unreachable_at)):
        return  # by a clock that is ahead
    last.error, last.unreachable_at = node.error, node.compared_at if node.unreachable else None
    if not node.unreachable and run.flavorids:
        last.parts |= dict.fromkeys(flavorids, node.compared_at.isoformat())
    elif not node.unreachable:
        last.whole_at, last.parts = node.compared_at, {}
    last.save()


def _not_settled(run: SyncRun, node: SyncNode, outcomes: Sequence[SyncOutcome]) -> Sequence[SyncOutcome]:
    """Return what of a plan an earlier attempt has not done already, and forget what that one left undone."""
    if run.attempts == 1:
        return outcomes
    settled = set(node.outcomes.filter(result=Result.DONE).values_list("flavorid", flat=True))
    settled &= {outcome.flavorid for outcome in outcomes if outcome.action == Action.NOTHING}
    node.outcomes.exclude(flavorid__in=settled).delete()
    return [outcome for outcome in outcomes if outcome.flavorid not in settled]


def record_repairs(
    *,
    infrastructure: Infrastructure,
    installed: Mapping[Flavor, str],
    outcomes: Sequence[SyncOutcome],
    made: Collection[Flavor] = (),
    applied: Mapping[int, Mapping[str, object]] | None = None,
) -> None:
    """Write down what a synchronisation run has done in a cloud, and what its Nova has now; all of it or nothing.

    Args:
        installed: by flavor, its id there.
        outcomes: at least one, stored, of which the result, the reason and the seconds are written.
        made: those of the flavors that were created there, and not found.
        applied: by the flavors' keys, what they were given there, as in a `Sighting`.

    Raises:
        IntegrityError: somebody else has just deleted one of the flavors, or another flavor of the catalogue
            has its id there; `record_installation` says which.
        MayBeWritten: the database is away.

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
    """Write down what came of a single step. Three queries, in one transaction."""

    def write() -> None:
        outcome.save(update_fields=["result", "reason", "seconds"])
        _count_done([outcome])

    in_transaction(write)


def _count_done(outcomes: Sequence[SyncOutcome]) -> None:
    node, done = outcomes[0].node_id, F("flavors_done") + len(outcomes)
    SyncNode.objects.filter(pk=node).update(flavors_done=done)
    SyncRun.objects.filter(nodes=node).update(flavors_done=done)


def _has_results(outcomes: Sequence[SyncOutcome]) -> bool:
    """Say whether the first of them is written down, and so whatever was with it."""
    first = outcomes[0]
    return SyncOutcome.objects.select_for_update().filter(pk=first.pk, result=first.result).exists()


def _write_results(outcomes: Sequence[SyncOutcome]) -> None:
    """Write what came of each; one statement for all of them costs a fraction of an UPDATE for each."""
    SyncOutcome.objects.bulk_create(
        outcomes,
        update_conflicts=True,
        update_fields=["result", "reason", "seconds"],
        # MySQL's own form of it names no columns.
        unique_fields=["pk"] if connection.features.supports_update_conflicts_with_target else None,
    )
