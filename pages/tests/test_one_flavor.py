"""The pages of a flavor: for everybody, and for the staff."""

import pytest
from django.test import Client
from django.urls import reverse

from flavors.models import Flavor, Sighting
from pages import one_flavor
from synchronisation.tests.test_coverage import make_run
from testing.flavors import make_flavor, make_infrastructure

pytestmark = [pytest.mark.django_db, pytest.mark.database]

State = Sighting.State
RAM = [{"member": "ram", "node": 256, "catalogue": 512}]


@pytest.fixture
def flavor() -> Flavor:
    """A promoted flavor that three nodes have in different states, and one does not know of."""
    flavor = make_flavor(
        name="a", flavorid="a b", ram=512, description="For everything.", extra_specs={"hw:cpu_policy": "shared"}
    )
    make_run("Crete", 9, {"a b": State.IN_SYNC})
    make_run("Gent", 9, {"a b": State.DIFFERENT}, differences=RAM)
    make_run("Mordor", 9, {"a b": State.IN_SYNC})
    make_infrastructure("Zurich")
    return flavor


def test_nodes_are_told_by_what_they_have_of_it(flavor: Flavor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_flavor, "NODES", 1)
    shares = one_flavor.in_nodes(flavor)
    assert [(share.look.words, [there.name for there in share.nodes], share.more) for share in shares] == [
        ("in sync", ["Crete"], 1),
        ("different", ["Gent"], 0),
        ("not installed, not compared", ["Zurich"], 0),
    ]
    assert shares[1].nodes[0].differences[0].node == "256 MiB"


def test_everybody_sees_what_it_is_and_what_can_be_done_only_the_staff(
    flavor: Flavor, client: Client, admin_client: Client
) -> None:
    public = client.get(reverse("public_flavor", args=["a b"])).text
    staff = admin_client.get(reverse("flavor", args=[flavor.pk])).text
    for shown in ("512 MiB", "For everything.", "hw:cpu_policy", "shared", "Gent"):
        assert shown in public
        assert shown in staff
    for hidden in ("Repair everywhere…", "Retire…", "256 MiB"):
        assert hidden not in public
        assert hidden in staff
    assert "Promote…" not in staff  # it is promoted
    assert reverse("public_flavor", args=["a b"]) in client.get("/").text


def test_what_runs_found_is_its_history(flavor: Flavor) -> None:
    outcomes = one_flavor.last_outcomes(flavor, among=None)
    assert [(outcome.node.name, outcome.state) for outcome in outcomes][:2] == [
        ("Mordor", State.IN_SYNC),
        ("Gent", State.DIFFERENT),
    ]
