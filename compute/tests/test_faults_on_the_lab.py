"""What comes between a write and the nodes: a node that is down, a killed worker. Nothing is lost or doubled."""

import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from compute.tests.client import Nova, give_managers_their_group
from infrastructures.openstack.breaker import forget_failures
from infrastructures.openstack.keystone import forget_session
from lab import Lab, seed
from synchronisation.models import SyncRun, WrittenFlavor
from testing.catalogue import _own_signals
from testing.federation import CLOUDS, SEEDED, in_nova, make_node
from testing.fixtures import _lab_settings, keystone_alone, lab
from testing.process import Process, url_of_this_database

__all__ = ["_lab_settings", "_own_signals", "lab"]

pytestmark = [
    pytest.mark.lab,
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_own_signals"),
]

SPECS = {"hw:cpu_policy": "dedicated"}
MAY_TAKE_SECONDS = 60


@pytest.fixture
def clouds(lab: Lab, _lab_settings: None, settings: Settings) -> Iterator[Lab]:
    """The lab's clouds, registered, and their flavors as they are from the start, before and after."""
    keystone_alone(settings)
    settings.COMPUTE_SETTLE_SECONDS = 0
    give_managers_their_group()
    for node in CLOUDS:
        forget_session(node)
        make_node(lab, node)
    yield lab
    lab.reset()


@pytest.fixture
def manager(clouds: Lab) -> Nova:
    """A client of the manager of the federation."""
    return Nova({"X-Auth-Token": clouds.token("flavor-manager")}).at("2.61")


def make(manager: Nova, *names: str) -> None:
    """Create flavors that are called like their ids, with extra specs, as a client does by two requests."""
    for name in names:
        values: dict[str, Any] = {"id": name, "name": name, "vcpus": 1, "ram": 64, "disk": 1}
        assert manager.post("/flavors", {"flavor": values}).status == 200
        assert manager.post(f"/flavors/{name}/os-extra_specs", {"extra_specs": SPECS}).status == 200


def bring() -> None:
    """Have what was written brought to the nodes, as the scheduler and a worker do."""
    call_command("run_scheduler", "--once")
    call_command("run_worker", "--batch")


def made_in(lab: Lab, node: str) -> dict[str, Any]:
    """Return the extra specs of the flavors that a node has besides its seed, by id."""
    return {id: flavor["extra_specs"] for id, flavor in in_nova(lab, node).items() if id not in SEEDED[node]}


def assert_in_every_cloud(lab: Lab, *names: str) -> None:
    assert {node: made_in(lab, node) for node in CLOUDS} == {node: dict.fromkeys(names, SPECS) for node in CLOUDS}


def test_a_node_that_is_down_follows_when_it_is_back(manager: Nova, clouds: Lab) -> None:
    clouds.kill("nova-Mordor")
    try:
        make(manager, "first")
        bring()
        assert {node: made_in(clouds, node) for node in ("Spain2", "Lannion2")} == {
            "Spain2": {"first": SPECS},
            "Lannion2": {"first": SPECS},
        }
        assert WrittenFlavor.objects.get().run == SyncRun.objects.get(state=SyncRun.State.PARTLY_DONE)
    finally:
        clouds.start("nova-Mordor")
    forget_failures()
    # Half a minute later it is tried again.
    SyncRun.objects.update(finished_at=timezone.now() - timedelta(seconds=31))
    bring()
    assert_in_every_cloud(clouds, "first")
    call_command("run_scheduler", "--once")
    assert not WrittenFlavor.objects.exists()


def test_a_worker_that_is_killed_between_the_write_and_the_nodes(manager: Nova, clouds: Lab) -> None:
    names = [f"flavor-{number}" for number in range(12)]
    make(manager, *names)
    call_command("run_scheduler", "--once")
    settings = {"KEYSTONE_IDENTITY": "true", "KEYSTONE_MANAGERS": seed.KEYSTONE_MANAGERS, "KEYROCK_URL": ""}
    worker = Process(clouds, url_of_this_database(), settings=settings).begin("run_worker", "--batch")
    try:
        wait_until_one_is_made(clouds)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    run = SyncRun.objects.get()
    assert run.state == SyncRun.State.RUNNING
    bring()
    assert_in_every_cloud(clouds, *names)
    run.refresh_from_db()
    assert (run.state, run.attempts) == (SyncRun.State.IN_SYNC, 2)


def wait_until_one_is_made(lab: Lab) -> None:
    deadline = time.monotonic() + MAY_TAKE_SECONDS
    while not any(made_in(lab, node) for node in CLOUDS):
        assert time.monotonic() < deadline, "the worker makes nothing"
        time.sleep(0.02)
