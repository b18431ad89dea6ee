"""One node's part of a run: compared, planned and, when asked for, repaired, in a thread of its own."""

import logging
from collections.abc import Collection
from threading import Event

from django.db import connections
from django.utils import timezone

from flavors.catalogue import sightings
from flavors.models import Flavor
from infrastructures.clouds import open_nova, with_one_retry
from infrastructures.commits import is_lost
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, CredentialsRefused
from infrastructures.openstack.nova import Nova
from infrastructures.replacements.replacing import settle_replacements
from synchronisation import removing
from synchronisation.access import bring_access
from synchronisation.comparing import expected_by_node, findings_of, read_node, seen_besides
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.planning import DESTROYS, Step, fingerprint, plan
from synchronisation.recording import record_end, record_plan, record_start, record_unreachable
from synchronisation.repairing import STOPPED, UNCONFIRMED, Action, Listener, Planned, Repair, Result, take_steps

logger = logging.getLogger(__name__)

SECONDS_TO_WAIT_FOR_A_NODE = 60
UNREGISTERED = "The node is no longer registered."


def work_on(run: SyncRun, node: SyncNode, *, listen: Listener, stopped: Event) -> None:
    """Do the run's work in one node; whatever fails there is written down and touches no other node.

    Raises:
        OperationalError, InterfaceError: the connection to the database is lost. The run stays open, to be taken up.
    """
    try:
        record_start(node)
        try:
            error = STOPPED if stopped.is_set() else _synchronise(run, node, listen, stopped)
        except Exception as failure:
            if is_lost(failure):
                raise  # not the node's failure: it stays unfinished
            # The others go on, and the run comes to its end.
            logger.exception("Run %s failed in %s", run.pk, node.name)
            error = "Flavor Sync itself failed here; its log says why."
            connections.close_all()  # it may be what failed: the end is written down over a new one
        record_end(node, error=error)
        listen(node, None)
    finally:
        connections.close_all()


def _synchronise(run: SyncRun, node: SyncNode, listen: Listener, stopped: Event) -> str:
    """Compare, plan and repair; return what kept the node as a whole from it, or "".

    What the node shall have is read when nobody else is at work in it any more.
    """
    if node.infrastructure_id is None:
        return UNREGISTERED
    try:
        with exclusive(f"synchronisation:{node.infrastructure_id}", wait=SECONDS_TO_WAIT_FOR_A_NODE):
            infrastructure = Infrastructure.objects.filter(pk=node.infrastructure_id).first()
            if infrastructure is None:
                return UNREGISTERED
            flavors = list(Flavor.objects.wanted_in_nodes().chosen(run.flavorids))
            expected = expected_by_node([infrastructure], flavors)[infrastructure.pk]
            # What was confirmed is done and nothing else: neither deletions nor access lists were shown.
            does_all = run.repairs and run.confirmed is None
            try:
                nova = with_one_retry(lambda: open_nova(infrastructure))
                if run.repairs:
                    settle_replacements(infrastructure=infrastructure, nova=nova)
                if does_all:
                    removing.remove_deleted(infrastructure=infrastructure, nova=nova)
                as_of = timezone.now()
                has = with_one_retry(lambda: read_node(nova, flavors))
                findings = findings_of(expected.wanted, has, exact=run.exact)
                steps = [plan(finding, replaces=run.replaces) for finding in findings]
                planned = [(step, _planned(run, node, step, nova)) for step in steps]
            except CloudError as error:
                record_unreachable(run=run, node=node, flavors=flavors, error=str(error.detail))
                return str(error.detail)
            sightings.record_findings({infrastructure: [*findings, *seen_besides(expected, has)]}, as_of=as_of)
            outcomes = _write_plan(run, node, flavors, planned, listen)
            if not run.repairs:
                return ""
            gone = take_steps(outcomes, Repair(run, infrastructure, nova), node, listen, stopped)
            if gone or not does_all:
                return gone
            return bring_access(infrastructure=infrastructure, nova=nova, flavors=flavors)
    except Locked:
        return "Another run is at work in this node."


def _planned(run: SyncRun, node: SyncNode, step: Step, nova: Nova) -> SyncOutcome:
    """Return what is written down of a step; before a flavor is replaced, the servers that use it are counted.

    Where we may not count them, that flavor fails, and the node's others do not.
    """
    outcome = step.as_outcome()
    outcome.node_id = node.pk
    outcome.result = Result.NONE if step.action in (Action.NOTHING, Action.CANNOT) else Result.PLANNED
    if step.action == Action.REPLACE and step.finding.has:
        try:
            outcome.servers = nova.count_servers(step.finding.has.id)
        except CredentialsRefused as error:
            outcome.result, outcome.reason = Result.FAILED, str(error.detail)
    if outcome.result == Result.PLANNED and not _is_confirmed(run, node, step, outcome.servers):
        outcome.action, outcome.result, outcome.reason = Action.CANNOT, Result.NONE, UNCONFIRMED
    return outcome


def _is_confirmed(run: SyncRun, node: SyncNode, step: Step, servers: int | None) -> bool:
    if run.confirmed is None or step.action not in DESTROYS:
        return True
    return fingerprint(step, node=node.infrastructure_id or 0, servers=servers) in run.confirmed


def _write_plan(
    run: SyncRun, node: SyncNode, flavors: Collection[Flavor], planned: list[Planned], listen: Listener
) -> list[Planned]:
    """Write the plan down, and return what of it is new."""
    recorded = record_plan(run=run, node=node, flavors=flavors, outcomes=[outcome for _, outcome in planned])
    for outcome in recorded:
        if not (run.repairs and outcome.result == Result.PLANNED):
            listen(node, outcome)
    new = {outcome.flavorid for outcome in recorded}
    return [(step, outcome) for step, outcome in planned if outcome.flavorid in new]
