"""A flavor that servers use, and that a client deletes: the setting COMPUTE_DELETE, and what a node keeps."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from compute.tests.client import Nova, a_manager, give_managers_their_group
from flavors.models import Flavor
from synchronisation.delivery import start_when_due
from synchronisation.models import Removal, WrittenFlavor
from synchronisation.running import carry_out
from testing.cloud import Federation, registered_clouds
from testing.flavors import make_flavor, make_infrastructure, make_installation


@pytest.fixture
def federation(db: None) -> Iterator[Federation]:
    """Two clouds that have a flavor, one of them under another id, and one that we cannot enter."""
    with registered_clouds("Spain2", "Mordor") as federation:
        flavor = make_flavor(flavorid="nano")
        make_installation(flavor, "Spain2", made=True)
        make_installation(flavor, "Mordor", flavorid="orc")
        make_infrastructure("Isengard")
        make_installation(flavor, "Isengard")
        yield federation


@pytest.fixture
def _refused(settings: Settings) -> None:
    settings.COMPUTE_DELETE = "refuse"


def test_by_default_it_is_deleted_without_asking_anybody(admin: Nova, federation: Federation) -> None:
    federation.clouds["Spain2"].servers["nano"] = 2
    assert admin.delete("/flavors/nano").status == 202
    assert Removal.objects.get().flavorid == "nano"
    assert federation.calls() == {}


@pytest.mark.usefixtures("_refused")
def test_it_may_be_refused(admin: Nova, federation: Federation) -> None:
    federation.clouds["Spain2"].servers["nano"] = 2
    federation.clouds["Mordor"].servers["orc"] = 1
    answer = admin.delete("/flavors/nano")
    assert answer.fault == ("conflictingRequest", 409)
    assert answer.body["conflictingRequest"]["message"] == (
        "Flavor nano is used by 1 server in Mordor, 2 servers in Spain2."
    )
    assert Flavor.objects.exists()
    federation.clouds["Spain2"].servers.clear()
    federation.clouds["Mordor"].servers.clear()
    assert admin.delete("/flavors/nano").status == 202


@pytest.mark.usefixtures("_refused")
def test_it_is_refused_where_a_node_does_not_say(admin: Nova, federation: Federation) -> None:
    federation.clouds["Mordor"].failing["GET /servers"] = 500
    assert admin.delete("/flavors/nano").fault == ("computeFault", 502)
    assert Flavor.objects.exists()


def bring() -> None:
    """Do what the scheduler and a worker do."""
    started = start_when_due()
    assert started
    carry_out(started.pk)


@pytest.mark.django_db(transaction=True)
def test_a_node_keeps_it_while_servers_use_it_and_says_so(settings: Settings) -> None:
    """The others follow at once, and this one when the servers are gone."""
    give_managers_their_group()
    settings.COMPUTE_SETTLE_SECONDS = 0
    admin = a_manager()
    with registered_clouds("Spain2", "Mordor") as federation:
        made = {"id": "nano", "name": "nano", "vcpus": 1, "ram": 64, "disk": 1}
        assert admin.post("/flavors", {"flavor": made}).status == 200
        bring()
        federation.clouds["Spain2"].servers["nano"] = 2
        assert admin.delete("/flavors/nano").status == 202
        assert admin.get("/flavors/nano").status == 404
        bring()
        assert [name for name, cloud in federation.clouds.items() if "nano" in cloud.flavors] == ["Spain2"]
        (kept,) = Removal.objects.values_list("infrastructure__name", "reason")
        assert kept == ("Spain2", "It is used by 2 servers there.")
        federation.clouds["Spain2"].servers.clear()
        WrittenFlavor.objects.update(run=None)  # half a minute later
        bring()
        assert not any("nano" in cloud.flavors for cloud in federation.clouds.values())
        assert not Removal.objects.exists()
