"""Runs: comparing every promoted flavor with every node, planning and, on request, repairing.

A run is recorded before it begins and as it proceeds, node by node. It plans from what a node has at that moment, so a
run can be interrupted anywhere and repeated.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypedDict, Unpack

from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from flavorsync_project.api.errors import Conflict
from infrastructures.commits import write_certainly
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure
from synchronisation.claiming import a_crew, claim, release_lost
from synchronisation.comparing import promoted_flavors
from synchronisation.crew import FEWEST_TO_BEGIN, Crew
from synchronisation.ending import end_when_done
from synchronisation.lists import node_list
from synchronisation.models import SyncNode, SyncRun
from synchronisation.repairing import Listener

logger = logging.getLogger(__name__)


# A scheduler holds a run's lock for a moment, to see whether the run was interrupted.
SECONDS_TO_WAIT_FOR_A_LOOK = 5
# A worker is done with fewer nodes before another worker could join it.
NODES_PER_WORKER = 32
MOST_HELPERS = 15


class RunOptions(TypedDict, total=False):
    """The options of a new run: members of a `SyncRun`, which has their defaults.

    Keys:
        flavorids: the ids of the promoted flavors that it is limited to; empty for all.
        repairs: whether drift is repaired, not only found.
        replaces: whether flavors whose numbers differ are replaced.
        exact: whether extra specs that the catalogue does not name are removed.
        periodic: whether the schedule started it.
        confirmed: the fingerprints of the only steps that may replace or change a flavor; None permits all.
    """

    flavorids: Sequence[str]
    repairs: bool
    replaces: bool
    exact: bool
    periodic: bool
    confirmed: Sequence[str] | None


def create_run(
    *,
    requested_by: str,
    infrastructures: Iterable[Infrastructure],
    even_deleted: bool = False,
    **options: Unpack[RunOptions],
) -> SyncRun:
    """Create a run over these nodes and the promoted flavors, or those with these ids; it waits to be carried out.

    The run reports a node that has just been unregistered as such.

    Args:
        even_deleted: whether `flavorids` may name flavors that are no longer in the catalogue.
        options: as `RunOptions`.

    Raises:
        Conflict: no promoted flavor has one of the ids.

    Cost: three queries, one more with `flavorids`.
    """
    run, chosen = SyncRun(requested_by=requested_by, **options), list(infrastructures)
    if run.flavorids and not even_deleted:
        promoted_flavors(run.flavorids)
    written = SyncRun.objects.select_for_update()
    write_certainly(
        lambda: _write_down(run, chosen),
        is_written=lambda: written.filter(pk=run.pk, created_at=run.created_at).exists(),
    )
    return run


def _write_down(run: SyncRun, infrastructures: Collection[Infrastructure]) -> None:
    keys = [infrastructure.pk for infrastructure in infrastructures]
    still_there = Infrastructure.objects.filter(pk__in=keys).order_by("pk").select_for_update()
    there = set(still_there.values_list("pk", flat=True))
    nodes = [(node.pk if node.pk in there else None, node.name) for node in infrastructures]
    run.pk = None  # a previous attempt, lost with its connection, has set it
    run.listed, run.node_count = node_list(nodes), len(nodes)
    run.save(force_insert=True)
    SyncNode.objects.bulk_create(SyncNode(run=run, infrastructure_id=key, name=name) for key, name in nodes)


def carry_out(run_id: int, *, listen: Listener = lambda node, outcome: None) -> SyncRun:
    """Carry out a run without helpers, or continue an interrupted one, and return it as it is then.

    All nodes are worked on in parallel (`Crew`); none waits for another. A run is left alone if it has ended, or if
    somebody else is beginning it or carries it out without helpers. Ctrl-C (in the main thread) ends it, each node
    after its current step.

    Cost: some fifteen queries, and those of `Crew.work`.
    """
    try:
        with exclusive(_lock_of(run_id), wait=SECONDS_TO_WAIT_FOR_A_LOOK):
            if run := _begun(run_id):
                work_on(run, listen=listen)
    except Locked:
        logger.info("Run %s is being carried out by somebody else", run_id)
    return SyncRun.objects.get(pk=run_id)


def begin(run_id: int, *, call_helper: Callable[[], object]) -> None:
    """Begin a run, call helpers to share it, and work on it until no node is left to begin with.

    Args:
        call_helper: called once for each further `NODES_PER_WORKER` nodes, at most `MOST_HELPERS` times.

    Cost: some fifteen queries, and those of `Crew.work`.
    """
    with a_crew() as crew:
        try:
            with exclusive(_lock_of(run_id), wait=SECONDS_TO_WAIT_FOR_A_LOOK):
                if not (run := _begun(run_id)):
                    return
                # Claim before releasing the lock, or the run would look as if nobody worked on it.
                first = claim(run, crew, most=FEWEST_TO_BEGIN, is_idle=True)
        except Locked:
            logger.info("Run %s is being carried out by somebody else", run_id)
            return
        for _ in range(min(MOST_HELPERS, (run.node_count - 1) // NODES_PER_WORKER)):
            call_helper()
        _work(run, crew, lambda node, outcome: None, first)


def help_with(run_id: int) -> None:
    """Join the crews that work on a run; there may be no node left to begin with."""
    run = SyncRun.objects.filter(pk=run_id, state=SyncRun.State.RUNNING).first()
    if run is not None:
        work_on(run)


def work_on(run: SyncRun, *, listen: Listener = lambda node, outcome: None) -> None:
    """Work on nodes that nobody else works on, and end the run if they were the last. Cost: as `Crew.work`."""
    with a_crew() as crew:
        _work(run, crew, listen)


def _work(run: SyncRun, crew: str, listen: Listener, first: Iterable[SyncNode] = ()) -> None:
    Crew(run, crew, listen, first).work()
    end_when_done(run.pk)


def cancel_run(run: SyncRun, *, requested_by: str) -> None:
    """Have a run begin no further node, and stop in each of the others after its current step.

    If nobody works on it, it has ended on return; else it ends within some seconds. Cancelling twice is harmless.

    Raises:
        Conflict: it has already ended.

    Cost: some fifteen queries.
    """
    if not SyncRun.objects.open().filter(pk=run.pk).update(cancelled_at=Coalesce("cancelled_at", timezone.now())):
        raise Conflict(f"Run {run.pk} has ended already.")
    logger.warning("Run %s is cancelled by %s", run.pk, requested_by)
    with suppress(Locked), left_alone(run):
        release_lost(run)
    work_on(run)


@contextmanager
def left_alone(run: SyncRun) -> Iterator[None]:
    """Keep a run from being begun within the block.

    Raises:
        Locked: somebody is beginning it, or carries it out without helpers.
    """
    with exclusive(_lock_of(run.pk)):
        yield


def _lock_of(run_id: int) -> str:
    return f"run:{run_id}"


def _begun(run_id: int) -> SyncRun | None:
    """Mark a run as running and free the nodes of dead crews; return it, or None if it has ended."""
    claimed = SyncRun.objects.open().filter(pk=run_id)
    if not claimed.update(
        # Not Now(), which in MariaDB is in the server's time zone.
        state=SyncRun.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", timezone.now()),
    ):
        return None
    run = SyncRun.objects.get(pk=run_id)
    release_lost(run)
    return run
