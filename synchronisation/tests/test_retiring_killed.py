"""A retirement whose scheduler and worker are killed at any moment ends as one that nobody has disturbed.

What a process leaves behind when it dies is what it has committed and what a Nova has done for it. So it is killed
before each of its writes and of its calls of a Nova, one after the other: "right after" one is right before the next.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from flavors.catalogue import retiring
from flavors.models import Flavor, Retirement
from synchronisation import tasks
from synchronisation.models import Removal, SyncRun, WrittenFlavor
from synchronisation.telling import sending
from synchronisation.telling.from_catalogue import Memory, notice_changes
from synchronisation.telling.models import Delivery, Subscriber
from testing.cloud import Federation, registered_clouds
from testing.flavors import make_installation
from testing.infrastructures import half_way
from testing.shell import run
from testing.synchronising import in_nova, promote

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://chat.example.org/hook"
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
MOST_TURNS = 5
LEAST_STEPS = 30
"""There are some 60 today: far fewer would mean that writes and calls are not seen any more."""


class Killed(BaseException):
    """What nothing of ours catches, as a process does not notice that it is killed."""


class Life:
    """A process that is killed before it writes or calls a Nova for the time after *steps*, and does nothing more."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._one_by_one = threading.Lock()
        self.is_over = False

    def step(self, *_: Any) -> None:
        """Write something, or call a Nova."""
        with self._one_by_one:
            self._left -= 1
            self.is_over = self.is_over or self._left < 0
        if self.is_over:
            raise Killed

    def execute(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Send a statement to the database, unless it is dead by now."""
        if sql.startswith(WRITES):
            self.step()
        if self.is_over:
            raise Killed
        return execute(sql, params, many, context)


@contextmanager
def living(federation: Federation, life: Life) -> Iterator[None]:
    """Have all of this process, in whatever thread, be that life, and go on after its end as another process."""

    def begin(connection: BaseDatabaseWrapper, **_: Any) -> None:
        connection.execute_wrappers[:] = [life.execute]

    before = [cloud.before_call for cloud in federation.clouds.values()]
    for cloud in federation.clouds.values():
        cloud.before_call = life.step
    connection.close()
    connection_created.connect(begin)
    try:
        yield
    except Killed:
        pass
    finally:
        connection_created.disconnect(begin)
        connection.close()  # with it go its locks, and what it has not committed
        connection.execute_wrappers.clear()
        for cloud, call in zip(federation.clouds.values(), before, strict=True):
            cloud.before_call = call


@pytest.fixture
def clouds(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Federation]:
    """Two registered clouds, and a subscriber to what happens."""
    settings.COMPUTE_SETTLE_SECONDS = 0
    monkeypatch.setattr(tasks, "SECONDS_TO_BE_QUEUED", 0)
    monkeypatch.setattr(sending, "LEASE", timedelta(0))
    subscriber = Subscriber(name="chat", url=URL, kinds=["flavor.retired"])
    subscriber.renew_secret()
    subscriber.save()
    with registered_clouds("Mordor", "Rohan") as federation:
        federation.http.post(URL, status_code=204)
        yield federation


def make_old(federation: Federation, flavorid: str) -> None:
    """Promote a flavor that a run has made in Mordor and found in Rohan, and have that noticed."""
    flavor = promote(flavorid)
    for name, cloud in federation.clouds.items():
        cloud.flavors[flavorid] = in_nova(flavorid)
        make_installation(flavor, name, made=name == "Mordor")
    notice_changes(Memory())


def turn() -> None:
    """Do what a scheduler does when it looks, and then what a worker does until its queue is empty."""
    run("run_scheduler", "--once")
    for task in DBTaskResult.objects.ready():
        task.claim("worker")
        task.task.call(*task.args_kwargs["args"], **task.args_kwargs["kwargs"])
        task.set_successful(None)


def take_turns() -> None:
    """Take turns until nothing is left to do."""
    for _ in range(MOST_TURNS):
        turn()
        if not Flavor.objects.exists() and not left_over():
            return


def left_over() -> list[Any]:
    """Return what is there only while a retirement is under way."""
    models: list[Any] = [Retirement, Removal, WrittenFlavor, Delivery]
    return [*(row for model in models for row in model.objects.all()), *SyncRun.objects.open(), *half_way()]


def told(federation: Federation) -> Counter[str]:
    """Return what the subscriber was told, by kind and name: what came twice has one id, and counts once."""
    posted = [request.json() for request in federation.http.request_history if request.url == URL]
    return Counter({event["id"]: f"{event['type']} {event['subject']}" for event in posted}.values())


@pytest.mark.parametrize("apart", [7, pytest.param(1, marks=pytest.mark.thorough)])
def test_it_ends_the_same_wherever_it_is_cut_short(clouds: Federation, apart: int) -> None:
    steps, life = 0, Life(0)
    while life.is_over or not steps:
        flavorid, moment = f"old-{steps}", f"killed before step {steps}"
        make_old(clouds, flavorid)
        retiring.retire(flavor=Flavor.objects.get(), requested_by="sauron")
        life = Life(steps)
        with living(clouds, life):
            take_turns()
        take_turns()  # as other processes
        assert [name for name, cloud in clouds.clouds.items() if flavorid in cloud.flavors] == ["Rohan"], moment
        assert not Flavor.objects.exists(), moment
        assert not left_over(), moment
        assert told(clouds)[f"flavor-sync.flavor.retired {flavorid}"] == 1, moment
        steps += apart
    assert steps > LEAST_STEPS
