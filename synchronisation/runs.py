"""The synchronisation for those who may: managers of the promoted flavors everywhere, operators in their own nodes."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest_framework.exceptions import NotFound

from flavors.models import Flavor
from flavors.permissions import PROMOTE
from flavorsync_project.api.errors import Conflict
from identity.callers import Caller
from infrastructures.choosing import find_nodes_or_all
from infrastructures.models import Infrastructure
from synchronisation.comparing import NodeComparison, compare_nodes, promoted_flavors
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.planning import plan, unreachable
from synchronisation.querysets import SyncRunQuerySet
from synchronisation.tasks import start_run

_RUN_ID = re.compile("[1-9][0-9]{0,17}")


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """What a node has of each flavor right now; its members are those of a `SyncNode` whose run has just ended."""

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
        """Return the state that such a run would end in."""
        failed = [bool(node.error) for node in self.nodes]
        if any(failed):
            return SyncRun.State.FAILED if all(failed) else SyncRun.State.PARTLY_DONE
        actions = {outcome.action for node in self.nodes for outcome in node.outcomes}
        return SyncRun.State.DRIFT if actions - {SyncOutcome.Action.NOTHING} else SyncRun.State.IN_SYNC


def current_status(*, user: Caller, nodes: Collection[str] = (), flavorids: Collection[str] = ()) -> Status:
    """Compare the promoted flavors, or those of these ids, with what nodes have right now; no run is written down.

    Args:
        nodes: their names; without any, all that *user* may synchronise and we can enter.

    Raises:
        NotFound: there is no such node, or no such promoted flavor.
        PermissionDenied: a node is not the user's.

    Cost: two queries, two more with *nodes*; and what `compare_nodes` costs.
    """
    infrastructures = _chosen_nodes(user, nodes, absent=NotFound)
    flavors = promoted_flavors(flavorids, absent=NotFound)
    compared = compare_nodes(infrastructures=infrastructures, flavors=flavors)
    return Status(nodes=tuple(_status_of(comparison, flavors) for comparison in compared))


def start(*, user: Caller, values: Mapping[str, Any]) -> SyncRun:
    """Put a run into the queue, and return it as `find_run` does.

    Args:
        values: by the members of the API; without `nodes`, all that *user* may synchronise and we
            can enter, without `flavors` all that are promoted.

    Raises:
        Conflict: there is no such node or no such promoted flavor, or no node at all.
        PermissionDenied: a node is not the user's.

    Cost: some ten queries.
    """
    infrastructures = _chosen_nodes(user, values.get("nodes", ()), absent=Conflict)
    if not infrastructures:
        raise Conflict("nodes: there is none yet with credentials to enter it")
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
    """Return all runs to a manager, and to an operator those about a node of theirs."""
    return SyncRun.objects.visible_to(user, manages=_manages(user))


def find_run(*, user: Caller, run_id: str) -> SyncRun:
    """Return a run in full, but for the nodes that are not the user's to see.

    Raises:
        NotFound: there is none that *user* may see.

    Cost: three queries.
    """
    nodes = SyncNode.objects.visible_to(user, manages=_manages(user))
    run = visible_runs(user).in_full(nodes).filter(pk=run_id).first() if is_run_id(run_id) else None
    if run is None:
        raise NotFound(f"The run {run_id} does not exist")
    return run


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
        [unreachable(flavor, error) for flavor in flavors]
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
