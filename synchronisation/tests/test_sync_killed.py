"""A run killed (SIGKILL) at random moments, and one after it: no flavor is lost, none doubled, all as it shall be."""

import logging
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from subprocess import Popen

import pytest

from flavors.models import Flavor, Installation
from lab.client import send
from synchronisation.models import SyncNode, SyncRun
from synchronisation.tasks import start_run
from testing.federation import CLOUDS, SEEDED, Whole, in_nova
from testing.flavors import document_of, make_flavor
from testing.infrastructures import half_way
from testing.proxied import SOON, Clouds, until
from testing.proxy import Exchange, after, before, forwarded, hanging_up
from testing.shell import run

logger = logging.getLogger(__name__)

pytestmark = [pytest.mark.lab, pytest.mark.thorough, pytest.mark.timeout(900)]

Process = Popen[bytes]

MOMENTS = 20
SEED = int(os.environ.get("FLAVORSYNC_KILL_SEED", "1"))

OTHER_ID = "another-id-there"
UNMANAGED = {"lab:ours": "kept"}
"""An extra spec that only Spain2's `replaced-0` has, which the catalogue does not name."""


@dataclass
class Drift:
    """Three clouds in which, again and again, something of every kind has to be repaired."""

    clouds: Clouds
    seeded: dict[str, dict[str, Whole]] = field(default_factory=dict)

    def begin(self) -> None:
        """Make the catalogue; what the clouds have that it names is in sync."""
        for name in ("steady", "described", "missing", "forgotten", "renamed", "replaced-0", "replaced-1"):
            make_flavor(name=name, flavorid=name, ram=1024, description="0", extra_specs={"hw:numa_nodes": "1"})
        other = make_flavor(name="other", flavorid="other", ram=64)
        self._ask(
            "Mordor", "POST", "", {"flavor": {"id": OTHER_ID, "name": "other", "ram": 64, "vcpus": 1, "disk": 10}}
        )
        run("sync_flavors")
        self._ask("Spain2", "POST", "/replaced-0/os-extra_specs", {"extra_specs": UNMANAGED})
        assert Installation.objects.get(flavor=other, infrastructure__name="Mordor").flavorid == OTHER_ID
        self.seeded = {
            node: {id: flavor for id, flavor in in_nova(self.clouds.lab, node).items() if id in SEEDED[node]}
            for node in CLOUDS
        }

    def plant(self, number: int) -> None:
        """Have everything drift: two replacements, a renaming, an update, a creation, two adoptions in each cloud."""
        Flavor.objects.filter(name__startswith="replaced").update(ram=2000 + number)
        Flavor.objects.filter(flavorid="renamed").update(
            name=f"renamed-{number}", extra_specs={"hw:numa_nodes": f"{number}"}
        )
        Flavor.objects.filter(flavorid="described").update(
            description=f"{number}", extra_specs={"hw:numa_nodes": f"{number}"}
        )
        Installation.objects.filter(flavor__flavorid__in=["forgotten", "other"]).delete()
        for node in CLOUDS:
            self._ask(node, "DELETE", "/missing")

    def assert_repaired(self) -> None:
        """Fail unless each Nova has its seed and the catalogue, whole and nothing else, and that is written down."""
        assert not half_way()
        for node in CLOUDS:
            installed = Installation.objects.filter(infrastructure__name=node).select_related("flavor")
            assert {one.flavor.flavorid for one in installed} == set(Flavor.objects.values_list("flavorid", flat=True))
            promoted = {one.flavorid: document_of(one.flavor, id=one.flavorid) for one in installed}
            if node == "Spain2":
                promoted["replaced-0"]["extra_specs"] |= UNMANAGED
            assert in_nova(self.clouds.lab, node) == self.seeded[node] | promoted

    def _ask(self, node: str, method: str, path: str, body: object = None) -> None:
        lab = self.clouds.lab
        send(method, f"{lab.nova_url(node)}/flavors{path}", token=lab.token(f"{CLOUDS[node]}-admin"), body=body)


@pytest.fixture
def drift(proxied: Clouds) -> Drift:
    """The clouds and the catalogue, in sync so far."""
    drift = Drift(proxied)
    drift.begin()
    drift.assert_repaired()
    return drift


# What is killed


def command(clouds: Clouds) -> Process:
    """Type the command."""
    return clouds.process.begin("sync_flavors", "--replace")


def worker(clouds: Clouds) -> Process:
    """Put a run into the queue, and start a worker."""
    start_run(requested_by="test", infrastructures=clouds.nodes.values(), repairs=True, replaces=True)
    return clouds.process.begin("run_worker", "--batch")


def take_up() -> SyncRun:
    """Have the scheduler take up the run that was killed."""
    killed = SyncRun.objects.filter(state=SyncRun.State.RUNNING)[0]
    # MariaDB lets go of a dead process's locks when it sees that its connection is closed.
    until(lambda: f"Run {killed.pk} was cut short" in run("run_scheduler", "--once"))
    return killed


def again_by_the_command(clouds: Clouds) -> None:
    """Type the command anew; the run that was killed is taken up only when that has ended."""
    run("sync_flavors", "--replace")


def again_by_a_worker(clouds: Clouds) -> None:
    """Have the run taken up by another worker."""
    killed = take_up()
    assert clouds.process.manage("run_worker", "--batch").returncode == 0
    killed.refresh_from_db()
    assert (killed.state, killed.attempts) == (SyncRun.State.IN_SYNC, 2)
    assert not killed.nodes.exclude(state=SyncNode.State.DONE).exists()


# The moment


def kill(running: "Future[Process]") -> None:
    """Send SIGKILL."""
    running.result(SOON).kill()


Kill = Callable[[], None]
Fault = Callable[[Exchange], None]


def unsent(kill: Kill, pause: float) -> Fault:
    """Kill before Nova has seen the request."""
    return before(kill, hanging_up)


def unanswered(kill: Kill, pause: float) -> Fault:
    """Kill when Nova has done what was asked, and has not answered."""
    return after(kill)


def answered(kill: Kill, pause: float) -> Fault:
    """Kill some milliseconds after the answer, when it may just be written down."""

    def fault(exchange: Exchange) -> None:
        forwarded(exchange)
        time.sleep(pause)
        kill()

    return fault


def test_a_run_after_one_that_was_killed_repairs_everything(proxied: Clouds, drift: Drift) -> None:
    chance = random.Random(SEED)
    proxied.watch()
    drift.plant(1)
    run("sync_flavors", "--replace")
    drift.assert_repaired()
    requests = proxied.count

    victims = [(command, again_by_the_command), (worker, again_by_a_worker)] * (MOMENTS // 2)
    chance.shuffle(victims)
    for number, (start, again) in enumerate(victims, start=2):
        drift.plant(number)
        at, pause = chance.randint(1, requests), chance.random() / 100
        meet = chance.choice([unsent, unanswered, answered])
        moment = f"seed {SEED}: {start.__name__} at request {at} of {requests}, {meet.__name__}, {1000 * pause:.1f} ms"
        logger.info("To be killed at %s", moment)
        running: Future[Process] = Future()
        proxied.watch(at, meet(partial(kill, running), pause))
        running.set_result(start(proxied))
        assert running.result().wait(SOON) == -signal.SIGKILL, moment
        proxied.wait_until_idle()
        proxied.watch()
        again(proxied)
        drift.assert_repaired()

    while SyncRun.objects.open().exists():
        run("run_scheduler", "--once")
        proxied.process.manage("run_worker", "--batch").check_returncode()
    drift.assert_repaired()
    assert not SyncRun.objects.exclude(state=SyncRun.State.IN_SYNC).exists()
