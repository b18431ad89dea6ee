"""Which node has which flavor, as it was last seen."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from flavors.catalogue import services
from flavors.catalogue.sightings import Seen, write
from flavors.catalogue.states import CHANGED, RECORDED, UNRECORDED
from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.coverage import State, cell, coverage
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.recording import record_last_comparisons
from testing.flavors import make_flavor, make_infrastructure, make_installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]

ACTIONS: dict[str, str] = {State.IN_SYNC: "nothing", State.MISSING: "create", State.OTHER_ID: "adopt"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def make_run(
    node: str,
    hour: int,
    states: dict[str, str],
    *,
    whole: bool = True,
    result: str = "",
    compared: bool = True,
    differences: Sequence[dict[str, object]] = (),
) -> SyncRun:
    """Return a run that has compared a node at that hour, and seen flavors, by id, in these states."""
    at = NOON.replace(hour=hour)
    run = SyncRun.objects.create(
        state=SyncRun.State.DRIFT,
        finished_at=at,
        flavorids=[] if whole else sorted(states),
        repairs=bool(result),
        **dict.fromkeys(("node_count", "nodes_compared", "nodes_ended"), 1),
        **dict.fromkeys(("flavor_count", "flavors_done"), len(states)),
    )
    infrastructure = make_infrastructure(node)
    part = SyncNode.objects.create(
        run=run,
        infrastructure=infrastructure,
        name=node,
        state="done",
        compared_at=at if compared else None,
        finished_at=at,
        unreachable=State.UNREACHABLE in states.values(),
        flavor_count=len(states),
        flavors_done=len(states),
    )
    SyncOutcome.objects.bulk_create(
        SyncOutcome(
            node=part,
            flavorid=flavorid,
            name=flavorid,
            state=state,
            action=ACTIONS.get(state, "cannot"),
            result=result,
            differences=list(differences),
        )
        for flavorid, state in states.items()
    )
    record_last_comparisons(run, {part: [Flavor(flavorid=flavorid) for flavorid in states]})
    if compared and not part.unreachable:
        see(infrastructure, at, {id: State.IN_SYNC if result else state for id, state in states.items()}, differences)
    return run


def see(
    infrastructure: Infrastructure, at: datetime, states: Mapping[str, str], differences: Sequence[Any] = ()
) -> None:
    """Write down that flavors, by id, were seen in these states."""
    seen = [
        Seen(
            flavor=flavor, infrastructure=infrastructure, state=State(states[flavor.flavorid]), differences=differences
        )
        for flavor in Flavor.objects.filter(flavorid__in=states)
    ]
    with transaction.atomic():
        write(seen, as_of=at)


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
    assert coverage().oldest == NOON.replace(hour=10)


@pytest.mark.parametrize("state", [State.IN_SYNC, State.DIFFERENT, State.OTHER_ID, State.NAME_TAKEN])
@pytest.mark.parametrize(
    "change",
    [{"ram": 131072}, {"name": "b"}, {"extra_specs": {"hw:cpu_policy": "shared"}}, {"description": "larger"}],
    ids=lambda change: next(iter(change)),
)
def test_what_was_seen_of_a_flavor_that_has_changed_since_holds_no_longer(state: str, change: dict[str, Any]) -> None:
    flavor = make_flavor(name="a", flavorid="a")
    make_run("Crete", 10, {"a": state})
    before = {name: getattr(flavor, name) for name in change}
    for values, shown in ((change, CHANGED), (before, state)):
        Flavor.objects.filter(pk=flavor.pk).update(**values)  # past every service
        (row,) = coverage().rows
        assert row.states == [shown]
        flavor.refresh_from_db()
        assert cell(flavor=flavor, infrastructure=make_infrastructure("Crete")).state == shown


def test_what_is_missing_is_missing_whatever_it_should_be_like() -> None:
    make_flavor(name="a", flavorid="a")
    make_run("Crete", 10, {"a": State.MISSING})
    Flavor.objects.update(ram=7)
    assert states() == {"a": [State.MISSING]}


def test_promoting_a_flavor_changes_nothing_of_what_was_seen() -> None:
    flavor = make_flavor(name="a", flavorid="a", promoted=False)
    make_run("Crete", 10, {"a": State.IN_SYNC})
    services.promote(flavor=flavor)
    assert states() == {"a": [State.IN_SYNC]}


def test_a_comparison_with_what_the_flavor_was_before_says_nothing_of_what_it_is_now() -> None:
    """A run may read the catalogue, and the flavor be changed before the run has written down what it found."""
    flavor = make_flavor(name="a", flavorid="a")
    Flavor.objects.update(ram=7)
    crete = make_infrastructure("Crete")
    with transaction.atomic():
        write([Seen(flavor=flavor, infrastructure=crete, state=State.IN_SYNC)], as_of=NOON)
    assert states() == {"a": [CHANGED]}


def test_in_a_node_that_cannot_be_reached_only_what_was_seen_since_is_known() -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 9, {"a": State.IN_SYNC, "b": State.IN_SYNC})
    make_run("Crete", 10, {"a": State.UNREACHABLE, "b": State.UNREACHABLE})
    assert states() == {"a": [State.UNREACHABLE], "b": [State.UNREACHABLE]}
    see(make_infrastructure("Crete"), NOON.replace(hour=11), {"b": State.MISSING})
    assert states() == {"a": [State.UNREACHABLE], "b": [State.MISSING]}
    found = {
        flavor.name: cell(flavor=flavor, infrastructure=make_infrastructure("Crete")).state
        for flavor in Flavor.objects.all()
    }
    assert found == {"a": State.UNREACHABLE, "b": State.MISSING}
    make_run("Crete", 12, {"a": State.IN_SYNC, "b": State.MISSING})
    assert states() == {"a": [State.IN_SYNC], "b": [State.MISSING]}


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
    with django_assert_num_queries(8):
        found = coverage()
    assert found.counts == {State.IN_SYNC: 90, State.MISSING: 10}


# How old it is


def oldest(**options: Any) -> int | None:
    """Return the hour of the oldest comparison that is shown."""
    at = coverage(**options).oldest
    return at.hour if at else None


def test_the_oldest_comparison_is_that_of_what_is_shown() -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 9, {"a": State.MISSING, "b": State.IN_SYNC})
    make_run("Spain2", 10, {"a": State.MISSING, "b": State.IN_SYNC})
    assert oldest() == 9
    make_run("Crete", 11, {"a": State.IN_SYNC}, whole=False)
    assert oldest() == 9  # of b
    assert oldest(flavor="a") == 10  # in Spain2
    assert oldest(flavor="a", node="Crete") == 11
    make_run("Crete", 12, {"b": State.IN_SYNC}, whole=False)
    assert oldest(node="Crete") == 11
    assert oldest() == 10
    make_run("Crete", 13, {"a": State.IN_SYNC, "b": State.IN_SYNC})
    assert oldest(node="Crete") == 13


def test_a_node_of_which_some_flavors_were_compared_was_compared() -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 9, {"a": State.MISSING}, whole=False)
    make_run("Crete", 11, {"a": State.MISSING}, whole=False)
    [node] = coverage().nodes
    assert node.compared_at == NOON.replace(hour=11)
