"""Every promoted flavor in every node: compared, planned and, when asked for, made so.

A run is written down before it begins and as it goes, node by node. Its plan is made from what a
node has at that moment, so a run can be cut short anywhere and done again.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict, Unpack

from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from infrastructures.commits import write_certainly
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure
from synchronisation.comparing import promoted_flavors
from synchronisation.crew import Crew
from synchronisation.ending import end_run
from synchronisation.lists import node_list
from synchronisation.models import SyncNode, SyncRun
from synchronisation.repairing import Listener

logger = logging.getLogger(__name__)


# A scheduler keeps a run for the moment that it takes to see whether it was cut short.
SECONDS_TO_WAIT_FOR_A_LOOK = 5
MAX_ATTEMPTS = 3


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
    """Carry a run out, or go on with one that was cut short, and return it as it is then.

    All nodes are worked on side by side (`Crew`); none waits for another. A run that has ended, or that somebody else
    is at, is left alone. Ctrl-C (in the main thread) ends it as failed or partly done, each node after the step that
    it is at.

    Cost: some ten queries, and those of `Crew.work_on`.
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
    Crew(run, listen).work_on(run.nodes.unfinished())
    end_run(run.pk)
