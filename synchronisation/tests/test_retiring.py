"""A retired flavor leaves the nodes where a synchronisation has made it, then the catalogue, and nothing else goes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from flavors.catalogue import retiring as saying
from flavors.models import Flavor, Installation, Retirement
from infrastructures.models import Infrastructure
from synchronisation import retiring
from synchronisation.delivery import start_when_due
from synchronisation.models import Removal
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, registered_clouds
from testing.synchronising import in_nova, promote

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clouds(settings: Settings) -> Iterator[Federation]:
    """Two registered clouds; Rohan had the flavor "old" before, and a run has made it in Mordor."""
    settings.COMPUTE_SETTLE_SECONDS = 0
    with registered_clouds("Mordor", "Rohan") as federation:
        federation.clouds["Rohan"].flavors["old"] = in_nova("old")
        promote("old")
        promote("other")
        run()
        yield federation


def run() -> None:
    carry_out(create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True).pk)


def retire(*, forced: bool | None = None) -> Retirement:
    flavor = Flavor.objects.get(flavorid="old")
    return saying.retire(flavor=flavor, requested_by="sauron", forced=forced)


def look() -> list[str]:
    """Do what the scheduler and a worker do, and return which flavors have been retired."""
    retiring.begin_due()
    if started := start_when_due():
        carry_out(started.pk)
    return [flavor.name for flavor in retiring.finish_done()]


def has_old(federation: Federation) -> list[str]:
    return [name for name, cloud in federation.clouds.items() if "old" in cloud.flavors]


def test_it_goes_where_it_was_made_and_stays_where_it_was_found(clouds: Federation) -> None:
    assert sorted(Flavor.objects.get(flavorid="old").nodes) == ["Mordor", "Rohan"]
    retire()
    assert Flavor.objects.promoted().filter(flavorid="old").exists()
    assert look() == ["old"]
    assert has_old(clouds) == ["Rohan"]
    assert not Flavor.objects.filter(flavorid="old").exists()
    assert not Removal.objects.exists()
    assert "other" in clouds.clouds["Mordor"].flavors
    run()
    assert has_old(clouds) == ["Rohan"]


def test_not_before_its_time(clouds: Federation) -> None:
    flavor = Flavor.objects.get(flavorid="old")
    saying.retire(flavor=flavor, requested_by="sauron", at=timezone.now() + timedelta(days=30))
    run()
    assert look() == []
    assert has_old(clouds) == ["Mordor", "Rohan"]
    saying.retire(flavor=flavor, requested_by="sauron", at=timezone.now())
    assert look() == ["old"]


def test_where_servers_use_it_it_stays_and_is_listed_until_they_are_gone(clouds: Federation) -> None:
    clouds.clouds["Mordor"].servers["old"] = 2
    retire()
    assert look() == []
    (told,) = retiring.retirements(Infrastructure.objects.all())
    assert told.nodes == (retiring.Kept(name="Mordor", reason="It is used by 2 servers there."),)
    flavor = Flavor.objects.get(flavorid="old")
    assert (flavor.promoted, flavor.nodes) == (True, ["Mordor"])
    clouds.clouds["Mordor"].servers.clear()
    run()
    assert look() == ["old"]
    assert has_old(clouds) == ["Rohan"]


def test_what_was_changed_there_stays_until_it_is_forced(clouds: Federation) -> None:
    clouds.clouds["Mordor"].flavors["old"]["extra_specs"] = {"hw:cpu_policy": "dedicated"}
    retire()
    assert look() == []
    (told,) = retiring.retirements(Infrastructure.objects.all())
    assert told.nodes == (retiring.Kept(name="Mordor", reason="Somebody else has changed it there."),)
    retire(forced=True)
    run()
    assert look() == ["old"]
    assert has_old(clouds) == ["Rohan"]


def test_what_is_being_retired_is_not_brought_back(clouds: Federation) -> None:
    clouds.clouds["Mordor"].servers["old"] = 1
    retire()
    look()
    del clouds.clouds["Mordor"].flavors["old"]
    run()
    assert "old" not in clouds.clouds["Mordor"].flavors
    assert look() == ["old"]


def test_one_that_is_kept_after_all_is_brought_back(clouds: Federation) -> None:
    clouds.clouds["Rohan"].failing["GET /flavors/old"] = 503
    retire()
    Installation.objects.filter(infrastructure__name="Rohan").update(made=True)
    assert look() == []
    assert has_old(clouds) == ["Rohan"], "Rohan cannot be asked, and holds it"
    saying.keep(flavor=Flavor.objects.get(flavorid="old"))
    clouds.clouds["Rohan"].failing.clear()
    run()
    assert has_old(clouds) == ["Mordor", "Rohan"]
    assert look() == []
    assert not Removal.objects.exists()


def test_a_node_that_is_away_holds_it_in_the_catalogue(clouds: Federation) -> None:
    clouds.clouds["Mordor"].failing["GET /flavors/old"] = 503
    retire()
    assert look() == []
    assert Flavor.objects.get(flavorid="old").nodes == ["Mordor"]
    clouds.clouds["Mordor"].failing.clear()
    run()
    assert look() == ["old"]
    assert has_old(clouds) == ["Rohan"]


def test_what_a_run_makes_while_it_begins_goes_too(clouds: Federation) -> None:
    retire()
    retiring.begin_due()
    Removal.objects.all().delete()
    assert retiring.finish_done() == [], "it is recorded in a node yet"
    assert look() == ["old"]
    assert has_old(clouds) == ["Rohan"]
