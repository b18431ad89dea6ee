"""One node's part of a run, in three steps: settle what is open there, survey the node, and repair it.

A survey uses no database, so that many can wait for their clouds at once; the other steps need a connection.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from django.utils import timezone

from flavors.catalogue.comparison import Finding
from flavors.models import Flavor
from infrastructures.clouds import open_nova, with_one_retry
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import CredentialsRefused
from infrastructures.openstack.nova import Nova
from infrastructures.replacements.replacing import settle_replacements
from infrastructures.threads import Threads
from synchronisation import removing
from synchronisation.access import bring_access
from synchronisation.comparing import Expected, findings_of, read_node, seen_besides
from synchronisation.models import Removal, SyncNode, SyncOutcome, SyncRun
from synchronisation.planning import DESTROYS, Step, fingerprint, plan
from synchronisation.repairing import MOST_CREATIONS, UNCONFIRMED, Action, Listener, Planned, Repair, Result, take_steps


@dataclass(frozen=True, kw_only=True)
class Part:
    """A node's part of a run, and what the node should have."""

    run: SyncRun
    node: SyncNode
    infrastructure: Infrastructure
    flavors: Sequence[Flavor]
    expected: Expected
    is_settled: bool
    """False if something is open in the node that the run settles first."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a node had when it was asked at *as_of*, and the plan for what is not in sync."""

    nova: Nova
    as_of: datetime
    findings: Sequence[Finding]
    planned: Sequence[Planned]

    @property
    def outcomes(self) -> list[SyncOutcome]:
        """The plan as outcomes, for the record."""
        return [outcome for _, outcome in self.planned]


def to_be_settled(run: SyncRun, infrastructures: Collection[Infrastructure]) -> set[int]:
    """Return the keys of the nodes with something open that the run settles first. At most two queries."""
    if not run.repairs:
        return set()
    open_there = set(
        Replacement.objects.filter(infrastructure__in=infrastructures).values_list("infrastructure", flat=True)
    )
    if _does_all(run):
        open_there |= set(
            Removal.objects.filter(infrastructure__in=infrastructures).values_list("infrastructure", flat=True)
        )
    return open_there


def settle(part: Part) -> None:
    """Finish or undo interrupted replacements in a node, and remove flavors that were deleted from the catalogue.

    Raises:
        CloudError: the node could not be asked.

    Cost: as `settle_replacements` and `remove_deleted`.
    """
    nova = with_one_retry(lambda: open_nova(part.infrastructure))
    settle_replacements(infrastructure=part.infrastructure, nova=nova)
    if _does_all(part.run):
        removing.remove_deleted(infrastructure=part.infrastructure, nova=nova)


def survey(part: Part) -> Found:
    """Ask a node what it has, compare, and plan; a failure that may pass is retried once.

    Raises:
        CloudError: the node could not be asked.

    Cost: no query; what `read_node` costs, and one upstream call for each flavor that is to be replaced.
    """
    nova = with_one_retry(lambda: open_nova(part.infrastructure))
    as_of = timezone.now()
    has = with_one_retry(lambda: read_node(nova, part.flavors))
    findings = findings_of(part.expected.wanted, has, exact=part.run.exact)
    steps = [plan(finding, replaces=part.run.replaces) for finding in findings]
    planned = [(step, _planned(part.run, part.node, step, nova)) for step in steps if step.takes_row]
    return Found(nova=nova, as_of=as_of, findings=[*findings, *seen_besides(part.expected, has)], planned=planned)


def is_to_be_repaired(part: Part, new: Collection[SyncOutcome]) -> bool:
    """Say whether a node may need a repair: it has access lists to apply, or *new* outcomes that are planned."""
    if not part.run.repairs:
        return False
    has_access_lists = _does_all(part.run) and not all(flavor.is_public for flavor in part.flavors)
    return has_access_lists or any(outcome.result == Result.PLANNED for outcome in new)


def repair(part: Part, found: Found, new: Collection[SyncOutcome], listen: Listener, stopped: Event) -> str:
    """Take the *new* steps of the plan, and apply access lists; return the error, or "".

    Cost: as `take_steps` and `bring_access`.
    """
    ids = {outcome.flavorid for outcome in new}
    planned = [(step, outcome) for step, outcome in found.planned if outcome.flavorid in ids]
    with Threads(MOST_CREATIONS) as threads:
        repairer = Repair(part.run, part.infrastructure, found.nova, threads)
        gone = take_steps(planned, repairer, part.node, listen, stopped)
    if gone or not _does_all(part.run):
        return gone
    brought = [wanted.flavor for wanted in part.expected.wanted if not wanted.ignored]
    return bring_access(infrastructure=part.infrastructure, nova=found.nova, flavors=brought)


def _does_all(run: SyncRun) -> bool:
    """Say whether a run also removes deleted flavors and applies access lists, which no preview shows."""
    return run.repairs and run.confirmed is None


def _planned(run: SyncRun, node: SyncNode, step: Step, nova: Nova) -> SyncOutcome:
    """Return the outcome of a planned step; before a flavor is replaced, the servers that use it are counted.

    If we may not count them, only that flavor fails.
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
