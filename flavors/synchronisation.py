"""Every promoted flavor in every node: compared, planned and, when asked for, made so.

A run is written down before it begins and as it goes, node by node. Its plan is made from what a
node has at that moment, so a run can be cut short anywhere and done again.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any, Self

from django.db import IntegrityError, connections
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from rest_framework.exceptions import APIException, NotFound

from flavors import removing
from flavors.catalogue import recording, sightings
from flavors.catalogue.comparison import Finding, NodeFlavors, Wanted, compare, differences_between
from flavors.catalogue.dropping import dropped_values
from flavors.models import NOVA_MEMBERS, Flavor, SyncNode, SyncOutcome, SyncRun
from flavors.planning import DESTROYS, IN_PLACE, Step, fingerprint, plan, unreachable
from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import CLOUDS_AT_ONCE, Outcome, in_each_cloud, open_nova, with_one_retry
from infrastructures.commits import MayBeWritten, NotWritten, is_lost, write_certainly
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import (
    CloudError,
    CloudTimedOut,
    CloudUnreachable,
    CredentialsRefused,
    FlavorNotFound,
)
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.changes import alone_with, create_flavor, delete_flavor, keep_watching
from infrastructures.replacements.replacing import replace_flavor, settle_replacements

logger = logging.getLogger(__name__)

Action = SyncOutcome.Action
Result = SyncOutcome.Result

SECONDS_TO_WAIT_FOR_A_NODE = 60
# A scheduler keeps a run for the moment that it takes to see whether it was cut short.
SECONDS_TO_WAIT_FOR_A_LOOK = 5
SECONDS_BETWEEN_RECORDS = 0.5
MAX_ATTEMPTS = 3
STOPPED = "The run was stopped."
UNREGISTERED = "The node is no longer registered."
UNCONFIRMED = "It is not as it was when this was confirmed, so it was left alone."

Listener = Callable[[SyncNode, SyncOutcome | None], None]
"""Hears of every outcome of a node that is final and, with None, that the node has ended; in the node's thread."""

Planned = tuple[Step, SyncOutcome]


@dataclass(frozen=True, kw_only=True)
class NodeComparison:
    """What a node has of each flavor, or the error for which that is not known."""

    infrastructure: Infrastructure
    compared_at: datetime
    findings: tuple[Finding, ...] = ()
    error: CloudError | None = None


# Comparing


def compare_nodes(
    *, infrastructures: Sequence[Infrastructure], flavors: Sequence[Flavor], exact: bool = False
) -> list[NodeComparison]:
    """Compare flavors of the catalogue with what nodes have right now; what was seen is written down.

    So is what was seen of all else that the catalogue knows these nodes to have.

    Cost: three queries or four, and those of `record_findings`; in each node, side by side, what `read_node` costs,
    tried once more when the node fails.
    """
    expected = _expected_by_node(infrastructures, flavors)
    as_of = timezone.now()
    outcomes = in_each_cloud(infrastructures, lambda nova: read_node(nova, flavors), retries=True)
    compared = [
        NodeComparison(
            infrastructure=outcome.infrastructure,
            compared_at=timezone.now(),
            findings=_findings(expected[outcome.infrastructure.pk].wanted, outcome.result, exact=exact),
            error=outcome.error,
        )
        for outcome in outcomes
    ]
    seen = {each.infrastructure: list(each.findings) for each in compared}
    for outcome in outcomes:
        seen[outcome.infrastructure] += _seen_besides(expected[outcome.infrastructure.pk], outcome.result)
    sightings.record_findings(seen, as_of=as_of)
    return compared


def look_into(infrastructures: Sequence[Infrastructure]) -> list[Outcome[NodeFlavors]]:
    """Return all flavors that nodes have right now; what that tells of the catalogue's is written down.

    Cost: two queries or three, and those of `record_findings`; in each node, side by side, one upstream call per page
    of Nova's.
    """
    expected = _expected_by_node(infrastructures, ())
    as_of = timezone.now()
    outcomes = in_each_cloud(infrastructures, lambda nova: read_node(nova, ()))
    seen = {each.infrastructure: _seen_besides(expected[each.infrastructure.pk], each.result) for each in outcomes}
    sightings.record_findings(seen, as_of=as_of)
    return outcomes


def read_node(nova: Nova, flavors: Collection[Flavor]) -> NodeFlavors:
    """Return all flavors that a node has, those that *flavors* may be compared with whole.

    Cost: one upstream call per page of Nova's; one more for each of those flavors where Nova does
    not tell extra specs in passing (before microversion 2.61).
    """
    ids = {flavor.flavorid for flavor in flavors}
    names = {flavor.name.lower() for flavor in flavors}
    return NodeFlavors.of(
        (
            _with_extra_specs(nova, flavor) if flavor.id in ids or flavor.name.lower() in names else flavor
            for flavor in nova.list_flavors()
        ),
        keeps_descriptions=nova.keeps_descriptions,
    )


def promoted_flavors(
    flavorids: Collection[str] = (), *, absent: Callable[[str], APIException] = Conflict
) -> list[Flavor]:
    """Return the promoted flavors, or those of these ids.

    Raises:
        Conflict, or what *absent* makes: one of the ids is that of no promoted flavor.

    Cost: one query.
    """
    flavors = list(Flavor.objects.promoted().chosen(flavorids))
    if missing := sorted(set(flavorids) - {flavor.flavorid for flavor in flavors}):
        raise absent(f"flavors: there is no promoted flavor {', '.join(missing)}")
    return flavors


# Running


def create_run(
    *,
    requested_by: str,
    infrastructures: Iterable[Infrastructure],
    flavorids: Collection[str] = (),
    repairs: bool = False,
    replaces: bool = False,
    exact: bool = False,
    periodic: bool = False,
    confirmed: Collection[str] | None = None,
    even_deleted: bool = False,
) -> SyncRun:
    """Write down a run over these nodes and the promoted flavors, or those of these ids; it waits to be carried out.

    Args:
        even_deleted: whether *flavorids* may name flavors that are in the catalogue no longer.
        repairs: whether drift is repaired, and not only found.
        replaces: whether flavors whose numbers differ are replaced.
        exact: whether extra specs that the catalogue does not name are taken away.
        confirmed: the fingerprints of what may be replaced or changed in place, and nothing else; None is all.

    Raises:
        Conflict: an id is that of no promoted flavor.

    A node that has just been unregistered is one of which the run says so.

    Cost: three queries, one more with *flavorids*.
    """
    if flavorids and not even_deleted:
        promoted_flavors(flavorids)
    chosen = list(infrastructures)
    run = SyncRun(
        requested_by=requested_by,
        repairs=repairs,
        replaces=replaces,
        exact=exact,
        flavorids=list(flavorids),
        periodic=periodic,
        confirmed=None if confirmed is None else sorted(confirmed),
    )
    written = SyncRun.objects.select_for_update()
    write_certainly(
        lambda: _write_down(run, chosen),
        is_written=lambda: written.filter(pk=run.pk, created_at=run.created_at).exists(),
    )
    return run


def _write_down(run: SyncRun, infrastructures: Collection[Infrastructure]) -> None:
    run.pk = None  # what was written before, and lost with its connection, had another
    run.save(force_insert=True)
    keys = [infrastructure.pk for infrastructure in infrastructures]
    still_there = Infrastructure.objects.filter(pk__in=keys).order_by("pk").select_for_update()
    there = set(still_there.values_list("pk", flat=True))
    SyncNode.objects.bulk_create(
        SyncNode(
            run=run,
            infrastructure_id=infrastructure.pk if infrastructure.pk in there else None,
            name=infrastructure.name,
        )
        for infrastructure in infrastructures
    )


def carry_out(run_id: int, *, listen: Listener = lambda node, outcome: None) -> SyncRun:
    """Carry a run out, or go on with one that was cut short, and return it as it is then.

    All nodes are worked on side by side, each in a thread and over a database connection of its
    own; none waits for another. A run that has ended, or that somebody else is at, is left alone.
    Ctrl-C (in the main thread) ends it as failed or partly done, each node after the step that it is at.

    Cost: some ten queries, and per node some eight and one upstream call; more for what is to be done.
    """
    try:
        with exclusive(_lock_of(run_id), wait=SECONDS_TO_WAIT_FOR_A_LOOK):
            _carry_out(run_id, listen)
    except Locked:
        logger.info("Run %s is being carried out by somebody else", run_id)
    return SyncRun.objects.get(pk=run_id)


@contextmanager
def left_alone(run: SyncRun) -> Iterator[None]:
    """Keep a run from being carried out meanwhile.

    Raises:
        Locked: somebody is at it.
    """
    with exclusive(_lock_of(run.pk)):
        yield


def _lock_of(run_id: int) -> str:
    return f"run:{run_id}"


def _carry_out(run_id: int, listen: Listener) -> None:
    claimed = SyncRun.objects.open().filter(pk=run_id)
    if not claimed.update(
        # Not Now(): MariaDB's is in the time zone of its server.
        state=SyncRun.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", timezone.now()),
    ):
        return
    run = SyncRun.objects.get(pk=run_id)
    stopped = Event()
    work = partial(_work_on, run, listen=listen, stopped=stopped)
    with ThreadPoolExecutor(CLOUDS_AT_ONCE) as pool:
        futures = [pool.submit(copy_context().run, work, node) for node in run.nodes.unfinished()]
        try:
            wait(futures)
        except KeyboardInterrupt:
            stopped.set()
        for future in futures:
            future.result()
    SyncRun.objects.filter(pk=run.pk).update(state=_end_of(run), finished_at=timezone.now())


def _end_of(run: SyncRun) -> SyncRun.State:
    """Return the state that the run ends in, by those of its nodes. Cost: one query."""
    found = set(run.nodes.order_by().values_list("pk", "state", "outcomes__result", "outcomes__action").distinct())
    failed = {node for node, state, result, _ in found if state == SyncNode.State.FAILED or result == Result.FAILED}
    if failed:
        something = any(node not in failed or result == Result.DONE for node, _, result, _ in found)
        return SyncRun.State.PARTLY_DONE if something else SyncRun.State.FAILED
    drift = any(action == Action.CANNOT or result == Result.PLANNED for _, _, result, action in found)
    return SyncRun.State.DRIFT if drift else SyncRun.State.IN_SYNC


# One node, in a thread of its own


def _work_on(run: SyncRun, node: SyncNode, *, listen: Listener, stopped: Event) -> None:
    """Do the run's work in one node; whatever fails there is written down and touches no other node.

    Raises:
        OperationalError, InterfaceError: the connection to the database is lost. The run stays open, to be taken up.
    """
    try:
        node.state, node.started_at = SyncNode.State.RUNNING, timezone.now()
        node.save(update_fields=["state", "started_at"])
        try:
            node.error = STOPPED if stopped.is_set() else _synchronise(run, node, listen, stopped)
        except Exception as error:
            if is_lost(error):
                raise  # not the node's failure: it stays unfinished
            # The others go on, and the run comes to its end.
            logger.exception("Run %s failed in %s", run.pk, node.name)
            node.error = "Flavor Sync itself failed here; its log says how."
            connections.close_all()  # it may be what failed: the end is written down over a new one
        node.state = SyncNode.State.FAILED if node.error else SyncNode.State.DONE
        node.finished_at = timezone.now()
        node.save(update_fields=["state", "error", "finished_at"])
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
            flavors = list(Flavor.objects.promoted().chosen(run.flavorids))
            expected = _expected_by_node([infrastructure], flavors)[infrastructure.pk]
            try:
                nova = with_one_retry(lambda: open_nova(infrastructure))
                if run.repairs:
                    settle_replacements(infrastructure=infrastructure, nova=nova)
                    removing.remove_deleted(infrastructure=infrastructure, nova=nova)
                as_of = timezone.now()
                has = with_one_retry(lambda: read_node(nova, flavors))
                findings = _findings(expected.wanted, has, exact=run.exact)
                steps = [plan(finding, replaces=run.replaces) for finding in findings]
                planned = [(step, _planned(run, node, step, nova)) for step in steps]
            except CloudError as error:
                _write_unreachable(node, expected.wanted, error)
                return str(error.detail)
            sightings.record_findings({infrastructure: [*findings, *_seen_besides(expected, has)]}, as_of=as_of)
            outcomes = _write_plan(run, node, planned, listen)
            if not run.repairs:
                return ""
            return _repair(outcomes, _Repair(run, infrastructure, nova), node, listen, stopped)
    except Locked:
        return "Another run is at work in this node."


def _write_unreachable(node: SyncNode, wanted: Iterable[Wanted], error: CloudError) -> None:
    node.outcomes.all().delete()
    outcomes = [unreachable(each.flavor, str(error.detail)) for each in wanted]
    for outcome in outcomes:
        outcome.node = node
    SyncOutcome.objects.bulk_create(outcomes)
    _note_comparison(node, unreachable=True)


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


def _write_plan(run: SyncRun, node: SyncNode, planned: list[Planned], listen: Listener) -> list[Planned]:
    """Write the plan down, and return what of it is new.

    What an earlier attempt has done stays written down as done, unless it is to be done again.
    """
    node.compared_at, node.unreachable = timezone.now(), False
    new: list[Planned] = []

    def write() -> None:
        new[:] = _not_settled(run, node, planned)
        SyncOutcome.objects.bulk_create(outcome for _, outcome in new)
        node.save(update_fields=["compared_at", "unreachable"])

    same = SyncNode.objects.select_for_update().filter(pk=node.pk, compared_at=node.compared_at)
    write_certainly(write, is_written=same.exists)
    for _, outcome in new:
        if not (run.repairs and outcome.result == Result.PLANNED):
            listen(node, outcome)
    return new


def _not_settled(run: SyncRun, node: SyncNode, planned: list[Planned]) -> list[Planned]:
    """Return what of a plan an earlier attempt has not done already, and forget what that one left undone."""
    if run.attempts == 1:
        return planned
    settled = set(node.outcomes.filter(result=Result.DONE).values_list("flavorid", flat=True))
    settled &= {outcome.flavorid for step, outcome in planned if step.action == Action.NOTHING}
    node.outcomes.exclude(flavorid__in=settled).delete()
    return [(step, outcome) for step, outcome in planned if outcome.flavorid not in settled]


def _note_comparison(node: SyncNode, *, unreachable: bool = False) -> None:
    node.compared_at, node.unreachable = timezone.now(), unreachable
    node.save(update_fields=["compared_at", "unreachable"])


def _repair(planned: Iterable[Planned], repair: "_Repair", node: SyncNode, listen: Listener, stopped: Event) -> str:
    """Take the steps one after the other until the cloud is gone or the run is stopped; return which, or ""."""
    gone: CloudError | None = None
    with _Record(repair, node, listen) as record:
        for step, outcome in planned:
            if outcome.result != Result.PLANNED:
                continue
            if stopped.is_set():
                return STOPPED
            began = time.monotonic()
            try:
                if gone:
                    raise gone
                repair.take(step)
                outcome.result = Result.DONE
            except APIException as error:
                outcome.result, outcome.reason = Result.FAILED, str(error.detail)
                if isinstance(error, CloudUnreachable | CloudTimedOut):
                    gone = error.plain()  # the next step would only wait as long
            outcome.seconds = round(time.monotonic() - began, 3)
            record.add(step, outcome)
    return str(gone.detail) if gone else ""


class _Record:
    """What was done in a node until it is written down, many steps at once: a commit for each costs as much as a call.

    It is written when a step ends half a second or more after the last time, and at the end of the block. A run
    that is killed before that finds it again by comparing.
    """

    def __init__(self, repair: "_Repair", node: SyncNode, listen: Listener) -> None:
        self._repair = repair
        self._node = node
        self._listen = listen
        self._taken: list[Planned] = []
        self._written_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def add(self, step: Step, outcome: SyncOutcome) -> None:
        """Add a step that was taken, or could not be."""
        self._taken.append((step, outcome))
        if time.monotonic() - self._written_at >= SECONDS_BETWEEN_RECORDS:
            self._write()

    def _write(self) -> None:
        taken, self._taken = self._taken, []
        if taken:
            self._repair.record(taken)
        for _, outcome in taken:
            self._listen(self._node, outcome)
        self._written_at = time.monotonic()


@dataclass(frozen=True)
class _Repair:
    """Takes the steps of a run's plan in one node, Nova first, then the record."""

    run: SyncRun
    infrastructure: Infrastructure
    nova: Nova
    # The flavors as the catalogue had them when their turn came, by key
    applied: dict[int, Flavor] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Take one step in the cloud.

        Raises:
            CloudError, Conflict: it could not be taken.
        """
        match step.action:
            case Action.CREATE:
                wanted = self._wanted_now(step.finding).as_nova()
                create_flavor(infrastructure=self.infrastructure, nova=self.nova, flavor=wanted)
            case Action.UPDATE:
                self._update(step.finding)
            case Action.REPLACE:
                self._replace(step.finding)

    def record(self, taken: Sequence[Planned]) -> None:
        """Write down what came of steps; what was created and cannot be recorded is deleted again, and has failed.

        Cost: three queries, in one transaction; some six for each step when one of them cannot be recorded.
        """
        installed = {
            self._applied(step): flavorid for step, outcome in taken if (flavorid := _to_record(step, outcome))
        }
        found = [step.finding.has for step, outcome in taken if step.finding.has and _to_record(step, outcome)]
        if found:
            journal.want([self.infrastructure], found)
        try:
            recording.record_repairs(
                infrastructure=self.infrastructure,
                installed=installed,
                outcomes=[outcome for _, outcome in taken],
                made=[self._applied(step) for step, _ in taken if step.action == Action.CREATE],
            )
        except IntegrityError:
            for step, outcome in taken:
                self._record_alone(step, outcome)
        except (MayBeWritten, NotWritten):
            raise  # what is only in the node is found there by the next run
        except Exception:
            self._take_all_back(taken)
            raise

    def _record_alone(self, step: Step, outcome: SyncOutcome) -> None:
        try:
            self._record_installation(step, outcome)
        except APIException as error:
            outcome.result, outcome.reason = Result.FAILED, str(error.detail)
        outcome.save(update_fields=["result", "reason", "seconds"])

    def _record_installation(self, step: Step, outcome: SyncOutcome) -> None:
        flavorid = _to_record(step, outcome)
        if not flavorid:
            return
        try:
            recording.record_installation(
                flavor=self._applied(step),
                infrastructure=self.infrastructure,
                flavorid=flavorid,
                made=step.action == Action.CREATE,
            )
        except (MayBeWritten, NotWritten):
            raise
        except Exception:
            self._take_back(step, outcome)
            raise

    def _take_all_back(self, taken: Iterable[Planned]) -> None:
        """Delete what was created, as far as the cloud lets us; the next run adopts what stays."""
        for step, outcome in taken:
            try:
                self._take_back(step, outcome)
            except Exception:
                logger.exception("%s keeps flavor %s, which is not recorded", self.infrastructure, outcome.flavorid)

    def _take_back(self, step: Step, outcome: SyncOutcome) -> None:
        if step.action == Action.CREATE and outcome.result == Result.DONE:
            delete_flavor(
                infrastructure=self.infrastructure, nova=self.nova, flavorid=step.finding.wanted.flavor.flavorid
            )

    def _applied(self, step: Step) -> Flavor:
        return self.applied.get(step.finding.wanted.flavor.pk, step.finding.wanted.flavor)

    def _wanted_now(self, finding: Finding) -> Flavor:
        """Return the flavor as the catalogue has it by now: a step may come long after its node was compared.

        Raises:
            NotFound: it is no longer promoted.
            Conflict: it has changed, and what was confirmed is something else.
        """
        planned = finding.wanted.flavor
        flavor = Flavor.objects.promoted().filter(pk=planned.pk).first()
        if flavor is None:
            raise NotFound(f"The flavor {planned.flavorid} does not exist")
        if self.run.confirmed is not None and flavor.as_nova() != planned.as_nova():
            raise Conflict(UNCONFIRMED)
        self.applied[flavor.pk] = flavor
        return flavor

    def _update(self, finding: Finding) -> None:
        flavorid = self._id_of(finding)
        with alone_with(self.infrastructure, flavorid):
            flavor, has = self._wanted_now(finding), finding.has or finding.wanted.nova
            wanted = flavor.as_nova(flavorid)
            differences = differences_between(
                wanted,
                has,
                exact=self.run.exact,
                descriptions=self.nova.keeps_descriptions,
                dropped=dropped_values([flavor]).get(flavor.pk, {}),
            )
            if any(not difference.key and difference.member not in IN_PLACE for difference in differences):
                raise Conflict(f"The flavor {wanted.id} has just been changed in the catalogue by somebody else.")
            if any(difference.member == "description" for difference in differences):
                self.nova.describe_flavor(flavorid, wanted.description)
            specs = {difference.key: difference.catalogue for difference in differences if difference.key}
            if changed := {key: str(value) for key, value in specs.items() if value is not None}:
                self.nova.set_extra_specs(flavorid, changed)
            for key in sorted(specs.keys() - changed.keys()):
                self.nova.unset_extra_spec(flavorid, key)
            keep_watching(infrastructure=self.infrastructure, nova=self.nova, flavorid=flavorid)

    def _replace(self, finding: Finding) -> None:
        def changes(old: NovaFlavor) -> dict[str, Any]:
            """Keep what the node has by now and the catalogue does not name."""
            flavor = self._wanted_now(finding)
            wanted = flavor.as_nova(old.id)
            if self.run.confirmed is not None and finding.has and old.row != finding.has.row:
                raise Conflict(UNCONFIRMED)
            dropped = dropped_values([flavor]).get(flavor.pk, {})
            theirs = {} if self.run.exact else old.extra_specs or {}
            kept = {key: value for key, value in theirs.items() if value not in dropped.get(key, ())}
            members = [member for member in NOVA_MEMBERS if self.nova.keeps_descriptions or member != "description"]
            values = {member: getattr(wanted, member) for member in members}
            return {**values, "extra_specs": {**kept, **(wanted.extra_specs or {})}}

        replace_flavor(
            infrastructure=self.infrastructure,
            nova=self.nova,
            flavorid=self._id_of(finding),
            changes=changes,
            requested_by=self.run.requested_by,
        )

    @staticmethod
    def _id_of(finding: Finding) -> str:
        return finding.has.id if finding.has else finding.wanted.nova.id


def _to_record(step: Step, outcome: SyncOutcome) -> str:
    """Return the id under which the node has the flavor now, "" where the step has failed."""
    if outcome.result != Result.DONE:
        return ""
    return step.finding.has.id if step.finding.has else step.finding.wanted.flavor.flavorid


# What is wanted where


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """What a node shall have, and what else of the public catalogue it is known to have."""

    wanted: Sequence[Wanted]
    besides: Sequence[Wanted]


def _expected_by_node(infrastructures: Collection[Infrastructure], flavors: Collection[Flavor]) -> dict[int, _Expected]:
    """Return, by the nodes' keys, what each shall have of these flavors, and what else it is known to have.

    Cost: three queries; one more where other flavors are known.
    """
    recorded, dropped = sightings.known_ids(infrastructures), dropped_values(flavors)
    others = {flavor for flavor, _ in recorded} - {flavor.pk for flavor in flavors}
    published = Flavor.objects.published().in_bulk(others)
    besides: dict[int, list[Wanted]] = defaultdict(list)
    for (flavor, node), flavorid in recorded.items():
        if flavor in published:
            besides[node].append(Wanted(flavor=published[flavor], recorded_as=flavorid))
    return {
        node.pk: _Expected(
            wanted=[
                Wanted(
                    flavor=flavor,
                    recorded_as=recorded.get((flavor.pk, node.pk), ""),
                    dropped=dropped.get(flavor.pk, {}),
                )
                for flavor in flavors
            ],
            besides=besides[node.pk],
        )
        for node in infrastructures
    }


def _seen_besides(expected: _Expected, has: NodeFlavors | None) -> Iterator[Finding]:
    """Yield what a node's list tells of the other flavors, which no run repairs.

    Where it does not tell extra specs, nothing is known of a flavor for which the catalogue names some.
    """
    for finding in _findings(expected.besides, has, others=expected.wanted):
        if finding.has is None or finding.has.extra_specs is not None or not finding.wanted.flavor.extra_specs:
            yield finding


def _findings(
    wanted: Collection[Wanted], has: NodeFlavors | None, *, exact: bool = False, others: Collection[Wanted] = ()
) -> tuple[Finding, ...]:
    if has is None:
        return ()
    # A flavor that was renamed here has its old name there still, which may be another one's by now.
    ids = {known for each in (*wanted, *others) for known in (each.flavor.flavorid, each.recorded_as)}
    return tuple(compare(each, has, exact=exact, of_others=ids) for each in wanted)


def _with_extra_specs(nova: Nova, flavor: NovaFlavor) -> NovaFlavor:
    """Return the flavor whole, or as it is where Nova does not let us see its extra specs."""
    try:
        return nova.with_extra_specs(flavor)
    except (CredentialsRefused, FlavorNotFound):
        return flavor
