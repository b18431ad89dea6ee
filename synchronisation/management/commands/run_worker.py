"""`manage.py run_worker`: carry out the tasks in the queue."""

import logging
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, close_old_connections

from flavorsync_project.console import commands

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_TRIES = 2


class Command(commands.Command):
    """Carry out the tasks in the configured queue, until stopped."""

    help = (
        "Carry out the synchronisation runs in the queue, which is in the database, or in Redis if TASKS_REDIS_URL is "
        "set. SIGTERM or Ctrl-C ends it after the current run."
    )
    examples = ("./manage.py run_worker",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --batch."""
        parser.add_argument("--batch", action="store_true", help="end when the queue is empty")

    def handle(self, *, batch: bool, verbosity: int, **options: Any) -> None:
        """Run the queue's own worker."""
        if settings.TASKS_REDIS_URL:
            call_command("rqworker", "default", job_class="django_tasks_rq.Job", burst=batch, verbosity=verbosity)
        else:
            self._work_off_the_database(batch=batch, verbosity=verbosity)

    def _work_off_the_database(self, *, batch: bool, verbosity: int) -> None:
        """Work, waiting out failures of the database; the scheduler takes up the runs that they interrupt."""
        while True:
            try:
                call_command("db_worker", batch=batch, reload=False, startup_delay=False, verbosity=verbosity)
            except (OperationalError, InterfaceError) as error:
                if batch:
                    raise
                logger.error("The database failed: %s", error)
                close_old_connections()
                time.sleep(SECONDS_BETWEEN_TRIES)
            else:
                return
