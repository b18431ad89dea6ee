"""What clients ask of a Nova besides flavors."""

import pytest
from django.utils import timezone

from compute.tests.client import Nova
from flavors.models import Flavor, Sighting
from synchronisation.models import LastComparison
from testing.flavors import make_flavor, make_infrastructure


@pytest.mark.parametrize("path", ["/servers", "/servers/detail"])
def test_there_are_no_servers(user: Nova, path: str) -> None:
    assert user.get(path).body == {"servers": []}


def test_nobody_may_have_any(user: Nova) -> None:
    limits = user.get("/limits").body["limits"]
    assert limits["rate"] == []
    assert set(limits["absolute"].values()) == {0}


def test_the_extensions_are_those_about_flavors(user: Nova) -> None:
    extensions = user.get("/extensions").body["extensions"]
    assert {"os-flavor-manage", "os-flavor-access", "os-flavor-extra-specs"} <= {each["alias"] for each in extensions}
    members = {"alias", "name", "description", "namespace", "updated", "links"}
    assert all(each.keys() == members for each in extensions)


@pytest.fixture
def _federation(db: None) -> None:
    """Spain2 has one of two flavors as it should be, Mordor could not be asked, and Rohan never was."""
    flavors = [make_flavor(flavorid=id, name=id) for id in ("one", "two")]
    spain2, mordor = make_infrastructure("Spain2"), make_infrastructure("Mordor")
    make_infrastructure("Rohan")
    now = timezone.now()
    LastComparison.objects.create(infrastructure=spain2, whole_at=now)
    LastComparison.objects.create(infrastructure=mordor, unreachable_at=now)
    for flavor, state in zip(flavors, ("in_sync", "missing"), strict=True):
        _seen(flavor, spain2.pk, state)


def _seen(flavor: Flavor, node: int, state: str) -> None:
    now = timezone.now()
    Sighting.objects.create(
        flavor=flavor, infrastructure_id=node, state=state, digest=flavor.digest, since=now, seen_at=now
    )


@pytest.mark.usefixtures("_federation")
def test_the_nodes_are_compute_services(admin: Nova) -> None:
    services = {each["host"]: each for each in admin.get("/os-services").body["services"]}
    told = {host: (each["state"], each["disabled_reason"]) for host, each in services.items()}
    assert told == {
        "Spain2": ("up", "1 of 2 flavors differ"),
        "Mordor": ("down", "It could not be asked."),
        "Rohan": ("up", "It was never compared."),
    }
    assert services["Spain2"].keys() == {
        *("id", "binary", "host", "zone", "status", "state", "updated_at", "disabled_reason")
    }
    (spain2,) = admin.at("2.53").get("/os-services?host=Spain2&binary=nova-compute").body["services"]
    assert (len(spain2["id"]), spain2["forced_down"], spain2["status"]) == (36, False, "enabled")
    assert admin.get("/os-services?binary=nova-scheduler").body == {"services": []}


@pytest.mark.usefixtures("_federation")
def test_a_node_where_all_is_well_has_no_remark(admin: Nova) -> None:
    Flavor.objects.get(flavorid="two").delete()
    (spain2,) = admin.get("/os-services?host=Spain2").body["services"]
    assert (spain2["state"], spain2["disabled_reason"]) == ("up", None)


@pytest.mark.usefixtures("_federation")
def test_the_nodes_are_availability_zones(admin: Nova, user: Nova) -> None:
    zones = user.get("/os-availability-zone").body["availabilityZoneInfo"]
    assert {zone["zoneName"]: zone["zoneState"]["available"] for zone in zones} == {
        "Spain2": True,
        "Mordor": False,
        "Rohan": True,
    }
    assert {zone["hosts"] for zone in zones} == {None}
    detailed = {
        zone["zoneName"]: zone["hosts"]
        for zone in admin.get("/os-availability-zone/detail").body["availabilityZoneInfo"]
    }
    assert detailed["Mordor"] is None
    assert detailed["Spain2"]["Spain2"]["nova-compute"].keys() == {"available", "active", "updated_at"}


@pytest.mark.parametrize("path", ["/os-services", "/os-availability-zone/detail"])
def test_services_are_for_managers(user: Nova, path: str) -> None:
    assert user.get(path).fault == ("forbidden", 403)
