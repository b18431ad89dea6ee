"""Two workers, processes of their own with the database's queue, share a run."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from infrastructures.models import Infrastructure
from synchronisation.models import SyncRun
from synchronisation.running import NODES_PER_WORKER
from synchronisation.tasks import start_run
from testing.farm import registered_farm
from testing.flavors import make_flavor
from testing.process import ROOT, url_of_this_database
from testing.proxied import until

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]

# As many as two workers share
NODES = 2 * NODES_PER_WORKER


@contextmanager
def a_worker(log: Path) -> Iterator[None]:
    """Have a worker at work on the queue in the tests' database."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "flavorsync_project.settings",
        "DATABASE_URL": url_of_this_database(),
        "FIELD_ENCRYPTION_KEYS": ",".join(django_settings.FIELD_ENCRYPTION_KEYS),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_worker"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        until(lambda: "Starting worker" in log.read_text())
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def crews_of(run: SyncRun) -> Counter[str]:
    """Return how many nodes each crew has taken over."""
    return Counter(run.nodes.exclude(crew="").values_list("crew", flat=True))


def test_both_do_nodes_and_each_node_is_done_once(settings: Settings, tmp_path: Path) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = ["127.0.0.1"]
    make_flavor(flavorid="tiny")
    with registered_farm(NODES) as farm, ExitStack() as workers:
        for number in range(2):
            workers.enter_context(a_worker(tmp_path / f"{number}.log"))
        farm.dead = set(range(NODES))  # until both have come
        run = start_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)
        until(lambda: len(crews_of(run)) == 2)
        farm.dead = set()
        until(lambda: SyncRun.objects.ended().filter(pk=run.pk).exists())
    run.refresh_from_db()
    assert (run.state, run.nodes_ended, run.attempts) == (SyncRun.State.IN_SYNC, NODES, 1)
    assert (len(crews_of(run)), crews_of(run).total()) == (2, NODES)
    assert len({worker for task in DBTaskResult.objects.all() for worker in task.worker_ids}) == 2
    assert farm.calls == dict.fromkeys(("token", "version", "list", "create"), NODES)
