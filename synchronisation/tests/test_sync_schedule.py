"""What is due with nobody asking: the periodic run, runs that nobody carries out any more, old ones, and sessions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks.signals import task_enqueued
from django_tasks_db import DatabaseBackend
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings
from redis.exceptions import RedisError

from infrastructures.models import Infrastructure
from synchronisation import tasks
from synchronisation.coverage import coverage
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.running import carry_out, create_run
from synchronisation.tasks import MOST_BEGINNINGS, SECONDS_TO_BE_QUEUED, start_periodic_run, start_run
from synchronisation.tests.test_coverage import make_run as find
from testing.cloud import Federation
from testing.flavors import make_flavor
from testing.holder import held_by_a_thread
from testing.infrastructures import make_infrastructure, make_registered
from testing.shell import run

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _hourly(settings: Settings) -> None:
    settings.SYNC_INTERVAL_MINUTES = 60


class NoQueue(DatabaseBackend):
    """A queue whose Redis does not answer."""

    def enqueue(self, *_: Any) -> Any:
        raise RedisError("Connection refused.")


def look() -> list[str]:
    """Have a scheduler look once, and return what it said."""
    return run("run_scheduler", "--once").splitlines()


def work() -> None:
    """Carry out what is in the queue, as a worker does."""
    for task in DBTaskResult.objects.ready():
        carry_out(task.args_kwargs["args"][0])
        task.claim("worker")
        task.set_successful(None)


def put_back(run: SyncRun, age: timedelta, *members: str) -> None:
    """Have it be so long ago that the run was made, or whatever *members* say."""
    SyncRun.objects.filter(pk=run.pk).update(**dict.fromkeys(members or ["created_at"], timezone.now() - age))


# The periodic run


def test_ended_sessions_are_deleted_and_no_others() -> None:
    ended, current = SessionStore(), SessionStore()
    ended.set_expiry(-1)
    for session in (ended, current):
        session["who"] = "somebody"
        session.save()
    look()
    assert list(Session.objects.values_list("session_key", flat=True)) == [current.session_key]


def test_without_an_interval_there_is_none(federation: Federation, settings: Settings) -> None:
    settings.SYNC_INTERVAL_MINUTES = 0
    assert look() == []
    assert not SyncRun.objects.exists()


def test_the_first_is_due_at_once_is_about_all_nodes_and_only_looks(federation: Federation) -> None:
    make_infrastructure("Nowhere")  # without credentials
    make_flavor(name="other", flavorid="other")
    said = look()
    work()
    periodic = SyncRun.objects.get()
    assert said == [f"Run {periodic.pk} is due and has been started."]
    assert (periodic.requested_by, periodic.periodic, periodic.repairs, periodic.replaces, periodic.exact) == (
        "schedule",
        True,
        False,
        False,
        False,
    )
    assert [(node.name, node.outcomes.count()) for node in periodic.nodes.all()] == [("Mordor", 2), ("Spain2", 2)]
    assert periodic.state == SyncRun.State.DRIFT
    assert federation.calls() == {"Mordor": ["GET /flavors/detail"], "Spain2": ["GET /flavors/detail"]}


def test_looking_once_fails_in_one_line_when_the_queue_is_away(federation: Federation, settings: Settings) -> None:
    """The run is kept, and the next look puts it into the queue, if there is one again."""
    away = {"default": {"BACKEND": "synchronisation.tests.test_sync_schedule.NoQueue"}}
    in_database, settings.TASKS = settings.TASKS, away
    for _ in range(2):
        with pytest.raises(CommandError, match=r"\AThe scheduler could not work: Connection refused\.\Z"):
            look()
        put_back(SyncRun.objects.get(), timedelta(seconds=SECONDS_TO_BE_QUEUED))
    settings.TASKS = in_database
    assert look() == [f"Run {SyncRun.objects.get().pk} was cut short and is taken up again."]


def test_it_repairs_when_told_to_and_never_replaces(federation: Federation, settings: Settings) -> None:
    settings.SYNC_REPAIR = True
    look()
    work()
    periodic = SyncRun.objects.get()
    assert (periodic.state, periodic.repairs, periodic.replaces) == (SyncRun.State.IN_SYNC, True, False)
    assert {name: list(cloud.flavors) for name, cloud in federation.clouds.items()} == {
        "Mordor": ["tiny"],
        "Spain2": ["tiny"],
    }


def test_the_next_is_due_when_the_interval_is_over_and_the_last_has_ended(federation: Federation) -> None:
    look()
    periodic = SyncRun.objects.get()
    put_back(periodic, 2 * HOUR)
    assert look() == [], "it is still open"
    work()
    put_back(periodic, HOUR - timedelta(minutes=1))
    assert look() == [], "it is not an hour ago"
    put_back(periodic, HOUR)
    assert len(look()) == 1
    assert SyncRun.objects.count() == 2


def test_a_clock_that_was_ahead_stops_nothing(federation: Federation) -> None:
    """A run of next year is the last one made, until the clock is right: the next is due at once, and one alone."""
    look()
    ahead = SyncRun.objects.get()
    work()
    put_back(ahead, -8760 * HOUR)
    assert len(look()) == 1
    work()
    assert look() == [], "it is not an hour ago"
    put_back(SyncRun.objects.latest("pk"), HOUR)
    assert len(look()) == 1


def test_clocks_that_differ_by_seconds_start_none_too_many(federation: Federation) -> None:
    look()
    work()
    put_back(SyncRun.objects.get(), timedelta(seconds=-30))
    assert look() == []


def test_a_run_of_the_future_that_lost_its_place_in_the_queue_is_taken_up(federation: Federation) -> None:
    lost = start_run(requested_by="somebody", infrastructures=Infrastructure.objects.all())
    DBTaskResult.objects.all().delete()
    put_back(lost, -8760 * HOUR)
    assert f"Run {lost.pk} was cut short and is taken up again." in look()


def test_a_run_that_somebody_asked_for_is_not_the_periodic_one(federation: Federation) -> None:
    start_run(requested_by="somebody", infrastructures=[])
    assert len(look()) == 1


def test_two_schedulers_start_one(federation: Federation) -> None:
    barrier = Barrier(2)

    def start(_: int) -> SyncRun | None:
        try:
            barrier.wait(20)
            return start_periodic_run()
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        started = list(pool.map(start, range(2)))
    assert [run.pk for run in started if run] == [SyncRun.objects.get().pk]


def test_while_another_scheduler_is_at_it_none_is_started(federation: Federation) -> None:
    with held_by_a_thread("periodic run"):
        assert look() == []


# Runs that nobody carries out any more


@pytest.fixture
def nothing_periodic(settings: Settings) -> None:
    settings.SYNC_INTERVAL_MINUTES = 0


@pytest.fixture
def queued(federation: Federation, nothing_periodic: None) -> SyncRun:
    """A run that has been in the queue for some time."""
    run = start_run(requested_by="somebody", infrastructures=_nodes())
    put_back(run, HOUR)
    run.refresh_from_db()
    return run


def _nodes() -> list[Infrastructure]:
    return list(Infrastructure.objects.filter(name="Spain2"))


def cut_short(run: SyncRun, attempts: int = 1) -> None:
    """Leave it as a worker that is killed does."""
    DBTaskResult.objects.update(status="RUNNING")
    SyncRun.objects.filter(pk=run.pk).update(state=SyncRun.State.RUNNING, attempts=attempts, started_at=timezone.now())


def test_one_that_waits_in_the_queue_is_left_there(queued: SyncRun) -> None:
    assert look() == []
    assert DBTaskResult.objects.count() == 1


def test_one_whose_worker_is_at_it_is_left_alone(queued: SyncRun) -> None:
    cut_short(queued)
    with held_by_a_thread(f"run:{queued.pk}"):
        assert look() == []


def test_one_whose_worker_has_died_is_queued_again(queued: SyncRun) -> None:
    cut_short(queued)
    assert look() == [f"Run {queued.pk} was cut short and is taken up again."]
    assert look() == [], "it waits in the queue"
    work()
    queued.refresh_from_db()
    assert (queued.state, queued.attempts) == (SyncRun.State.DRIFT, 2)
    assert look() == []


def test_one_that_is_queued_again_is_free_for_a_worker_at_once(queued: SyncRun) -> None:
    cut_short(queued)
    found_free = []

    def be_quick(**signal: object) -> None:
        with held_by_a_thread(f"run:{queued.pk}"):
            found_free.append(queued.pk)

    task_enqueued.connect(be_quick)
    try:
        look()
    finally:
        task_enqueued.disconnect(be_quick)
    assert found_free == [queued.pk]


def test_one_that_the_queue_has_lost_is_queued_again(queued: SyncRun) -> None:
    DBTaskResult.objects.all().delete()
    assert len(look()) == 1
    work()
    queued.refresh_from_db()
    assert (queued.state, queued.attempts) == (SyncRun.State.DRIFT, 1)


def test_one_that_was_just_made_is_about_to_be_carried_out(federation: Federation, nothing_periodic: None) -> None:
    new = create_run(requested_by="the command line", infrastructures=_nodes())
    assert look() == []
    put_back(new, timedelta(seconds=SECONDS_TO_BE_QUEUED))
    assert len(look()) == 1


def test_one_that_is_cut_short_again_and_again_is_given_up(queued: SyncRun) -> None:
    cut_short(queued, attempts=MOST_BEGINNINGS)
    assert look() == []
    queued.refresh_from_db()
    node = queued.nodes.get()
    assert (queued.state, node.state) == (SyncRun.State.FAILED, SyncNode.State.FAILED)
    assert node.error == f"The run was cut short {MOST_BEGINNINGS} times."
    assert queued.finished_at
    assert node.finished_at
    assert not DBTaskResult.objects.ready().exists()


def test_one_that_is_in_the_queue_twice_is_carried_out_once(queued: SyncRun, federation: Federation) -> None:
    DBTaskResult.objects.all().delete()
    look()
    put_back(queued, HOUR)
    again = DBTaskResult.objects.get()
    work()
    again.pk = None
    again.save(force_insert=True)
    work()
    queued.refresh_from_db()
    assert queued.attempts == 1
    assert federation.clouds["Spain2"].calls == ["GET /flavors/detail"]


# Old runs


def ended_run(days: float, *nodes: Infrastructure) -> SyncRun:
    """Return a run over these nodes that ended so many days ago, all of them compared then."""
    ended, then = create_run(requested_by="somebody", infrastructures=nodes), timezone.now() - timedelta(days=days)
    ended.nodes.update(state=SyncNode.State.DONE, compared_at=then, finished_at=then)
    for node in ended.nodes.all():
        SyncOutcome.objects.create(node=node, flavorid="tiny", name="tiny", state="in_sync", action="nothing")
    SyncRun.objects.filter(pk=ended.pk).update(state=SyncRun.State.IN_SYNC, finished_at=then)
    return ended


def kept() -> list[int]:
    """Return the keys of the runs that there are, after a look."""
    look()
    return sorted(SyncRun.objects.values_list("pk", flat=True))


@pytest.mark.usefixtures("nothing_periodic")
def test_old_runs_are_deleted_and_what_is_known_last_of_a_node_is_not() -> None:
    make_flavor(name="tiny", flavorid="tiny")
    find("Mordor", 9, {"tiny": SyncOutcome.State.DIFFERENT})
    spain2 = make_registered("Spain2")
    ended_run(100, spain2)
    recent = ended_run(89, spain2)
    still_open = create_run(requested_by="somebody", infrastructures=[spain2])
    put_back(still_open, timedelta(days=300))
    SyncRun.objects.filter(nodes__name="Mordor").update(finished_at=timezone.now() - timedelta(days=200))
    known = coverage(node="Mordor")
    assert [row.states for row in known.rows] == [[SyncOutcome.State.DIFFERENT]]
    assert kept() == [recent.pk, still_open.pk]
    assert SyncOutcome.objects.count() == 1
    assert (coverage(node="Mordor").rows, coverage(node="Mordor").oldest) == (known.rows, known.oldest)


@pytest.mark.usefixtures("nothing_periodic")
def test_old_runs_are_deleted_a_few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "ROWS_AT_ONCE", 10)
    node = ended_run(100, make_registered("Spain2")).nodes.get()
    SyncOutcome.objects.bulk_create(
        SyncOutcome(node=node, flavorid=str(number), name="x", state="missing", action="create") for number in range(25)
    )
    with CaptureQueriesContext(connection) as asked:
        assert kept() == []
    deleted = [query["sql"] for query in asked if query["sql"].startswith("DELETE") and "syncoutcome" in query["sql"]]
    assert len(deleted) == 3 + 1  # the last one looks for more, with the run
    assert not SyncOutcome.objects.exists()


@pytest.mark.usefixtures("nothing_periodic")
def test_with_retention_of_0_days_all_are_kept(settings: Settings) -> None:
    settings.SYNC_RETENTION_DAYS = 0
    node = make_registered("Spain2")
    runs = [ended_run(10_000, node).pk, ended_run(1, node).pk]
    assert kept() == runs


@pytest.mark.usefixtures("nothing_periodic")
def test_the_retention_can_be_set(settings: Settings) -> None:
    settings.SYNC_RETENTION_DAYS = 7
    node = make_registered("Spain2")
    ended_run(8, node)
    newer = [ended_run(6, node).pk, ended_run(1, node).pk]
    assert kept() == newer
