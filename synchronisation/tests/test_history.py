"""What is kept of runs: little where nothing happened, and all that there is to tell can still be told."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudUnavailable
from synchronisation import trend
from synchronisation.ending import end_run
from synchronisation.history import Choice, names_of_nodes, nodes_in_full, outcomes_of
from synchronisation.models import (
    FlavorList,
    LastComparison,
    ListedNode,
    NodeDay,
    NodeList,
    SyncNode,
    SyncOutcome,
    SyncRun,
)
from synchronisation.recording import record_ends, record_plans, record_starts, record_unreachable
from synchronisation.running import MOST_HELPERS, NODES_PER_WORKER, carry_out, create_run
from synchronisation.tasks import delete_old_runs
from synchronisation.telling.from_runs import announce_runs
from synchronisation.telling.models import AnnouncedRun, AwayNode
from testing.cloud import Federation
from testing.flavors import document_of, make_flavor, make_installation
from testing.infrastructures import make_registered
from testing.synchronising import an_outcome, compared, make_run, promote

pytestmark = [pytest.mark.django_db, pytest.mark.database]

KEPT = (
    *(SyncRun, SyncNode, SyncOutcome, Sighting, LastComparison, FlavorList, NodeList, ListedNode),
    *(AnnouncedRun, AwayNode, NodeDay),
)
MISSING: dict[str, Any] = {"state": "missing", "action": "create"}


def rows() -> int:
    """Return how many rows there are of all that a run writes, and a scheduler after it."""
    return sum(model.objects.count() for model in KEPT)


def end(run: SyncRun) -> SyncRun:
    assert end_run(run.pk)
    return SyncRun.objects.get(pk=run.pk)


def told(run: SyncRun, choice: Choice = Choice()) -> dict[str, list[tuple[str, str]]]:  # noqa: B008 — it is frozen
    """Return what is told of each flavor in each node."""
    return {
        node.name: [(outcome.flavorid, outcome.state) for outcome in outcomes_of(node, choice)]
        for node in nodes_in_full(run, choice)
    }


# With clouds


@pytest.fixture
def clouds() -> Iterator[Federation]:
    """Four registered clouds that have all of ten promoted flavors, which are known to be there."""
    flavors = [promote(f"f{number}") for number in range(10)]
    with Federation() as federation:
        for name in ("Crete", "Mordor", "Rohan", "Spain2"):
            make_registered(name)
            federation.add(name).flavors = {flavor.flavorid: document_of(flavor) for flavor in flavors}
            for flavor in flavors:
                make_installation(flavor, name)
        yield federation


def run_over_all(**options: Any) -> SyncRun:
    run = create_run(requested_by="schedule", infrastructures=Infrastructure.objects.all(), periodic=True, **options)
    ended = carry_out(run.pk)
    look()
    return ended


def look() -> None:
    """Write down what a scheduler does after a run."""
    announce_runs()
    trend.note_when_due()


@pytest.mark.django_db(transaction=True)
def test_a_run_in_which_nothing_happens_leaves_a_row_and_another_once_it_is_announced(clouds: Federation) -> None:
    first = run_over_all()
    before = rows()
    second = run_over_all()
    assert (first.state, second.state) == (SyncRun.State.IN_SYNC, SyncRun.State.IN_SYNC)
    assert rows() == before + 1 + 1
    assert (first.listed, first.compared_with) == (second.listed, second.compared_with)


@pytest.mark.django_db(transaction=True)
def test_one_that_finds_drift_leaves_a_row_for_each_flavor_and_its_node(clouds: Federation) -> None:
    run_over_all()
    del clouds.clouds["Mordor"].flavors["f1"], clouds.clouds["Mordor"].flavors["f2"]
    run_over_all()
    before = rows()
    ended = run_over_all()
    assert ended.state == SyncRun.State.DRIFT
    assert rows() == before + 2 + 1 + 2
    assert told(ended)["Mordor"][:4] == [("f0", "in_sync"), ("f1", "missing"), ("f2", "missing"), ("f3", "in_sync")]
    assert {name: len(found) for name, found in told(ended).items()} == dict.fromkeys(clouds.clouds, 10)


@pytest.mark.django_db(transaction=True)
def test_a_node_that_cannot_be_asked_is_one_row_and_told_flavor_by_flavor(clouds: Federation) -> None:
    run_over_all()
    clouds.clouds["Mordor"].failing["GET /flavors/detail"] = 503
    before = rows()
    ended = run_over_all()
    assert rows() == before + 2 + 1 + 1, "and the node is away"
    assert told(ended)["Mordor"] == [(f"f{number}", "unreachable") for number in range(10)]
    (mordor,) = nodes_in_full(ended, Choice(names=["Mordor"]))
    assert {outcome.reason for outcome in outcomes_of(mordor)} == {"Mordor: its Nova answered 503."}
    last = LastComparison.objects.get(infrastructure__name="Mordor")
    assert (last.unreachable_at, last.error) == (mordor.compared_at, "Mordor: its Nova answered 503.")
    assert last.whole_at is not None
    assert last.whole_at < mordor.compared_at  # type: ignore[operator]
    clouds.clouds["Mordor"].failing.clear()
    run_over_all()
    last.refresh_from_db()
    assert (last.unreachable_at, last.error) == (None, "")


def test_a_day_of_runs_in_which_ten_flavors_are_amiss_leaves_few_rows() -> None:
    """Every 10 minutes over 100 nodes: fewer than 5,000 rows with those of the queue and of the day."""
    names = [f"node-{number:03}" for number in range(100)]
    Infrastructure.objects.bulk_create(Infrastructure(name=name) for name in names)
    queued = 1 + min(MOST_HELPERS, (len(names) - 1) // NODES_PER_WORKER)

    def find() -> None:
        run = make_run(*names)
        for number, name in enumerate(names):
            outcome = an_outcome("b", **MISSING, result="planned") if number < 10 else an_outcome("b")
            compared(run, name, an_outcome("a"), outcome, ended=True)
        assert end(run).state == SyncRun.State.DRIFT
        look()

    find()
    before = rows()
    find()
    assert NodeDay.objects.count() == len(names)
    assert (rows() - before + queued) * 24 * 6 + NodeDay.objects.count() == 26 * 144 + 100 < 5000


def test_a_node_that_is_unregistered_while_it_is_compared_is_recorded_all_the_same() -> None:
    node = make_registered("Mordor")
    run = make_run("Mordor")
    part = run.nodes.get()
    node.delete()
    record_plans(run, {part: ([Flavor(flavorid="a", name="a")], [])})
    record_ends({part: ""})
    assert told(end(run)) == {"Mordor": [("a", "in_sync")]}
    assert not LastComparison.objects.exists()


# How far it is


def figures(run: SyncRun) -> tuple[int, ...]:
    progress = SyncRun.objects.get(pk=run.pk).progress
    return progress.nodes, progress.nodes_done, progress.flavors, progress.flavors_done


def test_the_progress_is_one_row(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    flavors = [promote(str(number)) for number in range(5)]
    run = make_run("Mordor", "Rohan", "Spain2")
    with django_assert_num_queries(2):  # the other one says how many flavors are to come
        assert figures(run) == (3, 0, 15, 0)
    compared(run, "Mordor", an_outcome("0"), an_outcome("1", **MISSING, result="planned"))
    assert figures(run) == (3, 0, 12, 1)
    compared(run, "Rohan", an_outcome("0"), ended=True)
    assert figures(run) == (3, 1, 8, 2)
    record_unreachable(run, run.nodes.get(name="Spain2"), flavors, CloudUnavailable("Spain2", "no"))
    with django_assert_num_queries(1):
        assert figures(run) == (3, 1, 8, 7)
    for name in ("Mordor", "Spain2"):
        record_ends({run.nodes.get(name=name): ""})
    assert figures(run) == (3, 3, 8, 8)


def test_what_is_recorded_again_after_a_crash_counts_once() -> None:
    run = make_run("Mordor")
    for attempts in (1, 2, 3):
        SyncRun.objects.update(attempts=attempts)
        run.refresh_from_db()
        compared(run, "Mordor", an_outcome("a"), an_outcome("b", **MISSING, result="planned"))
        assert figures(run) == (1, 0, 2, 1)
    for _ in range(2):
        record_ends({run.nodes.get(): ""})
        assert figures(run) == (1, 1, 2, 2)


# The end


def test_a_run_ends_once() -> None:
    run = make_run("Mordor")
    compared(run, "Mordor", an_outcome("a"), ended=True)
    ended = end(run)
    assert (ended.state, ended.finished_at is not None) == (SyncRun.State.IN_SYNC, True)
    assert not end_run(run.pk, state=SyncRun.State.FAILED)
    assert SyncRun.objects.get() == ended
    assert SyncRun.objects.get().state == SyncRun.State.IN_SYNC


def test_of_a_node_in_which_nothing_happened_all_is_told_that_was() -> None:
    run = make_run("Mordor", "Rohan", "Spain2")
    compared(run, "Mordor", an_outcome("a"), an_outcome("b"), ended=True)
    compared(run, "Rohan", an_outcome("a"), an_outcome("b", **MISSING, result="done"), ended=True)
    record_starts([run.nodes.get(name="Spain2")])
    record_ends({run.nodes.get(name="Spain2"): "Another run is at work in this node."})
    before = told(run)
    ended = end(run)
    assert [node.name for node in SyncNode.objects.all()] == ["Rohan", "Spain2"]
    assert (
        told(ended)
        == before
        == {
            "Mordor": [("a", "in_sync"), ("b", "in_sync")],
            "Rohan": [("a", "in_sync"), ("b", "missing")],
            "Spain2": [],
        }
    )
    mordor, *_ = nodes_in_full(ended)
    assert (mordor.state, mordor.error, mordor.finished_at) == (SyncNode.State.DONE, "", ended.finished_at)
    assert figures(ended) == (3, 3, 4, 4)


def test_a_node_that_was_compared_with_other_flavors_keeps_its_row() -> None:
    run = make_run("Mordor", "Rohan", "Spain2")
    for node in ("Mordor", "Rohan"):
        compared(run, node, an_outcome("a"), ended=True)
    compared(run, "Spain2", an_outcome("a"), an_outcome("b"), ended=True)
    ended = end(run)
    assert [node.name for node in SyncNode.objects.all()] == ["Spain2"]
    assert told(ended) == {
        "Mordor": [("a", "in_sync")],
        "Rohan": [("a", "in_sync")],
        "Spain2": [("a", "in_sync"), ("b", "in_sync")],
    }


# What is chosen


@pytest.mark.parametrize("has_ended", [False, True])
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"names": ["Mordor", "Rohan"]}, {"Mordor": "ab", "Rohan": "ab"}),
        ({"names": ["Gondor"]}, {}),
        ({"names": []}, {}),
        ({"states": ["missing"]}, {"Rohan": "b"}),
        ({"states": ["missing", "in_sync"]}, {"Mordor": "ab", "Rohan": "ab"}),
        ({"states": ["in_sync"]}, {"Mordor": "ab", "Rohan": "a"}),
        ({"states": ["unreachable"]}, {"Spain2": "ab"}),
        ({"states": ["unreachable"], "names": ["Mordor"]}, {}),
    ],
)
def test_nodes_are_chosen_by_name_and_by_what_was_found(
    choice: dict[str, Any], expected: dict[str, str], has_ended: bool
) -> None:
    run = make_run("Mordor", "Rohan", "Spain2")
    compared(run, "Mordor", an_outcome("a"), an_outcome("b"), ended=True)
    compared(run, "Rohan", an_outcome("a"), an_outcome("b", **MISSING, result="planned"), ended=True)
    spain2, flavors = run.nodes.get(name="Spain2"), [Flavor(flavorid=id, name=id) for id in "ab"]
    record_unreachable(run, spain2, flavors, CloudUnavailable("Spain2", "no"))
    record_ends({spain2: "Spain2: no"})
    if has_ended:
        run = end(run)
    chosen = Choice(**choice)
    found = {name: "".join(id for id, _ in outcomes) for name, outcomes in told(run, chosen).items()}
    assert found == expected
    assert [node.name for node in names_of_nodes(run, chosen)] == sorted(expected)


def test_a_run_takes_as_many_queries_whatever_its_size() -> None:
    def queries(*nodes: str) -> int:
        run = make_run(*nodes)
        for number, node in enumerate(nodes):
            outcome = an_outcome("b", **MISSING, result="planned") if number % 2 else an_outcome("b")
            compared(run, node, an_outcome("a"), outcome, ended=True)
        with CaptureQueriesContext(connection) as asked:
            ended = end(run)
            assert len(told(ended)) == len(nodes)
        return len(asked)

    assert queries("a", "b") == queries(*"abcdefghijklmnopqrst")


# The history of a flavor and of a node


def test_the_history_of_a_flavor_and_of_a_node_is_what_was_not_in_sync() -> None:
    for name in ("Mordor", "Rohan"):
        make_registered(name)
    runs = []
    for outcomes in ([an_outcome("a"), an_outcome("b")], [an_outcome("a", **MISSING), an_outcome("b", **MISSING)]):
        runs.append(make_run("Mordor", "Rohan"))
        compared(runs[-1], "Mordor", *outcomes, ended=True)
        compared(runs[-1], "Rohan", an_outcome("a", **MISSING, result="done"), ended=True)
        end(runs[-1])
    history = SyncOutcome.objects.latest_first()
    assert [(each.node.name, each.result) for each in history.of_flavor("a")] == [
        ("Rohan", "done"),
        ("Mordor", ""),
        ("Rohan", "done"),
    ]
    mordor = Infrastructure.objects.get(name="Mordor")
    assert [each.flavorid for each in history.of_node(mordor)] == ["b", "a"]
    assert {each.node.run for each in history.of_node(mordor)} == {runs[-1]}


# What goes


def test_lists_go_with_the_last_run_that_refers_to_them() -> None:
    make_registered("Mordor")
    runs = [make_run("Mordor"), make_run("Mordor"), make_run("Rohan")]
    for run, flavorid in zip(runs, "aab", strict=True):
        node = run.nodes.get()
        compared(run, node.name, an_outcome(flavorid), ended=True)
        end(run)
    assert (FlavorList.objects.count(), NodeList.objects.count(), ListedNode.objects.count()) == (2, 2, 2)
    SyncRun.objects.exclude(pk=runs[1].pk).update(finished_at="2020-01-01T00:00Z")
    assert delete_old_runs() == 2
    assert (FlavorList.objects.get().flavors, ListedNode.objects.get().name) == ([["a", "a"]], "Mordor")
    assert told(SyncRun.objects.get()) == {"Mordor": [("a", "in_sync")]}


def test_a_list_is_the_same_in_whatever_order_and_another_after_a_change() -> None:
    make_flavor(flavorid="a", name="a")
    first, second = make_run("Mordor", "Rohan"), make_run("Rohan", "Mordor")
    assert first.listed == second.listed
    make_registered("Mordor")
    assert make_run("Mordor", "Rohan").listed != first.listed
