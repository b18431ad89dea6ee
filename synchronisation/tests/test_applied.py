"""What a node was last given of a flavor by us, beside what it has: written down by whoever gives it."""

from collections.abc import Iterator

import pytest

from flavors.catalogue.dropping import remember_dropped
from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from synchronisation.models import SyncRun
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor
from testing.infrastructures import make_registered

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

SPECS = {"hw:cpu_policy": "shared", "hw:mem": "large"}


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A registered cloud without flavors."""
    make_registered("Mordor")
    with Federation() as federation:
        yield federation.add("Mordor")


@pytest.fixture
def tiny() -> Flavor:
    """A promoted flavor with extra specs."""
    return make_flavor(flavorid="tiny", name="m1.tiny", description="small", extra_specs=SPECS)


def run(*, replaces: bool = False) -> None:
    infrastructures = Infrastructure.objects.all()
    ended = carry_out(
        create_run(requested_by="test", infrastructures=infrastructures, repairs=True, replaces=replaces).pk
    )
    assert ended.state == SyncRun.State.IN_SYNC


def applied() -> dict[str, object] | None:
    given: dict[str, object] | None = Sighting.objects.get().applied
    return given


EVERYTHING = {
    "name": "m1.tiny",
    "vcpus": 1,
    "ram": 2,
    "disk": 10,
    "swap": 0,
    "ephemeral": 0,
    "rxtx_factor": 1.0,
    "description": "small",
    "is_public": True,
    **{f"extra_specs.{key}": value for key, value in SPECS.items()},
}


@pytest.mark.usefixtures("mordor", "tiny")
def test_where_it_was_made_it_was_given_everything() -> None:
    run()
    assert applied() == EVERYTHING
    run()
    assert applied() == EVERYTHING


def test_where_it_was_found_it_was_given_nothing(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny)
    run()
    assert applied() == {}


def test_where_it_was_found_and_changed_it_was_given_that(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, extra_specs={"hw:cpu_policy": "dedicated", "hw:mem": "large"})
    run()
    assert applied() == {"extra_specs.hw:cpu_policy": "shared"}
    Flavor.objects.update(description="smaller")
    run()
    assert applied() == {"extra_specs.hw:cpu_policy": "shared", "description": "smaller"}


def test_where_it_was_replaced_it_was_given_everything(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, ram=1, extra_specs={**SPECS, "its-own": "1"})
    run(replaces=True)
    assert applied() == EVERYTHING


def test_what_has_gone_and_come_back_is_not_from_us(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run()
    there = mordor.flavors.pop("tiny")
    carry_out(create_run(requested_by="test", infrastructures=Infrastructure.objects.all()).pk)
    assert applied() == {}
    mordor.flavors["tiny"] = there
    run()
    assert applied() == {}


# What the catalogue drops


def drop(key: str, flavor: Flavor) -> None:
    """Have the catalogue drop an extra spec, as its form does."""
    remember_dropped(flavor, [key])
    flavor.extra_specs = {other: value for other, value in flavor.extra_specs.items() if other != key}
    flavor.save(update_fields=["extra_specs"])


def test_what_the_catalogue_drops_goes_where_it_came_from_us(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run()
    mordor.flavors["tiny"]["extra_specs"]["its-own"] = "1"
    drop("hw:mem", tiny)
    run()
    assert mordor.flavors["tiny"]["extra_specs"] == {"hw:cpu_policy": "shared", "its-own": "1"}


def test_what_the_catalogue_drops_stays_where_the_operator_had_set_it(mordor: RegisteredCloud, tiny: Flavor) -> None:
    """Even to the same value."""
    mordor.flavors["tiny"] = document_of(tiny)
    run()
    drop("hw:mem", tiny)
    run()
    assert mordor.flavors["tiny"]["extra_specs"] == SPECS


def test_it_stays_when_a_flavor_is_replaced(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny)
    run()
    drop("hw:mem", tiny)
    Flavor.objects.update(ram=4)
    run(replaces=True)
    assert mordor.flavors["tiny"]["extra_specs"] == SPECS


def test_what_the_operator_has_changed_since_stays(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run()
    mordor.flavors["tiny"]["extra_specs"]["hw:mem"] = "small"
    drop("hw:mem", tiny)
    run()
    assert mordor.flavors["tiny"]["extra_specs"]["hw:mem"] == "small"


def test_where_it_is_not_known_what_was_given_an_earlier_value_goes(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run()
    Sighting.objects.update(applied=None)
    drop("hw:mem", tiny)
    run()
    assert mordor.flavors["tiny"]["extra_specs"] == {"hw:cpu_policy": "shared"}
