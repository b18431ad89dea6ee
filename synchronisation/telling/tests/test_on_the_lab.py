"""A story on real clouds: a flavor is promoted, drifts, is repaired and is retired, and a receiver hears of each."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from django.conf import settings
from django.core.management import call_command
from pytest_django import Settings

from flavors.catalogue import retiring as saying
from flavors.models import Flavor, Installation
from infrastructures.models import Infrastructure
from lab import Lab
from synchronisation import retiring
from synchronisation.delivery import start_when_due
from synchronisation.running import carry_out
from synchronisation.telling import sending
from synchronisation.telling.from_catalogue import Memory, notice_changes
from synchronisation.telling.from_runs import announce_runs
from synchronisation.telling.models import Delivery, Subscriber
from testing.federation import CLOUDS, in_nova, make_node, put
from testing.flavors import make_flavor
from testing.process import free_port
from testing.shell import run

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

RECEIVER = Path(settings.BASE_DIR) / "docs" / "webhook_receiver.py"


class Receiver:
    """The documentation's example, running; `heard` is what it has printed, but for the times."""

    def __init__(self, secret: str, port: int) -> None:
        self.heard: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, RECEIVER, str(port)],
            env=os.environ | {"WEBHOOK_SECRET": secret},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._listener = Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            self.heard += [line.split(" ", 1)[1].strip() for line in lines]

    def end(self) -> None:
        """End it; `heard` is whole then."""
        self.process.kill()
        self.process.wait()
        self._listener.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The example, as a subscriber to everything."""
    port = free_port()
    subscriber = Subscriber(name="example", url=f"http://127.0.0.1:{port}/")
    receiver = Receiver(subscriber.renew_secret(), port)
    subscriber.save()
    try:
        yield receiver
    finally:
        receiver.end()


def look(memory: Memory) -> None:
    """Do what the scheduler and a worker do until nothing is left, and wait until everything is told."""
    retiring.begin_due()
    if started := start_when_due():
        carry_out(started.pk)
    retiring.finish_done()
    notice_changes(memory)
    announce_runs()
    for subscriber in Subscriber.objects.filter(deliveries__isnull=False).distinct():
        while Delivery.objects.exists():  # the receiver may be about to start
            sending.tell(subscriber.pk)


def test_a_flavors_life_is_told(clouds: Lab, receiver: Receiver, settings: Settings) -> None:
    settings.COMPUTE_SETTLE_SECONDS = 0
    settings.SYNC_ON_CHANGE_SECONDS = 0.001
    for node in ("Mordor", "Spain2"):
        make_node(clouds, node)
    memory = Memory()

    def ids(node: str) -> set[str]:
        return {flavor["id"] for flavor in clouds.flavors(node)}

    make_flavor(flavorid="told", name="told", extra_specs={"hw:cpu_policy": "shared"})
    look(memory)  # it is noticed
    look(memory)  # and brought to the nodes
    assert "told" in ids("Mordor") & ids("Spain2")
    clouds.delete_flavor("Spain2", "told")
    call_command("sync_flavors", "--node", "Spain2")
    look(memory)
    assert "told" in ids("Spain2")
    saying.retire(flavor=Flavor.objects.get(flavorid="told"), requested_by="test")
    look(memory)
    assert "told" not in ids("Mordor") | ids("Spain2")
    assert not Flavor.objects.filter(flavorid="told").exists()
    receiver.end()
    kinds = [line.removeprefix("flavor-sync.") for line in receiver.heard]
    assert sorted(kinds[:3]) == ["drift.repaired Mordor", "drift.repaired Spain2", "flavor.promoted told"]
    assert kinds[3:] == ["drift.repaired Spain2", "flavor.retired told"]


def test_a_flavor_retires_where_it_was_made_found_and_changed(
    clouds: Lab, receiver: Receiver, settings: Settings
) -> None:
    settings.COMPUTE_SETTLE_SECONDS = 0
    for node in CLOUDS:
        make_node(clouds, node)
    memory = Memory()
    flavor = make_flavor(flavorid="told", name="told", extra_specs={"hw:cpu_policy": "shared"})
    put(clouds, "Spain2", flavor)
    run("sync_flavors")
    look(memory)
    made = dict(Installation.objects.values_list("infrastructure__name", "made"))
    assert made == {"Mordor": True, "Lannion2": True, "Spain2": False}
    clouds.delete_flavor("Lannion2", "told")  # behind our back: somebody makes it anew
    put(clouds, "Lannion2", flavor, extra_specs={"hw:cpu_policy": "dedicated"})

    run("retire_flavor", "told")
    look(memory)
    assert nodes_with(clouds, "told") == ["Spain2", "Lannion2"]
    assert Flavor.objects.get(flavorid="told").nodes == ["Lannion2"], "Spain2 keeps it, and that is forgotten"
    (waiting,) = retiring.retirements(Infrastructure.objects.all())
    assert waiting.nodes == (retiring.Kept(name="Lannion2", reason="Somebody else has changed it there."),)

    run("sync_flavors")  # each run looks again
    look(memory)
    assert nodes_with(clouds, "told") == ["Spain2", "Lannion2"]
    assert in_nova(clouds, "Lannion2")["told"]["extra_specs"] == {"hw:cpu_policy": "dedicated"}

    run("retire_flavor", "told", "--force")
    run("sync_flavors")
    look(memory)
    assert nodes_with(clouds, "told") == ["Spain2"]
    assert not Flavor.objects.filter(flavorid="told").exists()
    run("sync_flavors")
    assert nodes_with(clouds, "told") == ["Spain2"]
    receiver.end()
    kinds = [line.removeprefix("flavor-sync.") for line in receiver.heard]
    assert kinds.count("flavor.retired told") == 1
    assert kinds[-1] == "flavor.retired told"


def nodes_with(clouds: Lab, flavorid: str) -> list[str]:
    """Return the nodes whose Nova has a flavor."""
    return [node for node in CLOUDS if flavorid in in_nova(clouds, node)]
