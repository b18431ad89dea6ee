"""The synchronisation in the background: queued runs, interrupted runs and the periodic run."""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Unpack

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task
from django_tasks.base import TaskResultStatus
from django_tasks.exceptions import TaskResultDoesNotExist

from flavorsync_project.telemetry.request_id import NO_REQUEST, current_request_id, traced
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure
from synchronisation.claiming import release_lost
from synchronisation.ending import end_run, end_when_done
from synchronisation.lists import delete_unused
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.recording import record_ends
from synchronisation.running import RunOptions, begin, create_run, help_with, left_alone, work_on

logger = logging.getLogger(__name__)

# A run younger than this is left alone: its creator is about to carry it out, or to put it into the queue.
SECONDS_TO_BE_QUEUED = 60
# More than claiming.MAX_ATTEMPTS: a node that keeps failing is given up before its run is.
MOST_BEGINNINGS = 9
# How many old outcomes one transaction deletes, which takes some hundredths of a second
ROWS_AT_ONCE = 1000
# Between machines with synchronised clocks
MOST_THAT_CLOCKS_DIFFER = timedelta(minutes=1)


@task()
def carry_out_run(run_id: int, request_id: str = NO_REQUEST) -> None:
    """Carry out a run in a worker, under the id of the request that queued it; other workers may share it."""
    with traced(request_id):
        logger.info("Run %s begins", run_id)
        begin(run_id, call_helper=lambda: _call_helper(run_id, request_id))
        run = SyncRun.objects.get(pk=run_id)
        logger.info("Run %s: %s", run_id, run.get_state_display())


@task()
def help_with_run(run_id: int, request_id: str = NO_REQUEST) -> None:
    """Join the workers of a run, until there is no node left to begin with."""
    with traced(request_id):
        help_with(run_id)


def _call_helper(run_id: int, request_id: str) -> str:
    return help_with_run.enqueue(run_id, request_id).id


def start_run(
    *,
    requested_by: str,
    infrastructures: Iterable[Infrastructure],
    even_deleted: bool = False,
    **options: Unpack[RunOptions],
) -> SyncRun:
    """Create a run, as `create_run` does, and put it into the queue.

    Raises:
        Conflict: no promoted flavor has one of the ids.

    Cost: five queries, one more with `flavorids`.
    """
    run = create_run(requested_by=requested_by, infrastructures=infrastructures, even_deleted=even_deleted, **options)
    # After the commit, so that even a quick worker finds the run. If the queue does not take it, it is taken up later:
    # the caller gets the run all the same, and only the scheduler gets the error.
    transaction.on_commit(lambda: _enqueue(run), robust=not run.periodic)
    return run


def take_up_runs() -> list[SyncRun]:
    """Put runs back into the queue whose worker has died, or that the queue has lost; return them.

    A run fails in a node where it was interrupted `claiming.MAX_ATTEMPTS` times, as that node may be what kills its
    worker; it fails as a whole when it was begun `MOST_BEGINNINGS` times.

    Cost: one query; per open run some six more.
    """
    taken_up = []
    for run in SyncRun.objects.open():
        with traced():  # the run continues under this request id
            if _take_up(run):
                taken_up.append(run)
    return taken_up


def start_periodic_run() -> SyncRun | None:
    """Start the periodic run over all nodes (SYNC_INTERVAL_MINUTES) if it is due, and return it.

    It repairs if SYNC_REPAIR is set, and else only compares. None is started while the last one is still open.

    Raises:
        Error, RedisError: the queue did not take the run, which is kept and taken up later.

    Cost: none when there is no interval; else one query, and five when it is due.
    """
    if not settings.SYNC_INTERVAL_MINUTES:
        return None
    try:
        with exclusive("periodic run"):
            return _start_when_due()
    except Locked:
        return None  # another scheduler is doing it


def delete_old_runs() -> int:
    """Delete the runs that ended more than SYNC_RETENTION_DAYS ago, and return how many; 0 keeps all.

    The last known state of a node is kept elsewhere, however old: in `LastComparison` and `Sighting`.

    Cost: none when all are kept; else one query, and some ten for each run and each `ROWS_AT_ONCE` of its outcomes.
    Each of them is a transaction of its own, so nobody waits for long.
    """
    if not settings.SYNC_RETENTION_DAYS:
        return 0
    oldest = timezone.now() - timedelta(days=settings.SYNC_RETENTION_DAYS)
    old = list(SyncRun.objects.ended().filter(finished_at__lt=oldest).order_by("pk").values_list("pk", flat=True))
    for run in old:
        _delete_run(run)
    if old:
        delete_unused()
    return len(old)


def _delete_run(run_id: int) -> None:
    outcomes = SyncOutcome.objects.order_by().filter(node__run=run_id).values_list("pk", flat=True)
    while some := list(outcomes[:ROWS_AT_ONCE]):
        SyncOutcome.objects.filter(pk__in=some).delete()
    SyncRun.objects.filter(pk=run_id).delete()


def _take_up(run: SyncRun) -> bool:
    try:
        with left_alone(run):
            run.refresh_from_db()
            call = _whom_to_call(run)
    except Locked:
        return False  # somebody is beginning it
    if call:
        call(run)  # after releasing the lock, so that a worker can begin at once
    return call is not None


def _whom_to_call(run: SyncRun) -> Callable[[SyncRun], None] | None:
    """Return how to queue the run, while nobody can begin it; None if it needs nobody now."""
    if run.state == SyncRun.State.WAITING:
        is_lost = not _is_within(run, timedelta(seconds=SECONDS_TO_BE_QUEUED)) and not _is_queued(run)
        return _enqueue if is_lost and _may_go_on(run) else None
    if run.state != SyncRun.State.RUNNING:
        return None
    released = release_lost(run)
    if run.cancelled_at:
        work_on(run)  # this ends the nodes that nobody works on
        return None
    if end_when_done(run.pk) or not run.nodes.free().exists():
        return None
    if run.nodes.claimed().exists():  # by living crews
        return _enqueue_helper if released else None
    return _enqueue if _may_go_on(run) else None


def _enqueue_helper(run: SyncRun) -> None:
    _call_helper(run.pk, current_request_id())


def _enqueue(run: SyncRun) -> None:
    run.task_id = carry_out_run.enqueue(run.pk, current_request_id()).id
    run.save(update_fields=["task_id"])


def _is_within(run: SyncRun, age: timedelta) -> bool:
    """Say whether the run is younger than *age*; a run from the future, by a clock that was ahead, is not."""
    now = timezone.now()
    return now - age < run.created_at < now + MOST_THAT_CLOCKS_DIFFER


def _is_queued(run: SyncRun) -> bool:
    if not run.task_id:
        return False
    try:
        is_ready = carry_out_run.get_result(run.task_id).status == TaskResultStatus.READY
    except TaskResultDoesNotExist:
        return False
    return is_ready and (not settings.TASKS_REDIS_URL or _waits_in_redis(run.task_id))


def _waits_in_redis(task_id: str) -> bool:
    """Say whether the task is still in rq's list.

    A worker takes it from there before it says so in its status. If it is killed in between, rq gives the task up
    only when it has cleaned up twice, which may take 20 minutes.
    """
    import django_rq  # noqa: PLC0415 — installed as an app only with the queue in Redis

    return django_rq.get_queue().get_job_position(task_id) is not None


def _may_go_on(run: SyncRun) -> bool:
    """Let an interrupted run wait again and return True, or end it if that has happened too often."""
    if run.attempts < MOST_BEGINNINGS:
        logger.warning("Run %s was cut short, or lost its place in the queue: it is put back there", run.pk)
        run.state = SyncRun.State.WAITING
        run.save(update_fields=["state"])
        return True
    logger.error("Run %s was cut short %s times and is given up", run.pk, run.attempts)
    record_ends(dict.fromkeys(run.nodes.unfinished(), f"The run was cut short {run.attempts} times."))
    end_run(run.pk, state=SyncRun.State.FAILED)
    return False


def _start_when_due() -> SyncRun | None:
    last = SyncRun.objects.filter(periodic=True).order_by("pk").last()  # not by time: a clock may have been ahead
    if last and (last.finished_at is None or _is_within(last, timedelta(minutes=settings.SYNC_INTERVAL_MINUTES))):
        return None
    return start_run(
        requested_by="schedule",
        infrastructures=Infrastructure.objects.with_credentials(),
        repairs=settings.SYNC_REPAIR,
        periodic=True,
    )
