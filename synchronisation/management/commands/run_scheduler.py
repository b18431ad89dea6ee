"""`manage.py run_scheduler`: periodic and due work that nobody requests."""

import logging
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, close_old_connections
from redis.exceptions import RedisError

from flavorsync_project.console import commands
from flavorsync_project.telemetry.request_id import traced
from infrastructures.replacements.watching import settle_everywhere
from synchronisation import delivery, retiring, tasks, trend
from synchronisation.telling import outbox, sending
from synchronisation.telling.from_catalogue import Memory, notice_changes
from synchronisation.telling.from_runs import announce_runs

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 10.0
# Shorter than a look, because whoever has written a flavor waits for its delivery.
SECONDS_BETWEEN_DELIVERIES = 1.0
AWAY = (Error, RedisError)
"""The exceptions raised while the database or the queue is away, and may come back."""


class Command(commands.Command):
    """Check repeatedly what is due, and do it, until stopped."""

    help = (
        "Start the periodic synchronisation (SYNC_INTERVAL_MINUTES) and runs for changes by OpenStack clients "
        "(COMPUTE_SETTLE_SECONDS) or in the catalogue (SYNC_ON_CHANGE_SECONDS), tell subscribers what happens, put "
        "runs whose worker has died back into the queue, delete old runs (SYNC_RETENTION_DAYS) and ended sessions, and "
        "watch flavors with an unanswered change. Several schedulers may run."
    )
    examples = ("./manage.py run_scheduler --once",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._catalogue = Memory()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --once and --interval."""
        parser.add_argument("--once", action="store_true", help="do what is due once, and end")
        parser.add_argument(
            "--interval", type=float, default=SECONDS_BETWEEN_LOOKS, help="seconds between two looks (%(default)s)"
        )

    def handle(self, *, once: bool, interval: float, **options: Any) -> None:
        """Do what is due, now and after every interval, each time with a new request id.

        Raises:
            CommandError: with --once, when the database or the queue is away.
        """
        if once:
            try:
                return self._look()
            except AWAY as error:
                raise CommandError(f"The scheduler could not work: {error}") from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit())
        while True:
            self._try(self._look)
            ends_at = time.monotonic() + interval
            while (left := ends_at - time.monotonic()) > 0:
                time.sleep(min(left, SECONDS_BETWEEN_DELIVERIES))
                self._try(self._deliver)

    def _try(self, look: Callable[[], None]) -> None:
        close_old_connections()
        with traced():
            try:
                look()
            except AWAY as error:
                logger.error("The scheduler could not work: %s", error)

    def _deliver(self) -> None:
        for flavor in retiring.begin_due():
            self.stdout.write(f"The flavor {flavor} is being retired.")
        for flavor in retiring.finish_done():
            self.stdout.write(f"The flavor {flavor} has been retired.")
        notice_changes(self._catalogue)
        announce_runs()
        sending.send_due()
        if run := delivery.start_when_due():
            self.stdout.write(f"Run {run.pk} brings the changes of OpenStack clients to the nodes.")

    def _look(self) -> None:
        self._deliver()
        for run in tasks.take_up_runs():
            self.stdout.write(f"Run {run.pk} was cut short and is taken up again.")
        if due := tasks.start_periodic_run():
            self.stdout.write(f"Run {due.pk} is due and has been started.")
        settle_everywhere()
        trend.note_when_due()
        if deleted := tasks.delete_old_runs():
            self.stdout.write(f"{deleted} old runs have been deleted.")
        outbox.forget_old_events(settings.SYNC_RETENTION_DAYS)
        call_command("clearsessions")  # ended ones, which nothing else deletes
        if not settings.TASKS_REDIS_URL:
            call_command("prune_db_task_results", stdout=self.stdout, verbosity=0)
