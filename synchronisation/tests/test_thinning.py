"""A database from before runs kept only what happened: it is thinned, and tells the same."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from infrastructures.models import Infrastructure
from synchronisation.history import nodes_in_full, outcomes_of
from synchronisation.models import FlavorList, LastComparison, SyncNode, SyncOutcome, SyncRun

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE = ("synchronisation", "0001_initial")

Found = dict[str, tuple[str, str, str]]
"""The state, the action and the result, by the flavor's id."""

IN_SYNC, PLANNED, DONE, UNREACHABLE = (
    ("in_sync", "nothing", ""),
    ("missing", "create", "planned"),
    ("missing", "create", "done"),
    ("unreachable", "cannot", ""),
)


@pytest.fixture
def before() -> Iterator[Apps]:
    """The models as they were, over the database as it was."""
    executor = MigrationExecutor(connection)
    executor.migrate([BEFORE])
    try:
        yield executor.loader.project_state([BEFORE]).apps
    finally:
        call_command("migrate", verbosity=0)


def a_run(apps: Apps, hour: int, found: dict[str, Found], **overrides: Any) -> int:
    """Store a run that has ended at this hour, as the release before did; return its key."""
    at = NOON.replace(hour=hour)
    values = {"state": "drift", "started_at": at, "finished_at": at, **overrides}
    run = apps.get_model("synchronisation", "SyncRun").objects.create(**values)
    for name, outcomes in found.items():
        node, _ = apps.get_model("infrastructures", "Infrastructure").objects.get_or_create(name=name)
        unreachable = UNREACHABLE in outcomes.values()
        part = run.nodes.create(
            infrastructure=node,
            name=name,
            state="failed" if unreachable else "done",
            error="no" if unreachable else "",
            unreachable=unreachable,
            compared_at=at,
            finished_at=at,
        )
        for flavorid, (state, action, result) in outcomes.items():
            part.outcomes.create(
                flavorid=flavorid, name=f"m1.{flavorid}", state=state, action=action, result=result, reason=part.error
            )
    return int(run.pk)


def migrate() -> None:
    call_command("migrate", verbosity=0)


def told(pk: int) -> dict[str, Found]:
    """Return what is told of a run by now."""
    return {
        node.name: {each.flavorid: (each.state, each.action, each.result) for each in outcomes_of(node)}
        for node in nodes_in_full(SyncRun.objects.get(pk=pk))
    }


def test_runs_tell_the_same_by_fewer_rows(before: Apps) -> None:
    quiet = {"a": IN_SYNC, "b": IN_SYNC}
    found = [
        {"Crete": quiet, "Mordor": {"a": IN_SYNC, "b": PLANNED}, "Rohan": dict.fromkeys("ab", UNREACHABLE)},
        {"Crete": quiet, "Mordor": {"a": IN_SYNC, "b": DONE}, "Rohan": quiet},
        {"Crete": quiet, "Mordor": quiet, "Rohan": quiet},
    ]
    runs = [a_run(before, hour, each) for hour, each in enumerate(found)]
    last = a_run(before, 9, found[2])
    migrate()
    assert [told(pk) for pk in runs] == found
    assert told(last) == found[2]
    assert {each.flavorid for each in SyncOutcome.objects.all()} == {"b"}
    assert SyncOutcome.objects.count() == 2
    # The release before looks for the last run of each node.
    kept = SyncNode.objects.values_list("run", "name").order_by("pk")
    assert list(kept) == [
        *((runs[0], name) for name in ("Mordor", "Rohan")),
        (runs[1], "Mordor"),
        *((last, name) for name in ("Crete", "Mordor", "Rohan")),
    ]
    (rohan,) = [node for node in nodes_in_full(SyncRun.objects.get(pk=runs[0])) if node.name == "Rohan"]
    assert {each.reason for each in outcomes_of(rohan)} == {"no"}
    progress = SyncRun.objects.get(pk=runs[0]).progress
    assert (progress.nodes, progress.nodes_done, progress.flavors, progress.flavors_done) == (3, 3, 6, 6)
    assert FlavorList.objects.get().flavors == [["a", "m1.a"], ["b", "m1.b"]]


@pytest.mark.thorough
def test_when_a_node_was_last_compared_is_known_without_its_runs(before: Apps) -> None:
    a_run(before, 1, {"Crete": {"a": IN_SYNC, "b": IN_SYNC}, "Rohan": {"a": IN_SYNC, "b": IN_SYNC}})
    a_run(before, 2, {"Crete": {"a": PLANNED}}, flavorids=["a"])
    a_run(before, 3, {"Rohan": {"a": UNREACHABLE, "b": UNREACHABLE}})
    before.get_model("infrastructures", "Infrastructure").objects.create(name="Spain2")
    migrate()
    SyncRun.objects.all().delete()
    last = {each.infrastructure.name: each for each in LastComparison.objects.select_related("infrastructure")}
    assert last.keys() == {"Crete", "Rohan"}
    assert (last["Crete"].whole_at, last["Crete"].unreachable_at) == (NOON.replace(hour=1), None)
    assert last["Crete"].parts == {"a": NOON.replace(hour=2).isoformat()}
    assert (last["Rohan"].whole_at, last["Rohan"].unreachable_at, last["Rohan"].error) == (
        NOON.replace(hour=1),
        NOON.replace(hour=3),
        "no",
    )


@pytest.mark.thorough
def test_a_run_that_is_under_way_is_left_to_whoever_is_at_it(before: Apps) -> None:
    running = a_run(before, 1, {"Crete": {"a": IN_SYNC}}, state="running", finished_at=None)
    migrate()
    run = SyncRun.objects.get(pk=running)
    assert (run.listed, run.node_count, SyncOutcome.objects.count()) == (None, 1, 1)
    assert told(running) == {"Crete": {"a": IN_SYNC}}


@pytest.mark.thorough
def test_it_goes_on_where_it_was_cut_short(before: Apps) -> None:
    found = {"Crete": {"a": IN_SYNC, "b": PLANNED}}
    runs = [a_run(before, hour, found) for hour in (1, 2)]
    migrate()
    # As if it had come no further than to the first of them
    second = SyncRun.objects.get(pk=runs[1])
    second.listed, second.compared_with = None, None
    second.save()
    node = second.nodes.get()
    node.outcomes.create(flavorid="a", name="m1.a", state="in_sync", action="nothing")
    call_command("migrate", "synchronisation", "0002", verbosity=0)
    migrate()
    assert [told(pk) for pk in runs] == [found, found]
    assert SyncOutcome.objects.count() == 2


@pytest.mark.thorough
def test_a_node_that_is_no_longer_registered_is_still_told_of(before: Apps) -> None:
    run = a_run(before, 1, {"Crete": {"a": IN_SYNC}})
    before.get_model("infrastructures", "Infrastructure").objects.all().delete()
    migrate()
    assert told(run) == {"Crete": {"a": IN_SYNC}}
    assert not SyncNode.objects.exists()
    assert not Infrastructure.objects.exists()
