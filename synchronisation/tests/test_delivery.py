"""What was written is brought to the nodes some seconds after the last write, and until that is done."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from synchronisation.delivery import note_written, start_when_due
from synchronisation.models import Removal, SyncNode, SyncRun, WrittenFlavor
from testing.flavors import make_flavor
from testing.infrastructures import make_infrastructure, make_nova_flavor, make_registered

State = SyncRun.State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nodes(db: None, settings: Settings) -> None:
    settings.COMPUTE_SETTLE_SECONDS = 5
    make_registered("Spain2")
    make_registered("Mordor")
    make_infrastructure("Isengard")  # which we cannot enter


def written(*flavorids: str, seconds_ago: float = 6, by: str = "manager") -> None:
    for flavorid in flavorids:
        note_written(flavorid, written_by=by)
    WrittenFlavor.objects.filter(flavorid__in=flavorids).update(
        written_at=timezone.now() - timedelta(seconds=seconds_ago)
    )


def start() -> SyncRun:
    run = start_when_due()
    assert run is not None
    return run


def end(run: SyncRun, state: SyncRun.State, *, seconds_ago: float = 0) -> None:
    ended = timezone.now() - timedelta(seconds=seconds_ago)
    SyncRun.objects.filter(pk=run.pk).update(state=state, finished_at=ended)


def test_nothing_is_started_for_nothing() -> None:
    assert start_when_due() is None


def test_many_writes_are_one_run() -> None:
    written("a", "b", by="one")
    written("c", by="two")
    run = start()
    assert (run.flavorids, run.requested_by) == (["a", "b", "c"], "one, two")
    assert (run.repairs, run.replaces, run.exact, run.confirmed) == (True, False, False, None)
    assert sorted(SyncNode.objects.values_list("name", flat=True)) == ["Mordor", "Spain2"]
    assert start_when_due() is None


def test_it_waits_for_the_last_write() -> None:
    written("a")
    written("b", seconds_ago=4)
    assert start_when_due() is None
    written("b", seconds_ago=5.5)
    assert start().flavorids == ["a", "b"]


def test_it_does_not_wait_for_writes_without_end() -> None:
    written("a", seconds_ago=60)
    written("b", seconds_ago=1)
    assert start_when_due() is None
    written("a", seconds_ago=65)
    assert start().flavorids == ["a"]
    assert start_when_due() is None


def test_what_may_wait_for_long_holds_up_nothing_else() -> None:
    note_written("slow", written_by="manager", seconds=3600)
    WrittenFlavor.objects.update(written_at=timezone.now() - timedelta(seconds=10))
    written("a")
    assert start().flavorids == ["a"]
    assert start_when_due() is None
    WrittenFlavor.objects.filter(flavorid="slow").update(written_at=timezone.now() - timedelta(hours=1))
    written("b", seconds_ago=4)
    assert start_when_due() is None
    written("b", seconds_ago=5.5)
    assert start().flavorids == ["slow", "b"]


def test_a_clock_that_was_ahead_holds_nothing_up() -> None:
    written("a", seconds_ago=-3600)
    assert start().flavorids == ["a"]


@pytest.mark.parametrize("state", [State.IN_SYNC, State.DRIFT])
def test_what_a_run_has_done_is_forgotten(state: SyncRun.State) -> None:
    written("a")
    end(start(), state)
    assert start_when_due() is None
    assert not WrittenFlavor.objects.exists()


@pytest.mark.parametrize("state", [State.PARTLY_DONE, State.FAILED])
def test_what_a_run_could_not_do_is_done_again_each_time_after_longer(state: SyncRun.State) -> None:
    written("a")
    run = start()
    for wait in (30, 60, 120):
        end(run, state, seconds_ago=wait - 1)
        assert start_when_due() is None
        end(run, state, seconds_ago=wait)
        run = start()
        assert run.flavorids == ["a"]
    WrittenFlavor.objects.update(attempts=1000)
    end(run, state, seconds_ago=3600)
    assert start().flavorids == ["a"]


def test_a_write_while_a_run_is_at_work_is_brought_by_the_next() -> None:
    written("a", "b")
    first = start()
    written("a")
    assert start().flavorids == ["a"]
    end(first, State.IN_SYNC)
    assert start_when_due() is None
    assert [each.flavorid for each in WrittenFlavor.objects.all()] == ["a"]


def test_a_run_that_is_gone_is_made_again() -> None:
    written("a")
    start().delete()
    assert start().flavorids == ["a"]


def test_what_nodes_have_to_keep_for_now_is_waited_for() -> None:
    written("a")
    removal = Removal.objects.create(
        infrastructure=make_registered("Rohan"), flavorid="a", was=make_nova_flavor(id="a").as_json()
    )
    end(start(), State.IN_SYNC, seconds_ago=30)
    again = start()
    removal.delete()
    end(again, State.IN_SYNC)
    assert start_when_due() is None
    assert not WrittenFlavor.objects.exists()


def test_a_run_is_made_over_what_is_in_the_catalogue_no_longer() -> None:
    make_flavor(flavorid="here")
    written("here", "gone")
    assert start().flavorids == ["here", "gone"]
