"""The synchronisation with access control: managers may use it in every node, operators in their own."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.exceptions import NotFound, PermissionDenied

from flavors.models import Flavor
from flavors.permissions import PROMOTE
from flavorsync_project.api.errors import Conflict
from identity.callers import Caller
from infrastructures.choosing import find_nodes_or_all
from infrastructures.models import Infrastructure
from synchronisation.comparing import NodeComparison, compare_nodes, promoted_flavors, tell_causes
from synchronisation.history import ALL, Choice, names_of_nodes, nodes_in_full, progress_of
from synchronisation.models import ListedNode, NodeList, Progress, SyncNode, SyncOutcome, SyncRun
from synchronisation.planning import plan, unreachable
from synchronisation.querysets import SyncRunQuerySet
from synchronisation.running import cancel_run
from synchronisation.summary import NodeSummary, known_flavors, summaries
from synchronisation.tasks import start_run

_RUN_ID = re.compile("[1-9][0-9]{0,17}")


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """What a node has of each flavor right now, with the members of a `SyncNode` whose run has just ended."""

    name: str
    state: SyncNode.State
    error: str
    compared_at: datetime
    outcomes: tuple[SyncOutcome, ...]


@dataclass(frozen=True, kw_only=True)
class Status:
    """What nodes have right now, as a run that repairs nothing would find it."""

    nodes: tuple[NodeStatus, ...]

    @property
    def state(self) -> SyncRun.State:
        """The state that such a run would end in."""
        actions = {outcome.action for node in self.nodes for outcome in node.outcomes}
        failed = [bool(node.error) for node in self.nodes]
        return _state(failed, has_drift=bool(actions - {SyncOutcome.Action.NOTHING}))


@dataclass(frozen=True, kw_only=True)
class SummedUp:
    """What was last seen in nodes."""

    nodes: tuple[NodeSummary, ...]

    @property
    def state(self) -> SyncRun.State:
        """The final state of a run that would have found this."""
        state = SyncOutcome.State
        fine = (state.IN_SYNC.value, state.IGNORED.value)
        has_drift = any(node.counts.total() != sum(node.counts[each] for each in fine) for node in self.nodes)
        return _state([node.unreachable_at is not None for node in self.nodes], has_drift=has_drift)


def _state(failed: Collection[bool], *, has_drift: bool) -> SyncRun.State:
    if any(failed):
        return SyncRun.State.FAILED if all(failed) else SyncRun.State.PARTLY_DONE
    return SyncRun.State.DRIFT if has_drift else SyncRun.State.IN_SYNC


def status_nodes(*, user: Caller, names: Collection[str] = ()) -> list[Infrastructure]:
    """Return the nodes with these names, by name; without *names*, all of the user's that we have credentials for.

    Raises:
        NotFound: there is no such node.
        PermissionDenied: a node is not the user's.

    Cost: one query, two more with *names*.
    """
    return sorted(_chosen_nodes(user, names, absent=NotFound), key=lambda node: node.name)


def current_status(*, nodes: Sequence[Infrastructure], flavorids: Collection[str] = ()) -> Status:
    """Compare the promoted flavors, or those with these ids, with what nodes have right now, without a run.

    Raises:
        NotFound: there is no such promoted flavor.

    Cost: one query, one more if values differ, and what `compare_nodes` costs.
    """
    flavors = promoted_flavors(flavorids, absent=NotFound)
    compared = compare_nodes(infrastructures=nodes, flavors=flavors)
    status = Status(nodes=tuple(_status_of(comparison, flavors) for comparison in compared))
    tell_causes(
        {
            (finding.wanted.flavor.pk, comparison.infrastructure.pk): outcome
            for comparison, node in zip(compared, status.nodes, strict=True)
            for finding, outcome in zip(comparison.findings, node.outcomes, strict=not comparison.error)
        }
    )
    return status


def last_status(*, nodes: Sequence[Infrastructure], flavorids: Collection[str] = ()) -> SummedUp:
    """Sum up what was last seen of the promoted flavors, or those with these ids, in nodes; no cloud is asked.

    Raises:
        NotFound: there is no such promoted flavor.

    Cost: five queries.
    """
    keys = [flavor.pk for flavor in promoted_flavors(flavorids, absent=NotFound)]
    flavors = known_flavors(Flavor.objects.filter(pk__in=keys))
    among = Infrastructure.objects.filter(pk__in=[node.pk for node in nodes])
    return SummedUp(nodes=tuple(summaries(among, flavors)))


def start(*, user: Caller, values: Mapping[str, Any]) -> SyncRun:
    """Put a run into the queue, and return it.

    Args:
        values: the members of the API's request; without `nodes`, all nodes that *user* may synchronise and we have
            credentials for; without `flavors`, all promoted ones.

    Raises:
        Conflict: there is no such node or no such promoted flavor, or no node at all.
        PermissionDenied: a node is not the user's.

    Cost: some ten queries.
    """
    infrastructures = _chosen_nodes(user, values.get("nodes", ()), absent=Conflict)
    if not infrastructures:
        raise Conflict("nodes: we hold no credentials for any node yet")
    run = start_run(
        requested_by=str(user),
        infrastructures=infrastructures,
        flavorids=list(dict.fromkeys(values.get("flavors", ()))),
        repairs=not values.get("dry_run", False),
        replaces=values.get("replace", False),
        exact=values.get("exact", False),
    )
    return find_run(user=user, run_id=str(run.pk))


def visible_runs(user: Caller) -> SyncRunQuerySet:
    """Return the runs that *user* may see: all for a manager, for an operator those over a node of theirs."""
    operated = _visible_nodes(user)
    if operated is None:
        return SyncRun.objects.all()
    # Subqueries, not joins: thousands of runs share a list of a thousand nodes.
    lists = NodeList.objects.filter(members__infrastructure__in=operated)
    unlisted = SyncNode.objects.filter(run__listed=None, infrastructure__in=operated)
    return SyncRun.objects.filter(Q(listed__in=lists) | Q(pk__in=unlisted.values("run")))


def find_run(*, user: Caller, run_id: str) -> SyncRun:
    """Return a run.

    Raises:
        NotFound: there is none that *user* may see.

    Cost: one query.
    """
    shown = visible_runs(user).select_related("listed", "compared_with")
    run = shown.filter(pk=run_id).first() if is_run_id(run_id) else None
    if run is None:
        raise NotFound(f"The run {run_id} does not exist")
    return run


def cancel(*, user: Caller, run_id: str) -> SyncRun:
    """Cancel a run, and return it as it is then.

    Raises:
        NotFound: there is none that *user* may see.
        PermissionDenied: it also covers nodes that are not the user's.
        Conflict: it has already ended.

    Cost: two queries, one more for an operator, and those of `cancel_run`.
    """
    run = find_run(user=user, run_id=run_id)
    if not may_cancel(user=user, run=run):
        raise PermissionDenied("This run is also about nodes that are not yours.")
    cancel_run(run, requested_by=str(user))
    return find_run(user=user, run_id=run_id)


def may_cancel(*, user: Caller, run: SyncRun) -> bool:
    """Say whether *user* could have started a visible run, and so may cancel it. One query for an operator."""
    operated = _visible_nodes(user)
    if operated is None:
        return True
    nodes: Any = run.listed.members if run.listed else run.nodes
    return not nodes.exclude(infrastructure__in=operated).exists()


@dataclass(frozen=True, kw_only=True)
class RunInFull:
    """A run, its progress in all nodes that the user may see, and what happened in the chosen ones."""

    run: SyncRun
    progress: Progress
    nodes: Sequence[SyncNode]
    choice: Choice


def names_in_run(*, user: Caller, run: SyncRun, choice: Choice) -> list[ListedNode]:
    """Return the names of the chosen nodes of a run that *user* may see. Cost: two queries."""
    return names_of_nodes(run, replace(choice, among=_visible_nodes(user)))


def in_full(*, user: Caller, run: SyncRun, choice: Choice = ALL) -> RunInFull:
    """Return a run with all that is known of the chosen nodes that *user* may see.

    Cost: four queries or five; two more for an operator.
    """
    among = _visible_nodes(user)
    progress = run.progress if among is None else progress_of(run, Choice(among=among))
    choice = replace(choice, among=among)
    return RunInFull(run=run, progress=progress, nodes=nodes_in_full(run, choice), choice=choice)


def _visible_nodes(user: Caller) -> QuerySet[Infrastructure] | None:
    return None if _manages(user) else Infrastructure.objects.operated_by(user)


def is_run_id(text: str) -> bool:
    """Say whether a run could have this id."""
    return bool(_RUN_ID.fullmatch(text))


def _manages(user: Caller) -> bool:
    return bool(user.has_perm(PROMOTE))


def _chosen_nodes(user: Caller, names: Collection[str], absent: Callable[[str], Exception]) -> list[Infrastructure]:
    return find_nodes_or_all(
        names,
        among=Infrastructure.objects.usable_by(user, all_with=PROMOTE),
        absent=lambda missing: absent(f"nodes: there is no node {missing}"),
    )


def _status_of(comparison: NodeComparison, flavors: Collection[Flavor]) -> NodeStatus:
    error = str(comparison.error.detail) if comparison.error else ""
    outcomes = (
        [unreachable(flavor.flavorid, flavor.name, error) for flavor in flavors]
        if error
        else [plan(finding).as_outcome() for finding in comparison.findings]
    )
    return NodeStatus(
        name=comparison.infrastructure.name,
        state=SyncNode.State.FAILED if error else SyncNode.State.DONE,
        error=error,
        compared_at=comparison.compared_at,
        outcomes=tuple(outcomes),
    )
