"""Replacing a flavor: whatever fails, whenever, the old or the new one is there whole in the end."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import region_of
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import (
    CloudError,
    CloudUnavailable,
    FlavorConflict,
    FlavorNotFound,
    FlavorRefused,
    Forbidden,
    TokenRefused,
)
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements.changes import create_flavor, delete_flavor
from infrastructures.replacements.replacing import replace_flavor, settle_replacements
from infrastructures.tests.fake_nova import FakeNova, Fault
from testing.holder import held_by_a_thread
from testing.infrastructures import (
    let_the_doubt_end,
    make_infrastructure,
    make_nova_flavor,
    make_region,
    make_replacement,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]

OLD = make_nova_flavor()
NEW = make_nova_flavor(ram=8192)
REFUSALS: list[type[CloudError]] = [Forbidden, FlavorConflict, FlavorRefused, TokenRefused]
# A clear word, whichever, and none; every other order of all of them is looked for further down.
FAILURES: list[type[CloudError]] = [FlavorRefused, CloudUnavailable]
# The row, the extra specs and two grants.
CREATION_STEPS = 4


def change(nova: FakeNova, infrastructure: Infrastructure, **changes: Any) -> NovaFlavor:
    return replace_flavor(
        infrastructure=infrastructure,
        nova=nova,
        flavorid="42",
        changes=changes or {"ram": 8192},
        requested_by="somebody",
    )


def is_open() -> bool:
    return Replacement.objects.exists()


def is_watched() -> bool:
    return Replacement.objects.filter(is_met=True).exists()


# Without faults


def test_a_replaced_flavor_keeps_all_that_is_not_changed() -> None:
    nova = FakeNova(OLD)
    assert change(nova, make_infrastructure()) == NEW
    assert nova.flavors == {"42": NEW}
    assert nova.calls == ["get", "delete", "create"]
    assert not is_open()


def test_nothing_is_done_when_nothing_changes() -> None:
    nova = FakeNova(OLD)
    assert change(nova, make_infrastructure(), ram=OLD.ram, name=OLD.name) == OLD
    assert nova.calls == ["get"]


def test_both_flavors_are_written_down_whole_while_nova_is_changed() -> None:
    infrastructure, nova = make_infrastructure(), FakeNova(OLD)
    seen: dict[str, list[tuple[NovaFlavor | None, NovaFlavor | None, str]]] = {}

    def look(call: str) -> None:
        records = Replacement.objects.filter(infrastructure=infrastructure, flavorid="42")
        seen[call] = [(record.other, record.wanted, record.requested_by) for record in records]

    nova.before_call = look
    change(nova, infrastructure)
    assert seen == {"get": [], "delete": [(OLD, NEW, "somebody")], "create": [(OLD, NEW, "somebody")]}


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_cloud_is_called() -> None:
    infrastructure = make_infrastructure()
    nova = FakeNova(OLD, faults={2: Fault()})
    seen: list[bool] = []
    nova.before_call = lambda call: seen.append(connection.in_atomic_block)
    with pytest.raises(CloudUnavailable):
        change(nova, infrastructure)
    change(nova, infrastructure)
    delete_flavor(infrastructure=infrastructure, nova=nova, flavorid="42")
    create_flavor(infrastructure=infrastructure, nova=nova, flavor=OLD)
    Replacement.objects.all().delete()
    make_replacement(infrastructure=infrastructure)
    settle_replacements(infrastructure=infrastructure, nova=nova)
    assert len(seen) > 10
    assert not any(seen)


def test_an_unknown_flavor_is_not_replaced() -> None:
    with pytest.raises(FlavorNotFound):
        change(FakeNova(), make_infrastructure())
    assert not is_open()


@pytest.mark.parametrize("name", ["other", "OTHER"])
def test_a_taken_name_is_refused_while_the_old_flavor_stands(name: str) -> None:
    other = make_nova_flavor(id="7", name="Other")
    nova = FakeNova(OLD, other)
    with pytest.raises(FlavorConflict, match=f"named {name}"):
        change(nova, make_infrastructure(), name=name)
    assert nova.flavors == {"42": OLD, "7": other}
    assert nova.calls == ["get", "list"]


def test_a_name_may_change_its_case() -> None:
    nova = FakeNova(OLD)
    assert change(nova, make_infrastructure(), name=OLD.name.upper()).name == "M1.CUSTOM"
    assert nova.calls == ["get", "delete", "create"]


# One fault


def assert_nothing_is_lost(nova: FakeNova, infrastructure: Infrastructure) -> None:
    """Fail unless Nova has a whole flavor or both are written down, and settling ends it."""
    if not is_open():
        assert nova.flavors.get("42") in (OLD, NEW)
    record = Replacement.objects.first()
    if record:
        assert (record.old, record.new) == (OLD.as_json(), NEW.as_json())
    nova.faults.clear()
    assert settle_replacements(infrastructure=infrastructure, nova=nova) == []
    assert nova.flavors.get("42") in (OLD, NEW)
    let_the_doubt_end()
    assert settle_replacements(infrastructure=infrastructure, nova=nova) == []
    assert nova.flavors.get("42") in (OLD, NEW)
    assert not is_open()


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("step", range(CREATION_STEPS + 1))
def test_a_failed_creation_puts_the_old_flavor_back(error: type[CloudError], step: int) -> None:
    infrastructure, nova = make_infrastructure(), FakeNova(OLD, faults={2: Fault(error, step)})
    with pytest.raises(error, match="failed create"):
        change(nova, infrastructure)
    assert nova.flavors == {"42": OLD}
    assert is_watched() == (error is CloudUnavailable)
    assert_nothing_is_lost(nova, infrastructure)


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refused_deletion_leaves_everything_as_it_was(error: type[CloudError]) -> None:
    infrastructure, nova = make_infrastructure(), FakeNova(OLD, faults={1: Fault(error)})
    with pytest.raises(error):
        change(nova, infrastructure)
    assert nova.flavors == {"42": OLD}
    assert not is_open()


@pytest.mark.parametrize(("steps", "settled"), [(0, OLD), (1, NEW)], ids=["still there", "gone"])
def test_a_deletion_without_an_answer_is_settled_by_what_became_of_it(steps: int, settled: NovaFlavor) -> None:
    infrastructure, nova = make_infrastructure(), FakeNova(OLD, faults={1: Fault(steps=steps)})
    with pytest.raises(CloudUnavailable):
        change(nova, infrastructure)
    assert is_open()
    assert not is_watched()
    assert_nothing_is_lost(nova, infrastructure)
    assert nova.flavors == {"42": settled}


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("steps", range(CREATION_STEPS + 1))
@pytest.mark.parametrize("call", range(3, 6))
def test_what_cannot_be_put_back_stays_open_and_is_settled(call: int, steps: int, error: type[CloudError]) -> None:
    """Call 2 makes the new flavor's row and fails; 3 and later look, delete it and make the old one."""
    infrastructure = make_infrastructure()
    nova = FakeNova(OLD, faults={2: Fault(steps=1), call: Fault(error, steps), call + 1: Fault()})
    with pytest.raises(CloudUnavailable, match="failed create"):
        change(nova, infrastructure)
    assert_nothing_is_lost(nova, infrastructure)


def test_what_stays_open_says_why() -> None:
    infrastructure = make_infrastructure()
    nova = FakeNova(OLD, faults={2: Fault(FlavorRefused), 3: Fault(Forbidden)})
    with pytest.raises(FlavorRefused):
        change(nova, infrastructure)
    record = Replacement.objects.get()
    assert (record.goal, record.last_error) == (Replacement.Goal.OLD, "Spain2: failed get")
    assert_nothing_is_lost(nova, infrastructure)
    assert nova.flavors == {"42": OLD}


# Any faults


def faults() -> st.SearchStrategy[Fault]:
    """Return any failure that Nova's methods can come up with: no deletion is refused once it is done."""
    unavailable = st.builds(Fault, st.just(CloudUnavailable), st.integers(0, CREATION_STEPS))
    refused = st.builds(Fault, st.sampled_from(REFUSALS), st.sampled_from([0, 2, 3, 4]))
    return unavailable | refused


@examples(max_examples=200, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.dictionaries(st.integers(0, 30), faults(), max_size=12), contacts=st.integers(0, 4))
def test_no_sequence_of_faults_loses_a_flavor(plan: dict[int, Fault], contacts: int) -> None:
    infrastructure = Infrastructure.objects.get_or_create(name="Spain2")[0]
    Replacement.objects.all().delete()
    nova = FakeNova(OLD, faults=plan)
    attempts: list[Callable[[], object]] = [lambda: change(nova, infrastructure)]
    attempts += [lambda: settle_replacements(infrastructure=infrastructure, nova=nova)] * contacts
    for attempt in attempts:
        try:
            attempt()
        except CloudError:
            assert is_open() or nova.flavors.get("42") in (OLD, NEW)
    assert_nothing_is_lost(nova, infrastructure)


# Settling


HALF_NEW = replace(NEW, extra_specs={}, projects=())
HALF_OLD = replace(OLD, extra_specs={"quota:vif": "1"}, projects=("p1",))
OF_SOMEBODY_ELSE = make_nova_flavor(ram=1, description="of somebody else")


@pytest.mark.parametrize(
    ("goal", "has", "settled"),
    [
        ("new", None, NEW),
        ("new", OLD, OLD),
        ("new", NEW, NEW),
        ("new", HALF_NEW, NEW),
        ("old", None, OLD),
        ("old", OLD, OLD),
        ("old", NEW, OLD),
        ("old", HALF_NEW, OLD),
        ("old", HALF_OLD, OLD),
    ],
)
def test_settles_from_whatever_nova_has(goal: str, has: NovaFlavor | None, settled: NovaFlavor) -> None:
    record = make_replacement(goal=goal)
    nova = FakeNova(*([has] if has else []))
    assert settle_replacements(infrastructure=record.infrastructure, nova=nova) == []
    assert nova.flavors == {"42": settled}
    assert not is_open()


def test_the_old_flavor_comes_back_when_the_new_ones_name_has_been_taken() -> None:
    record = make_replacement(new=make_nova_flavor(name="wanted").as_json())
    nova = FakeNova(make_nova_flavor(id="7", name="Wanted"))
    assert settle_replacements(infrastructure=record.infrastructure, nova=nova) == []
    assert nova.flavors["42"] == OLD


@pytest.mark.parametrize("goal", ["new", "old"])
def test_somebody_elses_flavor_under_the_id_is_not_touched(goal: str) -> None:
    record = make_replacement(goal=goal)
    nova = FakeNova(OF_SOMEBODY_ELSE)
    assert settle_replacements(infrastructure=record.infrastructure, nova=nova) == [record]
    assert nova.flavors == {"42": OF_SOMEBODY_ELSE}
    assert nova.calls == ["get"]
    record.refresh_from_db()
    assert "somebody else has created flavor 42 with different values" in record.last_error


def test_somebody_elses_flavor_that_came_between_is_not_touched_either() -> None:
    infrastructure, nova = make_infrastructure(), FakeNova(OLD)

    def come_between(call: str) -> None:
        if call == "create":
            nova.flavors.setdefault("42", OF_SOMEBODY_ELSE)

    nova.before_call = come_between
    with pytest.raises(FlavorConflict):
        change(nova, infrastructure)
    assert nova.flavors == {"42": OF_SOMEBODY_ELSE}
    assert nova.calls == ["get", "delete", "create", "get"]
    assert "somebody else has created flavor 42 with different values" in Replacement.objects.get().last_error


@pytest.mark.parametrize("goal", ["new", "old"])
def test_who_may_not_create_leaves_it_open(goal: str) -> None:
    record = make_replacement(goal=goal)
    nova = FakeNova()
    nova.refused = {"create": Forbidden}
    assert settle_replacements(infrastructure=record.infrastructure, nova=nova) == [record]
    record.refresh_from_db()
    assert (record.goal, record.last_error) == (goal, "Spain2: refused")
    nova.refused = {}
    assert settle_replacements(infrastructure=record.infrastructure, nova=nova) == []
    assert nova.flavors == {"42": NEW if goal == "new" else OLD}


def test_one_that_stays_open_does_not_keep_the_next_from_being_settled() -> None:
    record = make_replacement()
    other = make_nova_flavor(id="7", name="other")
    make_replacement(
        infrastructure=record.infrastructure, flavorid="7", old=other.as_json(), new=other.as_json() | {"ram": 1}
    )
    nova = FakeNova(OF_SOMEBODY_ELSE)
    assert settle_replacements(infrastructure=record.infrastructure, nova=nova) == [record]
    assert nova.flavors == {"42": OF_SOMEBODY_ELSE, "7": make_nova_flavor(id="7", name="other", ram=1)}
    assert Replacement.objects.get() == record


@pytest.mark.parametrize("settled", [True, False])
def test_what_became_of_one_in_the_meantime_counts(settled: bool) -> None:
    """While the first is settled, a live request puts the second's old flavor back: whole, or its row alone."""
    other = make_nova_flavor(id="7", name="other").as_json()
    first = make_replacement(flavorid="7", old=other, new=other | {"ram": 1})
    second = Replacement.objects.filter(pk=make_replacement(infrastructure=first.infrastructure).pk)
    nova = FakeNova(HALF_OLD)

    def work_on_the_second(call: str) -> None:
        if not nova.calls:
            assert second.delete() if settled else second.update(goal=Replacement.Goal.OLD)

    nova.before_call = work_on_the_second
    assert settle_replacements(infrastructure=first.infrastructure, nova=nova) == []
    assert nova.flavors["42"] == (HALF_OLD if settled else OLD)
    assert not is_open()


def test_a_cloud_that_fails_is_asked_once_and_keeps_nobody_away() -> None:
    record = make_replacement()
    make_replacement(infrastructure=record.infrastructure, flavorid="43")
    nova = FakeNova(faults={0: Fault()})
    (unsettled,) = settle_replacements(infrastructure=record.infrastructure, nova=nova)
    assert unsettled == record
    assert unsettled.last_error
    assert len(nova.calls) == 1
    assert Replacement.objects.count() == 2


def test_a_token_that_is_not_accepted_is_said() -> None:
    record = make_replacement()
    nova = FakeNova(faults={0: Fault(TokenRefused)})
    with pytest.raises(TokenRefused):
        settle_replacements(infrastructure=record.infrastructure, nova=nova)
    assert Replacement.objects.get() == record


def test_another_clouds_replacements_are_left_alone() -> None:
    record = make_replacement()
    nova = FakeNova()
    assert settle_replacements(infrastructure=make_infrastructure("Mordor"), nova=nova) == []
    assert nova.calls == []
    assert Replacement.objects.get() == record


# Locking a flavor


def test_a_replacement_that_somebody_else_is_at_is_left_alone() -> None:
    record = make_replacement()
    nova = FakeNova()
    with held_by_a_thread(f"flavor:{record.infrastructure_id}:42"):
        assert settle_replacements(infrastructure=record.infrastructure, nova=nova) == []
    assert nova.calls == []
    assert Replacement.objects.get() == record


def test_every_change_of_what_somebody_else_is_at_is_a_conflict() -> None:
    infrastructure, nova = make_infrastructure(), FakeNova(OLD)
    attempts: list[Callable[[], object]] = [
        lambda: change(nova, infrastructure),
        lambda: create_flavor(infrastructure=infrastructure, nova=nova, flavor=OLD),
        lambda: delete_flavor(infrastructure=infrastructure, nova=nova, flavorid="42"),
    ]
    with held_by_a_thread(f"flavor:{infrastructure.pk}:42"):
        for attempt in attempts:
            with pytest.raises(Conflict, match="Spain2: somebody else is changing flavor 42"):
                attempt()
    assert nova.calls == []


# The smaller services


def test_creates_and_deletes() -> None:
    infrastructure, nova = make_infrastructure(), FakeNova()
    assert create_flavor(infrastructure=infrastructure, nova=nova, flavor=OLD) == OLD
    delete_flavor(infrastructure=infrastructure, nova=nova, flavorid="42")
    assert nova.calls == ["create", "delete"]
    assert nova.flavors == {}


def test_a_region_is_where_its_infrastructure_says(settings: Settings) -> None:
    settings.KEYSTONE_URL = central = "https://central.example.org"
    spain2 = region_of(make_infrastructure("Spain2"))
    assert spain2 == make_region(keystone_url=central, central_keystone_url=central)
    mordor = make_infrastructure("Mordor", keystone_url="https://mordor.example.org", region="RegionOne")
    assert region_of(mordor) == make_region(
        name="Mordor",
        keystone_url="https://mordor.example.org",
        region_name="RegionOne",
        central_keystone_url=central,
    )
