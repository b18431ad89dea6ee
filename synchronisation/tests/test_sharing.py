"""Several crews share a run: each node is one crew's, what a dead one leaves goes to others, and the run ends once."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from infrastructures.models import Infrastructure
from synchronisation.claiming import AT_ONCE, MAX_ATTEMPTS, claim, release_lost
from synchronisation.ending import end_when_done
from synchronisation.models import SyncNode, SyncRun
from synchronisation.running import NODES_PER_WORKER, begin, carry_out, create_run, help_with
from synchronisation.tasks import carry_out_run, help_with_run, start_run, take_up_runs
from testing.cloud import Federation
from testing.holder import held_by_a_thread
from testing.synchronising import clouds_that_lack_a_flavor

pytestmark = pytest.mark.django_db(transaction=True)

NODES = NODES_PER_WORKER + 8
LIST = "GET /flavors/detail"


@pytest.fixture
def federation() -> Iterator[Federation]:
    """So many clouds that a worker calls another one."""
    with clouds_that_lack_a_flavor(NODES) as federation:
        yield federation


def a_run() -> SyncRun:
    """Return a run that has begun, over all nodes."""
    run = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)
    SyncRun.objects.filter(pk=run.pk).update(state=SyncRun.State.RUNNING, attempts=1)
    run.refresh_from_db()
    return run


def begun_by(crew: str, nodes: list[SyncNode], *, attempts: int = 1) -> None:
    """Leave nodes as a crew does that is at work in them."""
    keys = [node.pk for node in nodes]
    SyncNode.objects.filter(pk__in=keys).update(crew=crew, state=SyncNode.State.RUNNING, attempts=attempts)


# Sharing


def test_a_run_over_many_nodes_calls_another_worker_which_finds_nothing_left(federation: Federation) -> None:
    run = start_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)
    carry_out_run.call(run.pk)
    run.refresh_from_db()
    assert run.state == SyncRun.State.IN_SYNC
    (helping,) = DBTaskResult.objects.filter(task_path=help_with_run.module_path)
    help_with_run.call(*helping.args_kwargs["args"])
    assert all(cloud.calls == [LIST, "POST /flavors"] for cloud in federation.clouds.values())


def test_two_crews_share_a_run_and_each_node_is_worked_on_once(federation: Federation) -> None:
    """The clouds answer only when the other crew has come, too."""
    crews: Counter[str] = Counter()
    both = threading.Event()

    def look(call: str) -> None:
        if call == LIST:
            both.wait(30)

    for cloud in federation.clouds.values():
        cloud.before_call = look
    run = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)

    def help_out() -> None:
        try:
            help_with(run.pk)
        finally:
            connection.close()

    def watch() -> None:
        try:
            while len(crews) < 2:
                crews.update(run.nodes.exclude(crew="").values_list("crew", flat=True).distinct())
                both.wait(0.05)
            both.set()
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        watching = pool.submit(watch)
        begin(run.pk, call_helper=lambda: pool.submit(help_out))
        watching.result()
    run.refresh_from_db()
    assert (run.state, run.nodes_ended, run.attempts) == (SyncRun.State.IN_SYNC, NODES, 1)
    assert all(cloud.calls == [LIST, "POST /flavors"] for cloud in federation.clouds.values())


@pytest.mark.usefixtures("federation")
def test_a_node_is_one_crews() -> None:
    run = a_run()
    first = claim(run, "one", most=5, is_idle=True)
    second = claim(run, "two", most=NODES, is_idle=True)
    assert len(first) == 5
    assert {node.pk for node in first}.isdisjoint(node.pk for node in second)
    assert len(first) + len(second) == NODES
    assert claim(run, "three", most=5, is_idle=True) == []


# The end


@pytest.mark.usefixtures("federation")
def test_of_all_who_end_a_run_one_has_ended_it() -> None:
    run = a_run()
    run.nodes.update(state=SyncNode.State.DONE, finished_at=timezone.now())
    together = threading.Barrier(4)

    def end(_: int) -> bool:
        try:
            together.wait(20)
            return end_when_done(run.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(end, range(4))) == [False, False, False, True]


@pytest.mark.usefixtures("federation")
def test_a_run_whose_last_worker_has_died_before_its_end_is_ended() -> None:
    run = a_run()
    run.nodes.update(state=SyncNode.State.DONE, finished_at=timezone.now())
    assert take_up_runs() == []
    run.refresh_from_db()
    assert (run.state, run.finished_at is not None) == (SyncRun.State.IN_SYNC, True)


# What a dead crew leaves


@pytest.mark.usefixtures("federation")
def test_what_a_dead_crew_had_is_free_and_a_helper_is_called_while_others_live() -> None:
    run = a_run()
    with held_by_a_thread("crew:living"):
        begun_by("living", claim(run, "living", most=3, is_idle=True))
        begun_by("dead", claim(run, "dead", most=4, is_idle=True))
        assert take_up_runs() == [run]
        assert set(run.nodes.claimed().values_list("crew", flat=True)) == {"living"}
    run.refresh_from_db()
    assert (run.state, run.attempts) == (SyncRun.State.RUNNING, 1)
    assert DBTaskResult.objects.get().task_path == help_with_run.module_path


def test_when_all_have_died_the_run_begins_again_where_it_was(federation: Federation) -> None:
    run = a_run()
    run.nodes.filter(name="Node00").update(state=SyncNode.State.DONE, finished_at=timezone.now())
    begun_by("dead", claim(run, "dead", most=4, is_idle=True))
    assert take_up_runs() == [run]
    assert DBTaskResult.objects.get().task_path == carry_out_run.module_path
    assert carry_out(run.pk).state == SyncRun.State.IN_SYNC
    assert federation.clouds["Node00"].calls == []


@pytest.mark.usefixtures("federation")
def test_nodes_that_were_cut_short_come_last_and_with_few_others_each_time() -> None:
    """So that the one that kills its crew is alone in the end."""
    run = a_run()
    for attempts, at_once in AT_ONCE.items():
        begun_by("dead", list(run.nodes.all()), attempts=attempts)
        release_lost(run)
        run.nodes.update(not_before=None)
        assert claim(run, "busy", most=NODES, is_idle=False) == []
        assert len(claim(run, "idle", most=NODES, is_idle=True)) == at_once
        run.nodes.update(crew="")


@pytest.mark.usefixtures("federation")
def test_a_node_that_was_cut_short_again_and_again_fails_alone() -> None:
    run = a_run()
    begun_by("dead", claim(run, "dead", most=1, is_idle=True), attempts=MAX_ATTEMPTS)
    release_lost(run)
    ended = carry_out(run.pk)
    (failed,) = ended.nodes.filter(state=SyncNode.State.FAILED)
    assert ended.state == SyncRun.State.PARTLY_DONE
    assert failed.error == f"The run was cut short {MAX_ATTEMPTS} times here."
    assert ended.nodes_ended == NODES


@pytest.mark.usefixtures("federation")
def test_a_node_that_was_cut_short_twice_is_left_alone_for_a_while() -> None:
    run = a_run()
    run.nodes.exclude(name="Node00").update(state=SyncNode.State.DONE, finished_at=timezone.now())
    begun_by("dead", claim(run, "dead", most=1, is_idle=True), attempts=2)
    assert take_up_runs() == [], "it waits"
    run.nodes.update(not_before=timezone.now() - timedelta(seconds=1))
    assert take_up_runs() == [run]
