"""The events of a run: one of each kind for each node, whatever the number of flavors.

Drift is announced when it is first found, not by every run that finds it again; so is a repair that fails.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from flavors.models import Sighting
from infrastructures.locks import Locked, exclusive
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.summary import AS_THEY_SHOULD_BE
from synchronisation.telling.models import AnnouncedRun, AwayNode, Event, Kind
from synchronisation.telling.outbox import announce, is_anybody_listening

Result = SyncOutcome.Result

MOST_FLAVORS = 100
"""The most flavors that an event lists; its `count` is that of all."""

Key = tuple[int | None, str]
"""A node's key and a flavor's id."""


def announce_runs() -> int:
    """Announce the runs that have ended since the last look to subscribers, and return their number.

    Cost: one query when there is none; else some five for each, and those of `announce`.
    """
    ended = SyncRun.objects.ended().filter(announced=None).order_by("pk").values_list("pk", flat=True)
    if not ended:
        return 0
    try:
        with exclusive("ended runs"):
            return sum(_announce(pk) for pk in ended.all())
    except Locked:
        return 0  # another scheduler is doing it


def _announce(pk: int) -> int:
    with transaction.atomic():
        run = SyncRun.objects.select_for_update().filter(pk=pk, announced=None).first()
        if run is None:
            return 0  # deleted, or announced by another scheduler
        events = _of_nodes_that_came_and_went(run)
        if is_anybody_listening():
            announce([*events, *_of_flavors(run)])
        AnnouncedRun.objects.create(run=run)
    return 1


def _of_nodes_that_came_and_went(run: SyncRun) -> list[Event]:
    gone = list(
        run.nodes.filter(unreachable=True, infrastructure__isnull=False, infrastructure__away=None).select_related(
            "infrastructure"
        )
    )
    back = list(_come_back(run).select_related("infrastructure"))
    events = [
        *(_event(Kind.NODE_GONE, run, node, {"error": node.error}) for node in gone),
        *(_back(run, away) for away in back),
    ]
    AwayNode.objects.bulk_create(AwayNode(infrastructure=node.infrastructure) for node in gone)
    AwayNode.objects.filter(pk__in=[each.pk for each in back]).delete()
    return events


def _come_back(run: SyncRun) -> QuerySet[AwayNode]:
    """Return the nodes that were away and that the run has compared, even those that it kept no row of."""
    listed: Any = run.listed.members if run.listed else run.nodes
    failed = run.nodes.filter(Q(unreachable=True) | Q(compared_at=None), infrastructure__isnull=False)
    asked = AwayNode.objects.filter(infrastructure__in=listed.values("infrastructure"))
    return asked.exclude(infrastructure__in=failed.values("infrastructure"))


def _back(run: SyncRun, away: AwayNode) -> Event:
    return Event(
        kind=Kind.NODE_BACK,
        infrastructure=away.infrastructure,
        subject=away.infrastructure.name,
        data={"run": run.pk, "away_since": away.since.isoformat()},
    )


def _of_flavors(run: SyncRun) -> Iterator[Event]:
    new = _changed_since(run)
    told: dict[tuple[Kind, int], list[SyncOutcome]] = defaultdict(list)
    for outcome in _outcomes(run):
        if kind := _kind(outcome, new):
            told[kind, outcome.node_id].append(outcome)
    nodes = SyncNode.objects.in_bulk({node for _, node in told})
    for (kind, node), outcomes in told.items():
        yield _event(kind, run, nodes[node], _said_of(outcomes))


def _outcomes(run: SyncRun) -> Iterable[SyncOutcome]:
    """Return the run's outcomes, except unreachable ones, each with the `earlier` result of the flavor there."""
    earlier = SyncOutcome.objects.filter(
        flavorid=OuterRef("flavorid"), node__name=OuterRef("node__name"), pk__lt=OuterRef("pk")
    ).order_by("-pk")
    outcomes = SyncOutcome.objects.filter(node__run=run).exclude(Q(state=SyncOutcome.State.UNREACHABLE))
    return outcomes.annotate(earlier=Subquery(earlier.values("result")[:1])).select_related("node").order_by("pk")


def _changed_since(run: SyncRun) -> Collection[Key]:
    """Return the flavors whose state in the run's nodes has changed since it began. One query."""
    seen = Sighting.objects.order_by().filter(
        infrastructure__in=run.nodes.values("infrastructure"), since__gte=run.started_at or run.created_at
    )
    return set(seen.values_list("infrastructure", "flavor__flavorid"))


def _kind(outcome: SyncOutcome, new: Collection[Key]) -> Kind | None:
    """Return the kind of event for an outcome; None if it was announced before, or is not worth an event."""
    if outcome.result == Result.DONE:
        return Kind.DRIFT_REPAIRED
    is_new = (outcome.node.infrastructure_id, outcome.flavorid) in new
    if outcome.result == Result.FAILED:
        is_failing = getattr(outcome, "earlier", None) == Result.FAILED
        return Kind.REPAIR_FAILED if is_new or not is_failing else None
    is_drift = outcome.state not in AS_THEY_SHOULD_BE
    return Kind.DRIFT_FOUND if is_new and is_drift else None


def _said_of(outcomes: list[SyncOutcome]) -> dict[str, object]:
    return {
        "count": len(outcomes),
        "flavors": [
            {
                "id": outcome.flavorid,
                "name": outcome.name,
                "state": outcome.state,
                "action": outcome.action,
                "reason": outcome.reason,
                "differences": outcome.differences,
            }
            for outcome in outcomes[:MOST_FLAVORS]
        ],
    }


def _event(kind: Kind, run: SyncRun, node: SyncNode, data: dict[str, object]) -> Event:
    return Event(kind=kind, infrastructure_id=node.infrastructure_id, subject=node.name, data={"run": run.pk, **data})
