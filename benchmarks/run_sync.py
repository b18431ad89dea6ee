"""Synchronise all nodes once for each line of input, and print what it took.

That is the final state, the seconds on the clock, those until the last node that did not fail was done, the seconds of
processor time, and the number of connections to the database.
"""

import os
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup(set_prefix=False)

from django.db.backends.signals import connection_created  # noqa: E402

from infrastructures.models import Infrastructure  # noqa: E402
from synchronisation.models import SyncNode, SyncOutcome  # noqa: E402
from synchronisation.running import carry_out, create_run  # noqa: E402


def main() -> None:
    """Run until there is no more input."""
    made: list[object] = []

    def note(**connection: Any) -> None:
        made.append(connection["connection"])

    connection_created.connect(note)
    for _ in sys.stdin:
        ends = [began := time.perf_counter()]

        def listen(node: SyncNode, outcome: SyncOutcome | None, ends: list[float] = ends) -> None:
            if outcome is None and node.state == SyncNode.State.DONE:
                ends.append(time.perf_counter())

        made.clear()
        processor = time.process_time()
        run = create_run(requested_by="benchmark", infrastructures=list(Infrastructure.objects.all()), repairs=True)
        state = carry_out(run.pk, listen=listen).state
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        print(state, seconds, max(ends) - began, processor, len(made), flush=True)


if __name__ == "__main__":
    main()
