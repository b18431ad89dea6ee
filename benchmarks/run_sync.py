"""Synchronise all nodes once for each line of input, and print what it took.

That is the final state, the seconds on the clock, those until the last node that did not fail was done, the seconds of
processor time, the number of connections to the database, and that of the rows inserted there. For a line `help` it
does not begin a run itself, but shares the next one that another process begins.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup(set_prefix=False)

from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402

from infrastructures.models import Infrastructure  # noqa: E402
from synchronisation.models import SyncNode, SyncOutcome, SyncRun  # noqa: E402
from synchronisation.running import carry_out, create_run, help_with  # noqa: E402

SECONDS_BETWEEN_LOOKS = 0.005


def main() -> None:
    """Run until there is no more input."""
    made: list[object] = []
    inserted: list[int] = []

    def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        found = execute(sql, params, many, context)
        # The rows of an upsert were there before: it is for what is known of nodes that were compared already.
        if sql.startswith("INSERT") and "ON DUPLICATE KEY" not in sql and "ON CONFLICT" not in sql:
            inserted.append(context["cursor"].rowcount)
        return found

    def note(connection: BaseDatabaseWrapper, **_: Any) -> None:
        made.append(connection)
        connection.execute_wrappers[:] = [count]

    connection_created.connect(note)
    for line in sys.stdin:
        made.clear()
        inserted.clear()
        processor = time.process_time()
        state, seconds, living = _help() if line.strip() == "help" else _run()
        print(state, seconds, living, time.process_time() - processor, len(made), sum(inserted), flush=True)


def _run() -> tuple[str, float, float]:
    ends = [began := time.perf_counter()]

    def listen(node: SyncNode, outcome: SyncOutcome | None) -> None:
        if outcome is None and node.state == SyncNode.State.DONE:
            ends.append(time.perf_counter())

    run = create_run(requested_by="benchmark", infrastructures=list(Infrastructure.objects.all()), repairs=True)
    run = carry_out(run.pk, listen=listen)
    while not run.finished_at:  # others still work on it
        time.sleep(SECONDS_BETWEEN_LOOKS)
        run.refresh_from_db()
    return run.state, time.perf_counter() - began, max(ends) - began


def _help() -> tuple[str, float, float]:
    while (run := SyncRun.objects.filter(state=SyncRun.State.RUNNING).first()) is None:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    began = time.perf_counter()
    help_with(run.pk)
    seconds = time.perf_counter() - began
    run.refresh_from_db()
    return run.state, seconds, seconds


if __name__ == "__main__":
    main()
