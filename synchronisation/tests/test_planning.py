"""What is planned for each finding: a plan is data."""

import pytest

from flavors.catalogue.comparison import Difference, Finding, Wanted
from flavors.models import Flavor, Sighting
from infrastructures.openstack.records import NovaFlavor
from synchronisation.models import SyncOutcome
from synchronisation.planning import Step, plan

State = Sighting.State
Action = SyncOutcome.Action

WANTED = Wanted(flavor=Flavor(flavorid="tiny", name="m1.tiny", vcpus=1, ram=512, disk=1))
HAS = NovaFlavor(id="tiny", name="m1.tiny", vcpus=1, ram=512, disk=1)
RAM = Difference(member="ram", node=7, catalogue=512)
NAME = Difference(member="name", node="M1.tiny", catalogue="m1.tiny")
DESCRIPTION = Difference(member="description", node="", catalogue="small")
EXTRA_SPEC = Difference(member="extra_specs.a", node=None, catalogue="1")


def planned(state: State, *differences: Difference, replaces: bool = False, **members: object) -> Step:
    finding = Finding(wanted=WANTED, state=state, has=HAS, differences=differences, **members)  # type: ignore[arg-type]
    return plan(finding, replaces=replaces)


def test_in_sync_and_recorded_is_nothing_to_do() -> None:
    assert planned(State.IN_SYNC, recorded=True).action == Action.NOTHING


def test_in_sync_and_not_recorded_is_adopted() -> None:
    assert planned(State.IN_SYNC).action == Action.ADOPT


def test_missing_is_created() -> None:
    assert planned(State.MISSING).action == Action.CREATE


def test_under_another_id_it_is_adopted() -> None:
    step = planned(State.OTHER_ID)
    assert (step.action, step.reason) == (Action.ADOPT, "Its id there is tiny.")


@pytest.mark.parametrize("differences", [[DESCRIPTION], [EXTRA_SPEC], [DESCRIPTION, EXTRA_SPEC]])
@pytest.mark.parametrize("replaces", [True, False])
def test_description_and_extra_specs_are_updated_in_place(differences: list[Difference], replaces: bool) -> None:
    assert planned(State.DIFFERENT, *differences, replaces=replaces).action == Action.UPDATE


def test_numbers_are_replaced_when_asked_for() -> None:
    step = planned(State.DIFFERENT, RAM, EXTRA_SPEC, replaces=True)
    assert (step.action, step.reason) == (Action.REPLACE, "")


def test_numbers_are_not_replaced_unasked() -> None:
    step = planned(State.DIFFERENT, RAM, NAME, EXTRA_SPEC)
    assert step.action == Action.CANNOT
    assert step.reason == "Nova cannot change ram, name in place, and replacing flavors was not asked for."


def test_no_flavor_gets_the_name_of_another() -> None:
    step = planned(State.DIFFERENT, NAME, replaces=True, name_taken_by="42")
    assert (step.action, step.reason) == (Action.CANNOT, "Flavor 42 there has its name.")


def test_a_taken_name_is_for_people_to_free() -> None:
    step = planned(State.NAME_TAKEN, RAM, replaces=True)
    assert (step.action, step.reason) == (Action.CANNOT, "Flavor tiny there has its name m1.tiny and different values.")


def test_a_name_in_another_case_is_for_people_to_change() -> None:
    step = planned(State.NAME_TAKEN, NAME)
    assert step.action == Action.CANNOT
    assert step.reason == "Flavor tiny there has its name in another case, m1.tiny."
