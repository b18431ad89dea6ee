"""Which node has which flavor, as it was last compared."""

from datetime import UTC, datetime

import pytest
from pytest_django import DjangoAssertNumQueries

from flavors.coverage import RECORDED, UNRECORDED, State, coverage
from flavors.models import SyncNode, SyncOutcome, SyncRun
from flavors.tests.factories import make_flavor, make_infrastructure, make_installation
from infrastructures.models import Infrastructure

pytestmark = pytest.mark.django_db

ACTIONS: dict[str, str] = {State.IN_SYNC: "nothing", State.MISSING: "create", State.OTHER_ID: "adopt"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def make_run(
    node: str, hour: int, states: dict[str, str], *, whole: bool = True, result: str = "", compared: bool = True
) -> SyncRun:
    """Return a run that has compared a node at that hour, and found flavors, by id, in these states."""
    at = NOON.replace(hour=hour)
    run = SyncRun.objects.create(
        state=SyncRun.State.DRIFT, finished_at=at, flavorids=[] if whole else sorted(states), repairs=bool(result)
    )
    infrastructure = make_infrastructure(node)
    part = SyncNode.objects.create(
        run=run,
        infrastructure=infrastructure,
        name=node,
        state="done",
        compared_at=at if compared else None,
        finished_at=at,
    )
    SyncOutcome.objects.bulk_create(
        SyncOutcome(
            node=part, flavorid=flavorid, name=flavorid, state=state, action=ACTIONS.get(state, "cannot"), result=result
        )
        for flavorid, state in states.items()
    )
    return run


def states(**options: object) -> dict[str, list[str]]:
    return {row.name: list(row.states) for row in coverage(**options).rows}  # type: ignore[arg-type]


def test_the_last_comparison_counts() -> None:
    make_flavor(name="a", flavorid="a")
    make_run("Crete", 9, {"a": State.MISSING})
    make_run("Crete", 10, {"a": State.IN_SYNC})
    make_run("Spain2", 10, {"a": State.DIFFERENT})
    make_run("Crete", 11, {"a": State.MISSING}, compared=False)
    found = coverage()
    assert [(node.name, node.compared_at) for node in found.nodes] == [
        ("Crete", NOON.replace(hour=10)),
        ("Spain2", NOON.replace(hour=10)),
    ]
    assert [list(row.states) for row in found.rows] == [[State.IN_SYNC, State.DIFFERENT]]
    assert found.counts == {State.IN_SYNC: 1, State.DIFFERENT: 1}


def test_the_last_is_the_one_that_was_made_last_whichever_run_began_first() -> None:
    make_flavor(name="a", flavorid="a")
    make_run("Crete", 11, {"a": State.IN_SYNC})
    make_run("Crete", 10, {"a": State.MISSING})
    assert states() == {"a": [State.IN_SYNC]}
    assert coverage().oldest == NOON.replace(hour=11)


def test_what_was_found_in_a_node_that_is_gone_is_left_out() -> None:
    make_flavor(name="a", flavorid="a")
    make_run("Crete", 9, {"a": State.IN_SYNC})
    for whole in (True, False):
        make_run("Mordor", 10, {"a": State.MISSING}, whole=whole)
    Infrastructure.objects.filter(name="Mordor").delete()
    assert states() == {"a": [State.IN_SYNC]}


def test_a_run_that_is_at_work_is_known() -> None:
    make_run("Crete", 9, {})
    assert coverage().running is None
    run = SyncRun.objects.create()
    assert coverage().running == run.pk


def test_a_run_over_some_flavors_adds_to_the_last_over_all() -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 8, {"b": State.DIFFERENT}, whole=False)
    make_run("Crete", 9, {"a": State.MISSING, "b": State.MISSING})
    make_run("Crete", 10, {"a": State.MISSING}, whole=False, result="done")
    assert states() == {"a": [State.IN_SYNC], "b": [State.MISSING]}
    assert coverage().oldest == NOON.replace(hour=9)


def test_a_node_that_was_only_compared_in_part_is_shown_as_far() -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 10, {"a": State.MISSING}, whole=False)
    assert states() == {"a": [State.MISSING], "b": [UNRECORDED]}
    assert coverage().oldest is None


def test_what_was_not_compared_is_known_by_the_record() -> None:
    promoted, public = make_flavor(name="a", flavorid="a"), make_flavor(name="b", flavorid="b", promoted=False)
    make_flavor(name="draft", promoted=False, public=False)
    make_installation(promoted, "Crete")
    make_installation(public, "Spain2")
    assert states() == {"a": [RECORDED, UNRECORDED]}
    assert states(promoted=False) == {"a": [RECORDED, UNRECORDED], "b": [UNRECORDED, RECORDED]}


def test_flavors_and_nodes_are_chosen_by_name_in_any_case() -> None:
    for name in ("m1.Small", "m1.large"):
        make_flavor(name=name)
    for node in ("Crete", "Spain2", "Spain3"):
        make_infrastructure(node)
    found = coverage(flavor="SMALL", node="spain")
    assert ([row.name for row in found.rows], [node.name for node in found.nodes]) == (
        ["m1.Small"],
        ["Spain2", "Spain3"],
    )


def test_the_cost_does_not_grow(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for flavor in range(10):
        make_flavor(name=f"flavor {flavor}", flavorid=str(flavor))
    for node in range(10):
        make_run(f"Node {node}", 10, {str(flavor): State.IN_SYNC for flavor in range(10)})
        make_run(f"Node {node}", 11, {"1": State.MISSING}, whole=False)
    with django_assert_num_queries(6):
        found = coverage()
    assert found.counts == {State.IN_SYNC: 90, State.MISSING: 10}
