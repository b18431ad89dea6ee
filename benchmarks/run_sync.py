"""Synchronise whenever told to: for each line of input one run over all nodes, and the seconds it took."""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup(set_prefix=False)

from infrastructures.models import Infrastructure  # noqa: E402
from synchronisation.running import carry_out, create_run  # noqa: E402


def main() -> None:
    """Run until there is no more input."""
    for _ in sys.stdin:
        began = time.perf_counter()
        run = create_run(requested_by="benchmark", infrastructures=list(Infrastructure.objects.all()), repairs=True)
        state = carry_out(run.pk).state
        print(f"{time.perf_counter() - began} {state}", flush=True)


if __name__ == "__main__":
    main()
