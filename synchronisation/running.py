"""Every promoted flavor in every node: compared, planned and, when asked for, made so.

A run is written down before it begins and as it goes, node by node. Its plan is made from what a
node has at that moment, so a run can be cut short anywhere and done again.
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


# A scheduler keeps a run for the moment that it takes to see whether it was cut short.
SECONDS_TO_WAIT_FOR_A_LOOK = 5
# Fewer are no more work than a worker does while another one comes to it.
NODES_PER_WORKER = 32
MOST_HELPERS = 15


class RunOptions(TypedDict, total=False):
    """What may be said of a run when it is made: members of a `SyncRun`, each of which has its default there.

    Keys:
        flavorids: of the promoted flavors that it is about; none is all of them.
        repairs: whether drift is repaired, and not only found.
        replaces: whether flavors whose numbers differ are replaced.
        exact: whether extra specs that the catalogue does not name are taken away.
        periodic: whether nobody has asked for it but the time.
        confirmed: the fingerprints of what may be replaced or changed in place, and nothing else; None is all.
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
    """Write down a run over these nodes and the promoted flavors, or those of these ids; it waits to be carried out.

    Args:
        even_deleted: whether `flavorids` may name flavors that are in the catalogue no longer.
        options: as `RunOptions`.

    Raises:
        Conflict: an id is that of no promoted flavor.

    A node that has just been unregistered is one of which the run says so.

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
    run.pk = None  # what was written before, and lost with its connection, had another
    run.listed, run.node_count = node_list(nodes), len(nodes)
    run.save(force_insert=True)
    SyncNode.objects.bulk_create(SyncNode(run=run, infrastructure_id=key, name=name) for key, name in nodes)


def carry_out(run_id: int, *, listen: Listener = lambda node, outcome: None) -> SyncRun:
    """Carry a run out alone, or go on with one that was cut short, and return it as it is then.

    All nodes are worked on side by side (`Crew`); none waits for another. A run that has ended, or that somebody else
    is beginning with or carries out alone, is left alone. Ctrl-C (in the main thread) ends it, each node after the step
    that it is at.

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
    """Begin with a run, call for others to share it, and work on it until nobody has left anything to begin with.

    Args:
        call_helper: called as often as there are `NODES_PER_WORKER` nodes more.

    Cost: some fifteen queries, and those of `Crew.work`.
    """
    with a_crew() as crew:
        try:
            with exclusive(_lock_of(run_id), wait=SECONDS_TO_WAIT_FOR_A_LOOK):
                if not (run := _begun(run_id)):
                    return
                # Before the lock is let go of, or it would look as if nobody were at it.
                first = claim(run, crew, most=FEWEST_TO_BEGIN, is_idle=True)
        except Locked:
            logger.info("Run %s is being carried out by somebody else", run_id)
            return
        for _ in range(min(MOST_HELPERS, (run.node_count - 1) // NODES_PER_WORKER)):
            call_helper()
        _work(run, crew, lambda node, outcome: None, first)


def help_with(run_id: int) -> None:
    """Work on a run beside those who are at it; there may be nothing left to begin with."""
    run = SyncRun.objects.filter(pk=run_id, state=SyncRun.State.RUNNING).first()
    if run is not None:
        work_on(run)


def work_on(run: SyncRun, *, listen: Listener = lambda node, outcome: None) -> None:
    """Work on what nobody else works on, and end the run if that was all. Cost: those of `Crew.work`."""
    with a_crew() as crew:
        _work(run, crew, listen)


def _work(run: SyncRun, crew: str, listen: Listener, first: Iterable[SyncNode] = ()) -> None:
    Crew(run, crew, listen, first).work()
    end_when_done(run.pk)


def cancel_run(run: SyncRun, *, requested_by: str) -> None:
    """Have a run begin with no further node, and stop in the others after the step that each is at.

    If nobody is at it, it has ended then; else it ends within some seconds. To cancel it twice is as good as once.

    Raises:
        Conflict: it has ended already.

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
    """Keep a run from being begun meanwhile.

    Raises:
        Locked: somebody is beginning with it, or carries it out alone.
    """
    with exclusive(_lock_of(run.pk)):
        yield


def _lock_of(run_id: int) -> str:
    return f"run:{run_id}"


def _begun(run_id: int) -> SyncRun | None:
    """Have a run run, with the nodes of crews that have died; return it, or None if it has ended."""
    claimed = SyncRun.objects.open().filter(pk=run_id)
    if not claimed.update(
        # Not Now(): MariaDB's is in the time zone of its server.
        state=SyncRun.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", timezone.now()),
    ):
        return None
    run = SyncRun.objects.get(pk=run_id)
    release_lost(run)
    return run
