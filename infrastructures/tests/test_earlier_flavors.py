"""Flavors that were wanted earlier: requests to make them may be carried out late, too."""

from dataclasses import replace

import pytest
from pytest_django import Settings

from infrastructures.models import MOST_EARLIER, Infrastructure, Replacement
from infrastructures.openstack.errors import FlavorConflict, FlavorRefused
from infrastructures.tests.fake_nova import FakeNova, Fault
from infrastructures.tests.test_lost_answers import (
    LATE,
    NEW,
    OLD,
    assert_it_stays,
    change,
    contact,
    create,
    delete,
    lose,
)
from testing.infrastructures import make_infrastructure

pytestmark = pytest.mark.django_db


@pytest.fixture
def spain2(settings: Settings) -> Infrastructure:
    """A cloud where what wants nothing is looked at at once."""
    settings.OPENSTACK_TIMEOUT = 0
    return make_infrastructure()


def lose_a_creation(nova: FakeNova, infrastructure: Infrastructure) -> None:
    """Have the old flavor be put back by a request whose answer is lost, and then by the next contact."""
    nova.faults = {len(nova.calls) + 2: Fault(FlavorRefused), len(nova.calls) + 5: LATE}
    with pytest.raises(FlavorRefused):
        change(nova, infrastructure)
    nova.faults = {}
    assert (nova.flavors, len(nova.late)) == ({}, 1)
    contact(nova, infrastructure)
    assert nova.flavors == {"42": OLD}


def test_an_earlier_flavor_that_comes_late_does_not_take_the_place_of_a_later_one(spain2: Infrastructure) -> None:
    """Of three that have stood there the first, when the deletion of the second makes room for it."""
    nova = FakeNova(OLD)
    lose_a_creation(nova, spain2)
    assert change(nova, spain2) == NEW
    newest = replace(NEW, ram=16384)
    lose(nova, lambda: change(nova, spain2, ram=16384), call=2)
    assert change(nova, spain2, ram=16384) == newest
    nova.late.reverse()  # the deletion comes first
    nova.carry_out_late()
    assert nova.flavors["42"].ram == OLD.ram
    assert_it_stays(nova, spain2, newest)


def test_an_earlier_flavor_that_comes_late_does_not_keep_a_replacement_from_its_end(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose_a_creation(nova, spain2)
    assert change(nova, spain2) == NEW

    def come_late(call: str) -> None:
        if call == "create":
            nova.carry_out_late()

    nova.before_call = come_late
    with pytest.raises(FlavorConflict):
        change(nova, spain2, ram=16384)
    assert_it_stays(nova, spain2, NEW)


def test_an_earlier_flavor_that_comes_late_is_taken_away_when_a_later_one_was_deleted(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose_a_creation(nova, spain2)
    assert change(nova, spain2) == NEW
    delete(nova, spain2)
    nova.carry_out_late()
    assert nova.flavors["42"].ram == OLD.ram
    assert_it_stays(nova, spain2, None)


def test_an_earlier_creation_that_comes_late_is_taken_away_like_the_last(spain2: Infrastructure) -> None:
    nova = FakeNova()
    lose(nova, lambda: create(nova, spain2), call=0)
    lose(nova, lambda: create(nova, spain2, NEW), call=0)
    nova.late.pop()
    nova.carry_out_late()
    assert nova.flavors["42"].ram == OLD.ram
    assert_it_stays(nova, spain2, None)


def test_what_is_answered_leaves_no_earlier_flavor(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    assert change(nova, spain2) == NEW
    lose(nova, lambda: change(nova, spain2, ram=16384), call=1)
    assert Replacement.objects.get().earlier is None


def test_no_more_than_some_earlier_flavors_are_kept(spain2: Infrastructure) -> None:
    nova = FakeNova(OLD)
    lose_a_creation(nova, spain2)
    for ram in range(1, MOST_EARLIER + 5):
        change(nova, spain2, ram=ram)
    kept = Replacement.objects.get().earlier or []
    assert len(kept) == MOST_EARLIER
    assert kept[0]["ram"] == MOST_EARLIER + 3
