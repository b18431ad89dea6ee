"""The story of a run: its figures, the nodes that could not be reached, what was done, and what is left and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q

from flavors.models import Flavor
from synchronisation.history import Choice
from synchronisation.models import Progress, SyncNode, SyncOutcome, SyncRun
from synchronisation.querysets import SyncOutcomeQuerySet

State = SyncOutcome.State
Result = SyncOutcome.Result

# The most unreachable nodes, and the most flavors of each kind, that a story names
AWAY, TOLD = 50, 250


@dataclass(frozen=True)
class Figure:
    """A tile: a count, what it counts, and its colour."""

    count: int
    words: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a run found and did in the nodes that the user may see.

    `retry` are the primary keys of the nodes, and of the flavors, that another run should repair: those that failed or,
    if the run only compared, those that it would repair.
    """

    figures: Sequence[Figure]
    away: Sequence[SyncNode]
    done: Sequence[SyncOutcome]
    left: Sequence[SyncOutcome]
    ignored: Sequence[SyncOutcome]
    more: int
    took: timedelta | None
    retry: tuple[Sequence[int], Sequence[int]]


def story_of(run: SyncRun, progress: Progress, choice: Choice) -> Story:
    """Return the story of a run. Cost: seven queries, however much it did."""
    nodes = run.nodes.filter(choice.nodes)
    outcomes = SyncOutcome.objects.filter(node__in=nodes)
    done, planned, failed = Q(result=Result.DONE), Q(result=Result.PLANNED), Q(result=Result.FAILED)
    ignored = Q(state=State.IGNORED)
    amiss = ~Q(state=State.IN_SYNC) & ~ignored
    counts = outcomes.order_by().aggregate(
        kept=Count("pk"),
        done=Count("pk", filter=done),
        failed=Count("pk", filter=failed),
        planned=Count("pk", filter=planned),
        left=Count("pk", filter=amiss & ~done & ~failed & ~planned),
        ignored=Count("pk", filter=ignored),
    )
    away = list(nodes.filter(Q(unreachable=True) | ~Q(error="")).order_by("name"))
    unseen = sum(node.flavor_count for node in away if node.unreachable)
    in_sync = max(progress.flavors_done - counts["kept"] - unseen, 0)
    ordered = outcomes.with_flavors().select_related("node").order_by("node__name", "name")
    told_done, told_left, told_ignored = (
        list(ordered.filter(which)[:TOLD]) for which in (done, amiss & ~done, ignored)
    )
    figures = [
        Figure(in_sync, "in sync as found", "good"),
        Figure(counts["done"], "mended", "good"),
        Figure(counts["planned"], "to do" if run.finished_at is None and run.repairs else "could be mended", "missing"),
        Figure(counts["left"], "left, and why is below", "missing"),
        Figure(counts["failed"], "failed", "differs"),
        Figure(counts["ignored"], "ignored", "unknown"),
        Figure(len(away), "nodes not reached", "differs"),
    ]
    return Story(
        figures=[figure for figure in figures if figure.count],
        away=away[:AWAY],
        done=told_done,
        left=told_left,
        ignored=told_ignored,
        more=counts["kept"] - len(told_done) - len(told_left) - len(told_ignored),
        took=run.finished_at - run.started_at if run.finished_at and run.started_at else None,
        retry=_retry(outcomes, away, Result.FAILED if run.repairs else Result.PLANNED),
    )


def _retry(outcomes: SyncOutcomeQuerySet, away: Sequence[SyncNode], result: str) -> tuple[list[int], list[int]]:
    """Return the nodes and flavors to retry; no flavors, which means all, if a node was not reached."""
    nodes = {node.infrastructure_id for node in away if node.infrastructure_id}
    failed = outcomes.order_by().filter(result=result)
    nodes |= {pk for pk in failed.values_list("node__infrastructure", flat=True).distinct() if pk}
    if away:
        return sorted(nodes), []
    wanted = Flavor.objects.wanted_in_nodes().filter(flavorid__in=failed.values("flavorid"))
    return sorted(nodes), sorted(wanted.values_list("pk", flat=True))
