"""A crew's work on a run, in many nodes in parallel: each is begun, asked and, if needed, repaired.

A crew claims a few nodes at a time (`claiming`), so that as many crews as there are workers share a run.

Many threads ask the clouds at once: they only wait, and use no database. The thread that carries out the run records
the responses, for many nodes at once and over one connection, which also locks the nodes against other runs. Only a
repair takes a thread with a connection of its own. So a cloud that does not respond delays no other, and a process
has a bounded number of connections.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, TypeVar

from flavors.catalogue import sightings
from flavors.models import Flavor
from infrastructures.clouds import CLOUDS_AT_ONCE
from infrastructures.commits import is_lost
from infrastructures.locks import Keeper
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError
from infrastructures.threads import ConnectedThreads, Threads, until_interrupted
from synchronisation.backing_off import left_alone
from synchronisation.claiming import claim, claim_all
from synchronisation.comparing import expected_by_node, tell_causes
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.node import Found, Part, is_to_be_repaired, repair, settle, survey, to_be_settled
from synchronisation.recording import (
    STOPPED,
    created_unrecorded,
    record_ends,
    record_plans,
    record_starts,
    record_unreachable,
)
from synchronisation.repairing import Listener, Result

logger = logging.getLogger(__name__)

NODES_AT_ONCE = 128
# Beginning one node costs as many queries as beginning many.
FEWEST_TO_BEGIN = 16
# Divides a run's nodes, so that other crews get some, too
SHARE = 4
# A node that has not responded by then no longer counts against the crew's share.
SECONDS_IN_PLACE = 1.0
# A crew with this many repairs leaves further nodes to others.
MOST_REPAIRS = 2 * CLOUDS_AT_ONCE
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_WAIT_FOR_A_NODE = 60
SECONDS_BETWEEN_TRIES = 0.2

UNREGISTERED = "The node is no longer registered."
TAKEN = "Another run is at work in this node."
OUR_FAULT = "Flavor Sync itself failed here; its log says why."

T = TypeVar("T")

Results = list[tuple[Part, Any]]
Step = Callable[[Results], None]
"""What to do with nodes once their threads have finished, given the results."""


@dataclass(frozen=True)
class _Errand:
    """A thread's work in a node, and the step that follows it."""

    part: Part
    step: Step
    threads: Threads
    began: float = field(default_factory=time.monotonic)


class Crew:
    """Works on nodes of one run, first on *nodes*, which it has already claimed, until none is left to claim."""

    def __init__(self, run: SyncRun, name: str, listen: Listener, nodes: Iterable[SyncNode] = ()) -> None:
        self._run = run
        self._name = name
        self._listen = listen
        self._waiting = deque(nodes)
        self._look_again_at = 0.0
        self._is_exhausted = False
        self._stopped = Event()
        self._locks = Keeper()
        self._asking = Threads(NODES_AT_ONCE)
        self._repairing = ConnectedThreads(CLOUDS_AT_ONCE)
        self._under_way: dict[Future[Any], _Errand] = {}
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()
        self._refused_since: dict[int, float] = {}
        self._lost: BaseException | None = None

    def work(self) -> None:
        """Do the run's work; a failure in a node is recorded and affects no other node.

        Raises:
            OperationalError, InterfaceError: a database connection is lost. The run stays open, to be taken up again.

        Cost: some thirty queries for each `FEWEST_TO_BEGIN` nodes or more, and one upstream call in each node; more
        for repairs.
        """
        with until_interrupted(self._stopped), self._locks, self._asking, self._repairing:
            try:
                self._begin()
                while self._waiting or self._under_way:
                    self._go_on()
                    self._begin()
            except BaseException:
                self._stopped.set()
                for future in self._under_way:
                    future.cancel()
                raise
        if self._lost:
            raise self._lost

    # Beginning

    def _begin(self) -> None:
        """Begin as many nodes as there is room for; those that another run works on are tried again later."""
        if self._is_stopped():
            self._end(dict.fromkeys([*self._waiting, *claim_all(self._run, self._name)], STOPPED))
            self._waiting.clear()
            return
        while room := self._room():
            self._take_over(room)
            if not (chosen := [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]):
                return
            taken = self._locks.take([_lock_of(node) for node in chosen])
            refused = [node for node in chosen if _lock_of(node) not in taken]
            self._start([node for node in chosen if node not in refused])
            given_up = [node for node in refused if self._has_waited(node)]
            self._end(dict.fromkeys(given_up, TAKEN))
            self._waiting.extend(node for node in refused if node not in given_up)
            if refused:
                return

    def _is_stopped(self) -> bool:
        """Say whether the run was stopped by Ctrl-C or cancelled. One query every `SECONDS_BETWEEN_LOOKS`."""
        if time.monotonic() >= self._look_again_at:
            self._look_again_at = time.monotonic() + SECONDS_BETWEEN_LOOKS
            self._is_exhausted = False
            if SyncRun.objects.filter(pk=self._run.pk, cancelled_at__isnull=False).exists():
                self._stopped.set()
        return self._stopped.is_set()

    def _room(self) -> int:
        """Return how many nodes to begin now: rather none than a few."""
        errands = self._under_way.values()
        if sum(errand.threads is self._repairing for errand in errands) >= MOST_REPAIRS:
            return 0
        share = min(NODES_AT_ONCE, max(FEWEST_TO_BEGIN, self._run.node_count // SHARE))
        in_place = sum(time.monotonic() - errand.began < SECONDS_IN_PLACE for errand in errands)
        room = min(NODES_AT_ONCE - len(errands), share - in_place)
        return room if room >= FEWEST_TO_BEGIN or not errands else 0

    def _take_over(self, most: int) -> None:
        """Claim more nodes, up to *most* waiting ones, if there are any."""
        is_idle = not self._under_way
        if len(self._waiting) >= most or (self._is_exhausted and not is_idle):
            return
        claimed = claim(self._run, self._name, most=most - len(self._waiting), is_idle=is_idle)
        self._is_exhausted = not claimed
        self._waiting.extend(claimed)

    def _has_waited(self, node: SyncNode) -> bool:
        since = self._refused_since.setdefault(node.pk, time.monotonic())
        return time.monotonic() - since > SECONDS_TO_WAIT_FOR_A_NODE

    def _start(self, nodes: Sequence[SyncNode]) -> None:
        begun = self._written(nodes, self._begun)
        self._end({node: part for node, part in begun.items() if isinstance(part, str)})
        for part in begun.values():
            if isinstance(part, Part):
                self._ask(part) if part.is_settled else self._submit(self._repairing, part, self._ask_all, settle)

    def _begun(self, nodes: Sequence[SyncNode]) -> dict[SyncNode, Part | str]:
        """Return each node's part, read once no other run works there, or the reason not to ask the node."""
        record_starts(nodes)
        silent = left_alone(nodes) if self._run.periodic else {}
        there = Infrastructure.objects.in_bulk([node.infrastructure_id for node in nodes if node.infrastructure_id])
        flavors = list(Flavor.objects.wanted_in_nodes().chosen(self._run.flavorids))
        expected = expected_by_node(there.values(), flavors)
        unsettled = to_be_settled(self._run, there.values())
        parts = {
            node: Part(
                run=self._run,
                node=node,
                infrastructure=infrastructure,
                flavors=flavors,
                expected=expected[infrastructure.pk],
                is_settled=infrastructure.pk not in unsettled,
            )
            for node in nodes
            if (infrastructure := there.get(node.infrastructure_id or 0))
        }
        return {**dict.fromkeys(nodes, UNREGISTERED), **parts, **silent}

    def _ask_all(self, settled: Results) -> None:
        for part, _ in settled:
            self._ask(part)

    def _ask(self, part: Part) -> None:
        self._submit(self._asking, part, self._compare, survey)

    def _submit(self, threads: Threads, part: Part, step: Step, work: Callable[..., Any], *arguments: Any) -> None:
        future = threads.submit(work, part, *arguments)
        self._under_way[future] = _Errand(part, step, threads)
        future.add_done_callback(self._done.put)

    # Going on

    def _go_on(self) -> None:
        """Wait until a thread has finished, and take the next step for all that have."""
        try:
            done = [self._done.get(timeout=SECONDS_BETWEEN_TRIES)]
        except Empty:
            return
        while not self._done.empty():
            done.append(self._done.get())
        by_step: defaultdict[Step, Results] = defaultdict(list)
        for future in done:
            errand = self._under_way.pop(future)
            match future.exception():
                case None:
                    by_step[errand.step].append((errand.part, future.result()))
                case CloudError() as error:
                    by_step[self._give_up].append((errand.part, error))
                case error:
                    self._fail(errand.part.node, error)
        for step, results in by_step.items():
            step(results)

    def _compare(self, surveyed: Results) -> None:
        """Record what was found in nodes, and begin their repairs."""
        new = self._written(surveyed, self._compared)
        ended = {}
        for part, found in surveyed:
            if part.node not in new:
                continue
            self._tell(part.node, new[part.node])
            if is_to_be_repaired(part, new[part.node]):
                arguments = found, new[part.node], self._listen, self._stopped
                self._submit(self._repairing, part, self._finish, repair, *arguments)
            else:
                ended[part.node] = ""
        self._end(ended)

    def _compared(self, surveyed: Sequence[tuple[Part, Found]]) -> dict[SyncNode, list[SyncOutcome]]:
        seen = {part.infrastructure: found.findings for part, found in surveyed}
        made = created_unrecorded(seen) if self._run.repairs else set()
        sightings.record_findings(seen, as_of=min(found.as_of for _, found in surveyed), made=made)
        tell_causes(
            {
                (step.finding.wanted.flavor.pk, part.infrastructure.pk): outcome
                for part, found in surveyed
                for step, outcome in found.planned
            }
        )
        return record_plans(self._run, {part.node: (part.flavors, found.outcomes) for part, found in surveyed})

    def _tell(self, node: SyncNode, outcomes: Iterable[SyncOutcome]) -> None:
        for outcome in outcomes:
            if not (self._run.repairs and outcome.result == Result.PLANNED):
                self._listen(node, outcome)

    def _finish(self, repaired: Results) -> None:
        self._end({part.node: gone for part, gone in repaired})

    def _give_up(self, failed: Results) -> None:
        self._end(self._written(failed, self._not_reached))

    def _not_reached(self, failed: Sequence[tuple[Part, CloudError]]) -> dict[SyncNode, str]:
        for part, error in failed:
            record_unreachable(self._run, part.node, part.flavors, error)
        return {part.node: str(error.detail) for part, error in failed}

    # Ending

    def _written(self, parts: Sequence[Any], write: Callable[[Any], dict[SyncNode, T]]) -> dict[SyncNode, T]:
        """Return the results of *write* for all parts at once; if it fails, for each alone, ending those that fail."""
        if not parts:
            return {}
        try:
            return write(parts)
        except Exception as error:
            if is_lost(error):
                raise
            if len(parts) == 1:
                self._fail(parts[0] if isinstance(parts[0], SyncNode) else parts[0][0].node, error)
                return {}
        return {node: result for part in parts for node, result in self._written([part], write).items()}

    def _fail(self, node: SyncNode, error: BaseException | None) -> None:
        if isinstance(error, Exception) and is_lost(error):  # the node has not failed: it stays unfinished
            self._lost = error
            self._locks.let_go([_lock_of(node)])
            return
        # The other nodes continue, and the run comes to its end.
        logger.error("Run %s failed in %s", self._run.pk, node.name, exc_info=error)
        self._end({node: OUR_FAULT})

    def _end(self, errors: Mapping[SyncNode, str]) -> None:
        """End the run in nodes, each with its error or ""."""
        if not errors:
            return
        record_ends(errors)
        self._locks.let_go([_lock_of(node) for node in errors])
        for node in errors:
            self._listen(node, None)


def _lock_of(node: SyncNode) -> str:
    # No other run contends for a node that is no longer registered.
    return f"synchronisation:{node.infrastructure_id or f'of part {node.pk}'}"
