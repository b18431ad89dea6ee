"""Reading what a run found and did in its nodes, including nodes and flavors without rows of their own."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Sum

from infrastructures.models import Infrastructure
from synchronisation.models import FlavorList, ListedNode, Progress, SyncNode, SyncOutcome, SyncRun
from synchronisation.planning import as_it_should_be, unreachable

State = SyncOutcome.State


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A selection of a run's nodes and of their outcomes; by default all.

    Members:
        among: the nodes that may be seen; None is all, including those that are no longer registered.
        names: the names of nodes; None is all.
        states: selects nodes with a flavor in one of these states, and only their outcomes in these states.
    """

    among: QuerySet[Infrastructure] | None = None
    names: Collection[str] | None = None
    states: Collection[str] = ()

    @property
    def nodes(self) -> Q:
        """The filter of nodes, whatever was found in them."""
        chosen = Q() if self.among is None else Q(infrastructure__in=self.among)
        return chosen if self.names is None else chosen & Q(name__in=self.names)


ALL = Choice()


def nodes_in_full(run: SyncRun, choice: Choice = ALL) -> list[SyncNode]:
    """Return nodes of a run by name, with all that `outcomes_of` needs, including those in which nothing happened.

    Cost: four queries, whatever the number of nodes.
    """
    kept = run.nodes.filter(_found(choice), choice.nodes).distinct().with_outcomes()
    quiet = (_quiet_node(run, member) for member in _quiet(run, choice))
    return sorted([*kept, *quiet], key=lambda node: node.name)


def names_of_nodes(run: SyncRun, choice: Choice = ALL) -> list[ListedNode]:
    """Return only the names of the same nodes, in the same order. Cost: two queries."""
    kept = run.nodes.filter(_found(choice), choice.nodes).order_by().values_list("name", flat=True)
    return [ListedNode(name=name) for name in sorted({*kept, *(member.name for member in _quiet(run, choice))})]


def outcomes_of(node: SyncNode, choice: Choice = ALL) -> list[SyncOutcome]:
    """Return the outcome of each flavor in a node that `nodes_in_full` has returned. Cost: none."""
    kept = list(node.outcomes.all()) if node.is_kept else []
    found = sorted([*kept, *_not_kept(node, kept)], key=lambda outcome: (outcome.name, outcome.flavorid))
    return [outcome for outcome in found if outcome.state in choice.states] if choice.states else found


def progress_of(run: SyncRun, choice: Choice) -> Progress:
    """Return the progress in some of a run's nodes, as `SyncRun.progress` does for all of them.

    Cost: two queries; one more while one of them is not compared yet, if the run covers all flavors.
    """
    waiting = Q(compared_at=None, finished_at=None)
    kept = run.nodes.filter(choice.nodes).order_by()
    counts = kept.aggregate(
        nodes=Count("pk"),
        nodes_done=Count("finished_at"),
        flavors=Sum("flavor_count", default=0),
        flavors_done=Sum("flavors_done", default=0),
        to_come=Count("pk", filter=waiting),
    )
    to_come = counts.pop("to_come")
    counts["flavors"] += to_come * run.expected_flavors() if to_come else 0
    quiet = [_quiet_node(run, member) for member in _quiet(run, choice)]
    flavors = sum(node.flavor_count for node in quiet)
    more = {"nodes": len(quiet), "nodes_done": len(quiet), "flavors": flavors, "flavors_done": flavors}
    return Progress(**{name: count + more[name] for name, count in counts.items()})


def _found(choice: Choice) -> Q:
    """Return the filter of nodes in which a flavor was found in one of the states."""
    if not choice.states:
        return Q()
    found = Q(outcomes__state__in=choice.states)
    if State.UNREACHABLE in choice.states:
        found |= Q(unreachable=True)
    if State.IN_SYNC in choice.states:
        with_all = SyncNode.objects.order_by().annotate(kept=Count("outcomes")).filter(kept__gte=F("flavor_count"))
        found |= Q(unreachable=False, compared_with__isnull=False) & ~Q(pk__in=with_all.values("pk"))
    return found


def _quiet(run: SyncRun, choice: Choice) -> Iterable[ListedNode]:
    """Return the nodes in which nothing happened, which have no row of their own. One query."""
    if run.listed is None or run.compared_with is None or (choice.states and State.IN_SYNC not in choice.states):
        return []
    return run.listed.members.filter(choice.nodes).exclude(name__in=run.nodes.order_by().values("name"))


def _quiet_node(run: SyncRun, member: ListedNode) -> SyncNode:
    count = len(run.compared_with.flavors) if run.compared_with else 0
    return SyncNode(
        run=run,
        infrastructure_id=member.infrastructure_id,
        name=member.name,
        state=SyncNode.State.DONE,
        started_at=run.started_at,
        compared_at=run.finished_at,
        finished_at=run.finished_at,
        compared_with=run.compared_with,
        flavor_count=count,
        flavors_done=count,
    )


def _not_kept(node: SyncNode, kept: Sequence[SyncOutcome]) -> list[SyncOutcome]:
    """Return outcomes for the flavors of which the node has no row."""
    told = {outcome.flavorid for outcome in kept}
    return [
        unreachable(flavorid, name, node.error) if node.unreachable else as_it_should_be(flavorid, name)
        for flavorid, name in _compared(node.compared_with)
        if flavorid not in told
    ]


def _compared(flavors: FlavorList | None) -> list[list[str]]:
    return flavors.flavors if flavors else []
