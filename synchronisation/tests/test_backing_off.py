"""A node that has not answered in time is left alone by periodic runs for a while, and asked whenever somebody asks."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from django.utils import timezone
from pytest_django import Settings

from infrastructures.models import Infrastructure
from synchronisation.backing_off import back_off
from synchronisation.models import LastComparison, SyncNode, SyncRun
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import make_flavor
from testing.infrastructures import make_registered

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /flavors/detail"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _every_ten_minutes(settings: Settings) -> None:
    settings.SYNC_INTERVAL_MINUTES = 10
    settings.CLOUD_BREAKER_FAILURES = 0


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A registered cloud that does not answer in time."""
    make_flavor(flavorid="tiny")
    make_registered("Mordor")
    with Federation() as federation:
        mordor = federation.add("Mordor")
        mordor.before_call = be_silent
        yield mordor


def be_silent(call: str) -> None:
    raise requests.exceptions.ReadTimeout


def a_run(*, periodic: bool = True) -> SyncRun:
    nodes = Infrastructure.objects.all()
    return carry_out(create_run(requested_by="test", infrastructures=nodes, repairs=True, periodic=periodic).pk)


def run(*, periodic: bool = True) -> SyncNode:
    """Carry out a run, and return what it says of the node, of which there is something to say."""
    return a_run(periodic=periodic).nodes.get()


def test_it_costs_one_time_out_and_then_none(mordor: RegisteredCloud) -> None:
    first, second = run(), run()
    assert mordor.calls == [LIST], "neither tried again nor asked by the next run"
    assert first.error == "Mordor: its Nova did not answer in time."
    assert second.error.startswith(f"{first.error} Periodic runs ask it again after ")
    assert (second.state, second.run.state) == (SyncNode.State.FAILED, SyncRun.State.FAILED)
    last = LastComparison.objects.get()
    assert last.error == second.error, "that is what the coverage map and the status say"
    assert last.ask_again_at is not None
    assert 15 * MINUTE <= last.ask_again_at - first.compared_at <= 20 * MINUTE  # type: ignore[operator]


def test_it_is_asked_when_somebody_asks_for_it(mordor: RegisteredCloud) -> None:
    run()
    run(periodic=False)
    assert mordor.calls == [LIST] * 2


def test_it_is_asked_when_its_time_has_come_and_left_alone_for_longer_then(mordor: RegisteredCloud) -> None:
    run()
    LastComparison.objects.update(ask_again_at=timezone.now() - MINUTE)
    again = run()
    assert mordor.calls == [LIST] * 2
    last = LastComparison.objects.get()
    assert last.ask_again_at is not None
    assert 30 * MINUTE <= last.ask_again_at - again.compared_at <= 40 * MINUTE  # type: ignore[operator]


def test_once_it_answers_it_is_as_any_other(mordor: RegisteredCloud) -> None:
    run()
    mordor.before_call = lambda call: None
    assert a_run(periodic=False).state == SyncRun.State.IN_SYNC
    assert a_run().state == SyncRun.State.IN_SYNC
    last = LastComparison.objects.get()
    assert (last.silences, last.ask_again_at, last.error) == (0, None, "")


def test_a_failure_that_takes_no_time_is_no_reason(mordor: RegisteredCloud) -> None:
    mordor.before_call = lambda call: None
    mordor.failing["GET /flavors/detail"] = 503
    run()
    mordor.failing.clear()
    assert a_run().state == SyncRun.State.IN_SYNC


@pytest.mark.parametrize(("silences", "minutes"), [(1, 20), (2, 40), (3, 60), (60_000, 60)])
def test_it_is_left_alone_for_up_to_an_hour(silences: int, minutes: int) -> None:
    assert 0.75 * minutes * MINUTE <= back_off(silences) <= minutes * MINUTE


def test_without_periodic_runs_nothing_is_said_of_them(mordor: RegisteredCloud, settings: Settings) -> None:
    settings.SYNC_INTERVAL_MINUTES = 0
    run(periodic=False)
    assert LastComparison.objects.get().error == "Mordor: its Nova did not answer in time."
