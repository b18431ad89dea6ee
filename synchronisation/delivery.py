"""Delivering written flavors to the nodes, by a run over them some seconds after the last write.

A client creates a flavor by several requests: delivered after the first, it would be seen in the nodes half done. The
transaction of the write records the flavor as written; that row stays until a run has delivered it everywhere.
"""

import logging
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure
from synchronisation.models import Removal, SyncRun, WrittenFlavor
from synchronisation.tasks import start_run

logger = logging.getLogger(__name__)

MAX_NAMES_LENGTH = 255
SECONDS_BEFORE_AGAIN, MOST_SECONDS_BEFORE_AGAIN = 30, 3600
# How long others who write all the time hold up a flavor.
MOST_SECONDS_HELD_UP = 60
DONE = (SyncRun.State.IN_SYNC, SyncRun.State.DRIFT)
"""The final states of a run that has done all it can: another one right away would do nothing more."""


def note_written(flavorid: str, *, written_by: str, seconds: float | None = None) -> None:
    """Record that a flavor has just been written; call this in the transaction of the write.

    Args:
        seconds: how long to wait before the flavor is delivered, if nothing else is written; by default
            COMPUTE_SETTLE_SECONDS.

    Cost: one query or two.
    """
    WrittenFlavor.objects.update_or_create(
        flavorid=flavorid,
        defaults={
            "written_by": written_by[:MAX_NAMES_LENGTH],
            "written_at": timezone.now(),
            "settle_seconds": settings.COMPUTE_SETTLE_SECONDS if seconds is None else seconds,
            "run": None,
            "attempts": 0,
        },
    )


def start_when_due() -> SyncRun | None:
    """Start a run over the written flavors, once the last write is some seconds ago; return it.

    Flavors that a run could not deliver to every node are retried, each time after a longer pause.

    Cost: one query when nothing was written; else some ten.
    """
    if not WrittenFlavor.objects.exists():
        return None
    try:
        with exclusive("written flavors"):
            _forget_what_is_done()
            due = _due()
            return _start(due) if due else None
    except Locked:
        return None  # another scheduler is doing it


def _forget_what_is_done() -> None:
    """Forget the flavors that a run has delivered everywhere, except those still to be removed from a node."""
    held = Removal.objects.order_by().values("flavorid")
    WrittenFlavor.objects.filter(run__state__in=DONE).exclude(flavorid__in=held).delete()


def _due() -> list[WrittenFlavor]:
    """Return the flavors to deliver now: those whose writes have settled, and those whose run is over."""
    written = list(WrittenFlavor.objects.select_related("run"))
    waiting = [each for each in written if each.run is None]
    return [each for each in written if (_has_settled(each, waiting) if each.run is None else _is_over(each))]


def _has_settled(written: WrittenFlavor, waiting: Collection[WrittenFlavor]) -> bool:
    """Say whether its last write is long enough ago, and no other flavor was written too recently.

    Clients write several flavors together. But nobody waits for one that may itself wait for longer, nor for ever.
    """
    seconds = written.settle_seconds
    if not _is_ago(written, seconds):
        return False
    is_quiet = all(_is_ago(each, min(seconds, each.settle_seconds)) for each in waiting)
    return is_quiet or _is_ago(written, seconds + MOST_SECONDS_HELD_UP)


def _is_ago(written: WrittenFlavor, seconds: float) -> bool:
    """Say whether it was written so long ago, or in the future, by a clock that was ahead."""
    now = timezone.now()
    return not now - timedelta(seconds=seconds) < written.written_at <= now


def _is_over(written: WrittenFlavor) -> bool:
    """Say whether its run has ended long enough ago to start another."""
    if written.run is None or written.run.finished_at is None:
        return False
    seconds = min(SECONDS_BEFORE_AGAIN * 2**written.attempts, MOST_SECONDS_BEFORE_AGAIN)
    return timezone.now() >= written.run.finished_at + timedelta(seconds=seconds)


def _start(due: Collection[WrittenFlavor]) -> SyncRun:
    names = ", ".join(sorted({each.written_by for each in due}))
    with transaction.atomic():
        run = start_run(
            requested_by=names[:MAX_NAMES_LENGTH],
            infrastructures=Infrastructure.objects.with_credentials(),
            flavorids=[each.flavorid for each in due],
            repairs=True,
            even_deleted=True,
        )
        for each in due:
            # A flavor that was written again meanwhile is left for the next run, too.
            same = WrittenFlavor.objects.filter(pk=each.pk, written_at=each.written_at)
            same.update(run=run, attempts=each.attempts + bool(each.run))
    return run
