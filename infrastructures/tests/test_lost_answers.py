"""A change whose answer is lost may be carried out long afterwards: no flavor is lost by it, nor any left over."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from flavorsync_project.api.errors import Conflict
from infrastructures.locks import Locked
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import (
    CloudTimedOut,
    CloudUnavailable,
    FlavorConflict,
    FlavorNotFound,
    FlavorRefused,
    Forbidden,
)
from infrastructures.openstack.records import Doubt, NovaFlavor
from infrastructures.registration import unregister_infrastructure
from infrastructures.replacements import journal
from infrastructures.replacements.changes import create_flavor, delete_flavor, keep_watching
from infrastructures.replacements.replacing import FEW, replace_flavor, settle_replacements
from infrastructures.tests.fake_nova import FakeNova, Fault
from testing.infrastructures import let_the_doubt_end, make_infrastructure, make_nova_flavor, make_replacement

pytestmark = pytest.mark.django_db

OLD = make_nova_flavor()
NEW = make_nova_flavor(ram=8192)
HALF_NEW = replace(NEW, extra_specs={}, projects=())
LATE = Fault(CloudTimedOut, late=True)
GOAL = Replacement.Goal


@pytest.fixture
def spain2() -> Infrastructure:
    return make_infrastructure()


def change(nova: FakeNova, infrastructure: Infrastructure, **changes: Any) -> NovaFlavor:
    return replace_flavor(
        infrastructure=infrastructure,
        nova=nova,
        flavorid="42",
        changes=changes or {"ram": 8192},
        requested_by="somebody",
    )


def contact(nova: FakeNova, infrastructure: Infrastructure) -> None:
    assert settle_replacements(infrastructure=infrastructure, nova=nova) == []


def watched() -> bool:
    return Replacement.objects.get().is_met


def lose(nova: FakeNova, act: Callable[[], object], *, call: int) -> str:
    """Do it while one call's answer is lost, and the call carried out later; return the message."""
    nova.faults = {len(nova.calls) + call: LATE}
    with pytest.raises(CloudUnavailable) as caught:
        act()
    nova.faults = {}
    return str(caught.value.detail)


def assert_it_stays(nova: FakeNova, infrastructure: Infrastructure, flavor: NovaFlavor | None) -> None:
    """Check that this is so at the end of the doubt, too, and that nothing is watched any more."""
    contact(nova, infrastructure)
    assert nova.flavors.get("42") == flavor
    let_the_doubt_end()
    contact(nova, infrastructure)
    assert nova.flavors.get("42") == flavor
    assert not Replacement.objects.exists()


# A replacement whose deletion is carried out late


def test_who_lost_the_answer_is_told_that_the_flavor_is_watched(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    said = lose(nova, lambda: change(nova, spain2), call=1)
    until = Replacement.objects.get().unsure_until
    assert said == (
        "Spain2: failed delete It is not known whether this was done: "
        f"flavor 42 is watched until {until:%Y-%m-%d %H:%M} UTC."
    )


def test_the_doubt_lasts_as_long_as_the_settings_say(spain2: Infrastructure, settings: Settings) -> None:
    settings.OPENSTACK_TIMEOUT, settings.LOST_ANSWER_SECONDS = 100, 1000
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    left = (Replacement.objects.get().unsure_until or timezone.now()) - timezone.now()
    assert timedelta(seconds=1090) < left <= timedelta(seconds=1100)


def test_a_contact_that_finds_the_old_flavor_standing_goes_on_watching_it(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    assert (nova.flavors, watched()) == ({"42": OLD}, True)
    nova.carry_out_late()
    assert nova.flavors == {}
    contact(nova, spain2)
    assert nova.flavors == {"42": OLD}
    assert_it_stays(nova, spain2, OLD)


def test_nothing_is_lost_when_nobody_looks_until_long_after(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    nova.carry_out_late()
    let_the_doubt_end()
    assert_it_stays(nova, spain2, NEW)


def test_what_vanishes_unseen_is_made_again_by_the_first_look_after_the_time(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    nova.carry_out_late()
    let_the_doubt_end()
    assert_it_stays(nova, spain2, OLD)


@pytest.mark.parametrize("lost", [0, 1], ids=["a creation", "a replacement"])
def test_a_look_during_which_the_doubt_ends_does_not_end_it(
    spain2: Infrastructure, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """What is carried out in its last moment may come after the look."""
    nova = FakeNova(*[OLD] * lost)
    lose(nova, (lambda: change(nova, spain2)) if lost else (lambda: create(nova, spain2)), call=lost)
    until = Replacement.objects.get().unsure_until
    assert until
    clock = [until - timedelta(seconds=1)]
    monkeypatch.setattr(timezone, "now", lambda: clock[-1])
    nova.before_call = lambda call: clock.append(until + timedelta(seconds=1))
    contact(nova, spain2)
    nova.carry_out_late()
    contact(nova, spain2)
    assert nova.flavors == ({"42": OLD} if lost else {})
    assert not Replacement.objects.exists()


def test_the_same_request_again_is_done_and_watched_as_long_as_the_first_is_in_doubt(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    until = Replacement.objects.get().unsure_until
    assert change(nova, spain2) == NEW
    assert (watched(), Replacement.objects.get().unsure_until) == (True, until)
    nova.carry_out_late()
    assert nova.flavors == {}
    assert_it_stays(nova, spain2, NEW)


@pytest.mark.parametrize("call", range(3), ids=["before it is settled", "before it is read", "before it is deleted"])
def test_the_same_request_again_finds_what_vanishes_under_its_hands(spain2: Infrastructure, call: int) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)

    def vanish(_: str) -> None:
        if len(nova.calls) == before + call:
            nova.carry_out_late()

    before, nova.before_call = len(nova.calls), vanish
    assert change(nova, spain2) == NEW
    assert nova.late == []
    assert_it_stays(nova, spain2, NEW)


def test_what_somebody_has_deleted_in_the_cloud_just_now_is_not_replaced(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)

    def vanish(call: str) -> None:
        if call == "delete":
            nova.flavors.clear()

    nova.before_call = vanish
    with pytest.raises(FlavorNotFound):
        change(nova, spain2)
    assert_it_stays(nova, spain2, None)


def test_another_change_of_what_is_watched_is_watched_instead(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    change(nova, spain2, vcpus=7)
    nova.carry_out_late()
    assert_it_stays(nova, spain2, replace(OLD, vcpus=7))


def test_a_replacement_that_is_half_way_and_cannot_be_settled_keeps_others_off(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    nova.carry_out_late()
    nova.refused = {"create": Forbidden}
    with pytest.raises(Conflict, match="an earlier replacement of flavor 42 is still open"):
        change(nova, spain2)
    nova.refused = {}
    assert change(nova, spain2) == NEW
    assert_it_stays(nova, spain2, NEW)


def test_a_cloud_that_fails_while_an_earlier_replacement_is_settled_is_said_to(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    nova.carry_out_late()
    lose(nova, lambda: change(nova, spain2), call=0)
    assert change(nova, spain2) == NEW
    assert_it_stays(nova, spain2, NEW)


@pytest.mark.parametrize("late_creation_first", [False, True])
def test_a_creation_of_the_new_flavor_that_is_carried_out_late_changes_nothing(
    spain2: Infrastructure, late_creation_first: bool
) -> None:
    """The old one was put back; then, in a stopped Nova's queue, are an earlier deletion and this creation."""
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    # First its row is read, then the flavor is read and deleted.
    lose(nova, lambda: change(nova, spain2), call=3)
    assert nova.flavors == {"42": OLD}
    if late_creation_first:
        nova.late.reverse()
    nova.carry_out_late()
    assert nova.flavors == ({} if late_creation_first else {"42": HALF_NEW})
    assert_it_stays(nova, spain2, OLD)


def test_a_process_that_died_while_the_deletion_was_under_way(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    journal.begin_replacement(spain2, old=OLD, new=NEW, before=None, requested_by="somebody")
    contact(nova, spain2)
    assert watched()
    del nova.flavors["42"]
    assert_it_stays(nova, spain2, OLD)


def test_what_is_answered_is_not_watched(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    change(nova, spain2)
    assert not Replacement.objects.exists()


# While it is watched


def test_values_that_a_late_request_has_set_are_set_again_and_what_others_added_is_kept(
    spain2: Infrastructure,
) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    nova.flavors["42"] = replace(OLD, extra_specs={"hw:cpu_policy": "stale", "added": "1"}, projects=("p1", "p3"))
    contact(nova, spain2)
    whole = replace(OLD, extra_specs={**(OLD.extra_specs or {}), "added": "1"}, projects=("p1", "p2", "p3"))
    assert nova.flavors == {"42": whole}
    change(nova, spain2, ram=OLD.ram)  # a look, under the lock
    nova.carry_out_late()
    assert_it_stays(nova, spain2, whole)


def test_what_somebody_else_has_made_of_it_stays(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    otherwise = nova.flavors["42"] = make_nova_flavor(ram=1)
    contact(nova, spain2)
    nova.carry_out_late()
    assert_it_stays(nova, spain2, otherwise)


def test_what_is_changed_in_place_is_watched_as_it_is_then(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    changed = nova.flavors["42"] = replace(OLD, description="other", extra_specs={"hw:cpu_policy": "dedicated"})
    keep_watching(infrastructure=spain2, nova=nova, flavorid="42")
    nova.carry_out_late()
    assert_it_stays(nova, spain2, changed)


def test_looking_does_not_keep_anybody_from_changing_it(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    changed: list[NovaFlavor] = []

    def meanwhile(call: str) -> None:
        nova.before_call = lambda call: None
        changed.append(change(nova, spain2))

    nova.before_call = meanwhile
    contact(nova, spain2)
    assert changed == [NEW]


def test_many_that_are_watched_are_looked_at_in_one_list(spain2: Infrastructure) -> None:
    until = timezone.now() + timedelta(minutes=5)
    flavors = [make_nova_flavor(id=str(number), name=f"name {number}") for number in range(FEW + 1)]
    for flavor in flavors:
        make_replacement(
            infrastructure=spain2,
            flavorid=flavor.id,
            old=None,
            new=flavor.as_json(),
            is_met=True,
            unsure_until=until,
        )
    nova = FakeNova(*flavors)
    contact(nova, spain2)
    assert nova.calls == ["list"]
    del nova.flavors["2"]
    contact(nova, spain2)
    assert nova.flavors == {flavor.id: flavor for flavor in flavors}


def test_who_may_not_make_flavors_tries_it_once(spain2: Infrastructure) -> None:
    until = timezone.now() + timedelta(minutes=5)
    for number in range(2):
        make_replacement(infrastructure=spain2, flavorid=str(number), is_met=True, unsure_until=until)
    nova = FakeNova()
    nova.refused = {"create": Forbidden}
    settle_replacements(infrastructure=spain2, nova=nova)
    assert nova.calls.count("create") == 1
    assert list(Replacement.objects.values_list("unsure_until", flat=True)) == [until, until]


def test_what_was_answered_is_not_undone_when_a_creation_of_it_comes_about_late(spain2: Infrastructure) -> None:
    """Who makes it again finds its id taken: by what an earlier one of them has sent, whose answer was lost."""
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    assert change(nova, spain2) == NEW
    nova.carry_out_late()

    def come_about(call: str) -> None:
        if call == "create":
            nova.flavors["42"] = HALF_NEW
            nova.before_call = lambda call: None

    nova.before_call = come_about
    (still_open,) = settle_replacements(infrastructure=spain2, nova=nova)
    assert still_open.last_error == "Spain2: taken"
    assert_it_stays(nova, spain2, NEW)


def test_who_does_not_see_a_flavor_does_not_have_what_was_done_undone(spain2: Infrastructure) -> None:
    """A token that may make flavors and does not see private ones finds none, and its id taken."""
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    assert change(nova, spain2) == NEW

    class Blind(FakeNova):
        def get_whole_flavor(self, flavorid: str) -> NovaFlavor:
            raise FlavorNotFound(self.region.name, "not for you")

    blind = Blind()
    blind.flavors = nova.flavors
    still_open = settle_replacements(infrastructure=spain2, nova=blind)
    assert [record.last_error for record in still_open] == ["Spain2: taken"]
    assert nova.flavors == {"42": NEW}
    assert_it_stays(nova, spain2, NEW)


def test_names_of_what_is_watched_are_taken_and_those_it_had_are_free(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2, name="renamed"), call=2)
    change(nova, spain2, name="renamed")
    del nova.flavors["42"]
    with pytest.raises(Conflict, match="being replaced"):
        create_flavor(infrastructure=spain2, nova=nova, flavor=make_nova_flavor(id="7", name="renamed"))
    create_flavor(infrastructure=spain2, nova=nova, flavor=make_nova_flavor(id="7", name=OLD.name))
    contact(nova, spain2)
    assert {flavor.name for flavor in nova.flavors.values()} == {"renamed", OLD.name}


# Deleting


def delete(nova: FakeNova, infrastructure: Infrastructure) -> None:
    delete_flavor(infrastructure=infrastructure, nova=nova, flavorid="42")


def create(nova: FakeNova, infrastructure: Infrastructure, flavor: NovaFlavor = OLD) -> NovaFlavor:
    return create_flavor(infrastructure=infrastructure, nova=nova, flavor=flavor)


def test_a_deletion_is_written_down_while_it_is_under_way(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    seen: list[tuple[str, Any]] = []
    nova.before_call = lambda call: seen.append((call, list(Replacement.objects.values_list("flavorid", "goal"))))
    delete(nova, spain2)
    assert seen == [("delete", [("42", "nil")])]
    assert not Replacement.objects.exists()


@pytest.mark.parametrize("error", [Forbidden, FlavorConflict])
def test_a_deletion_that_is_refused_leaves_nothing_behind(spain2: Infrastructure, error: Any) -> None:
    nova = FakeNova(OLD, faults={0: Fault(error)})
    with pytest.raises(error):
        delete(nova, spain2)
    assert not Replacement.objects.exists()


def test_a_deletion_that_is_carried_out_late_takes_nothing_that_was_made_since(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    assert "is watched until" in lose(nova, lambda: delete(nova, spain2), call=0)
    delete(nova, spain2)
    assert Replacement.objects.get().goal == GOAL.NONE
    create(nova, spain2, NEW)
    assert watched()
    nova.carry_out_late()
    assert nova.flavors == {}
    assert_it_stays(nova, spain2, NEW)


def test_a_deleted_flavor_is_not_made_again(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: delete(nova, spain2), call=0)
    contact(nova, spain2)
    assert nova.flavors == {"42": OLD}
    nova.carry_out_late()
    assert_it_stays(nova, spain2, None)


def test_deleting_what_is_watched_ends_that_it_is_wanted(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    delete(nova, spain2)
    nova.carry_out_late()
    assert_it_stays(nova, spain2, None)


def test_a_refused_deletion_of_what_is_watched_leaves_it_watched(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    before = Replacement.objects.values().get()
    nova.refused = {"delete": Forbidden}
    with pytest.raises(Forbidden):
        delete(nova, spain2)
    assert Replacement.objects.values().get() == before


def test_what_is_found_and_wanted_while_its_deletion_is_in_doubt_stands(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: delete(nova, spain2), call=0)
    journal.want([spain2], [OLD])
    nova.carry_out_late()
    assert_it_stays(nova, spain2, OLD)


def test_what_is_wanted_in_one_cloud_is_so_there_alone(spain2: Infrastructure) -> None:
    nova, elsewhere = FakeNova(OLD), make_infrastructure("Mordor")
    lose(nova, lambda: delete(nova, spain2), call=0)
    journal.want([elsewhere], [OLD])
    journal.want([spain2], [make_nova_flavor(id="7")])
    assert Replacement.objects.get().goal == GOAL.NONE


# Creating


def test_a_creation_is_written_down_while_it_is_under_way(spain2: Infrastructure) -> None:
    nova = FakeNova()
    seen: list[tuple[str, Any]] = []
    nova.before_call = lambda call: seen.append((call, list(Replacement.objects.values_list("flavorid", "goal"))))
    create(nova, spain2)
    assert seen == [("create", [("42", "nil")])]
    assert not Replacement.objects.exists()


@pytest.mark.parametrize("error", [Forbidden, FlavorConflict, FlavorRefused])
def test_a_creation_that_is_refused_leaves_nothing_behind(spain2: Infrastructure, error: Any) -> None:
    nova = FakeNova(faults={0: Fault(error)})
    with pytest.raises(error):
        create(nova, spain2)
    assert not Replacement.objects.exists()


@pytest.fixture
def _no_longer_fresh(settings: Settings) -> None:
    """What was written down just now is old enough for others to look at."""
    settings.OPENSTACK_TIMEOUT = 0


@pytest.mark.usefixtures("_no_longer_fresh")
def test_what_a_failed_creation_makes_late_is_taken_away(spain2: Infrastructure) -> None:
    nova = FakeNova()
    lose(nova, lambda: create(nova, spain2), call=0)
    contact(nova, spain2)
    nova.carry_out_late()
    assert set(nova.flavors) == {"42"}
    contact(nova, spain2)
    assert nova.flavors == {}
    assert_it_stays(nova, spain2, None)


@pytest.mark.usefixtures("_no_longer_fresh")
@pytest.mark.parametrize("has", [make_nova_flavor(ram=1), replace(OLD, extra_specs={"of": "somebody else"})])
def test_only_what_the_creation_made_is_taken_away(spain2: Infrastructure, has: NovaFlavor) -> None:
    nova = FakeNova()
    lose(nova, lambda: create(nova, spain2), call=0)
    nova.flavors["42"] = has
    assert_it_stays(nova, spain2, has)


def test_a_creation_that_is_under_way_is_not_disturbed(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    journal.begin_creations([spain2], OLD)
    contact(nova, spain2)
    assert (nova.flavors, nova.calls) == ({"42": OLD}, [])


def test_the_same_creation_again_completes_what_the_first_has_made_late(spain2: Infrastructure) -> None:
    nova = FakeNova()
    lose(nova, lambda: create(nova, spain2), call=0)
    nova.carry_out_late()
    assert create(nova, spain2) == OLD
    assert_it_stays(nova, spain2, OLD)


def test_another_creation_under_the_id_meets_what_the_first_has_made_late(spain2: Infrastructure) -> None:
    nova = FakeNova()
    lose(nova, lambda: create(nova, spain2), call=0)
    nova.carry_out_late()
    with pytest.raises(FlavorConflict):
        create(nova, spain2, NEW)


@pytest.mark.usefixtures("_no_longer_fresh")
def test_what_was_made_again_and_deleted_does_not_come_back_by_a_late_creation(spain2: Infrastructure) -> None:
    nova = FakeNova()
    lose(nova, lambda: create(nova, spain2), call=0)
    create(nova, spain2)
    delete(nova, spain2)
    nova.carry_out_late()
    assert set(nova.flavors) == {"42"}
    assert_it_stays(nova, spain2, None)


def test_a_flavor_is_not_created_under_the_id_of_another_that_is_watched(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    nova.carry_out_late()
    with pytest.raises(Conflict, match="the id 42 belongs to a flavor"):
        create(nova, spain2, make_nova_flavor(ram=1, name="another"))
    assert_it_stays(nova, spain2, OLD)


# What is written down


def test_a_row_that_somebody_else_has_changed_is_not_closed(spain2: Infrastructure) -> None:
    """Our lock goes with the connection to the database: what was settled since is not ours to call done."""
    (entry,) = journal.begin_creations([spain2], OLD).values()
    Replacement.objects.update(unsure_until=timezone.now())
    with pytest.raises(Locked):
        journal.end([(entry, True, Doubt.NONE)])
    assert Replacement.objects.exists()


def test_rows_of_several_clouds_come_and_go_in_one_query_each(django_assert_num_queries: Any) -> None:
    infrastructures = [make_infrastructure(name) for name in ("Spain2", "Mordor", "Rohan")]
    with django_assert_num_queries(4):  # two of them for the savepoint inside of the test's transaction
        entries = journal.begin_deletions(dict.fromkeys(infrastructures, "42"))
    with django_assert_num_queries(1):
        journal.end((entry, True, Doubt.NONE) for entry in entries.values())
    assert not Replacement.objects.exists()


def test_an_answer_that_was_lost_and_seen_leaves_the_earlier_doubt(spain2: Infrastructure) -> None:
    """Which of the two deletions it was that was seen to be carried out, nobody can tell."""
    (first,) = journal.begin_deletions({spain2: "42"}).values()
    journal.end([(first, True, Doubt.SEEN)])
    assert not Replacement.objects.exists()
    soon = timezone.now() + timedelta(seconds=5)
    make_replacement(infrastructure=spain2, goal=GOAL.NONE, old=None, new=None, unsure_until=soon)
    (second,) = journal.begin_deletions({spain2: "42"}).values()
    journal.end([(second, True, Doubt.SEEN)])
    assert (Replacement.objects.get().unsure_until or soon) > soon


def test_a_cloud_goes_with_what_wants_nothing(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: delete(nova, spain2), call=0)
    unregister_infrastructure(infrastructure=spain2)
    assert not Infrastructure.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_cloud_with_a_flavor_that_is_watched_stays_and_says_until_when(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose(nova, lambda: change(nova, spain2), call=1)
    contact(nova, spain2)
    until = Replacement.objects.get().unsure_until
    with pytest.raises(Conflict) as caught:
        unregister_infrastructure(infrastructure=spain2)
    assert f"is watched until {until:%Y-%m-%d %H:%M} UTC" in str(caught.value.detail)
    assert Replacement.objects.exists()
