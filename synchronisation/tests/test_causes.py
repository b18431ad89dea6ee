"""What has caused a difference: a change behind our back in the node, or one in the catalogue."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from flavors.catalogue.comparison import cause_of
from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from synchronisation.models import SyncOutcome
from synchronisation.running import carry_out, create_run
from synchronisation.runs import current_status
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor
from testing.infrastructures import make_registered
from testing.queries import counting_in_all_connections
from testing.synchronising import STATUS, Callers

MADE = {"name": "tiny", "ram": 2, "extra_specs.hw:a": "1"}


@pytest.mark.parametrize(
    ("member", "node", "catalogue", "applied", "cause"),
    [
        ("ram", 7, 2, MADE, "node"),
        ("ram", 2, 3, MADE, "catalogue"),
        ("ram", 7, 3, MADE, "both"),
        ("extra_specs.hw:a", None, "1", MADE, "node"),
        ("extra_specs.hw:a", "1", None, MADE, "catalogue"),
        ("extra_specs.hw:new", None, "1", MADE, "catalogue"),
        ("extra_specs.hw:theirs", "1", None, MADE, "node"),
        ("extra_specs.hw:a", "2", "1", {"extra_specs.hw:a": "1"}, "node"),
        ("ram", 7, 2, {"extra_specs.hw:a": "1"}, ""),
        ("ram", 7, 2, {}, ""),
        ("ram", 7, 2, None, ""),
    ],
)
def test_the_cause_follows_from_what_was_last_applied(
    member: str, node: object, catalogue: object, applied: dict[str, object] | None, cause: str
) -> None:
    assert cause_of({"member": member, "node": node, "catalogue": catalogue}, applied) == cause


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A registered cloud in which a synchronisation has made the flavor `tiny`."""
    make_registered("Mordor")
    make_flavor(flavorid="tiny", name="tiny", ram=2, extra_specs={"hw:a": "1"})
    with Federation() as federation:
        mordor = federation.add("Mordor")
        run(repairs=True)
        yield mordor


def run(**options: Any) -> list[dict[str, object]]:
    """Carry out a run, and return the differences that it found."""
    run = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), **options)
    carry_out(run.pk)
    return [each for outcome in SyncOutcome.objects.filter(node__run=run) for each in outcome.differences]


def difference(cause: str, node: int, catalogue: int) -> dict[str, object]:
    return {"member": "ram", "node": node, "catalogue": catalogue, "cause": cause}


@pytest.mark.django_db(transaction=True)
def test_it_is_kept_with_the_nodes_state_and_told_by_runs_the_status_and_the_pages(
    mordor: RegisteredCloud, admin_client: Client
) -> None:
    mordor.flavors["tiny"]["ram"] = 7
    behind_our_back = [difference("node", 7, 2)]
    assert run() == Sighting.objects.get().differences == behind_our_back
    (node,) = current_status(nodes=list(Infrastructure.objects.all())).nodes
    assert node.outcomes[0].differences == behind_our_back
    cell = f"{reverse('admin:flavors_flavor_cell')}?flavor=tiny&node=Mordor"
    assert "changed in the node" in admin_client.get(cell).text
    Flavor.objects.update(ram=3)
    assert run() == [difference("both", 7, 3)]
    mordor.flavors["tiny"]["ram"] = 2
    assert run() == [difference("catalogue", 2, 3)]
    assert "changed in the catalogue" in admin_client.get(cell).text
    run(repairs=True, replaces=True)
    assert Sighting.objects.get().differences == []


@pytest.mark.django_db(transaction=True)
def test_the_api_tells_it_in_both_formats_and_the_nodes_page_does(
    callers: Callers, scripted: Federation, admin_client: Client
) -> None:
    make_flavor(flavorid="tiny", name="tiny", ram=2)
    run(repairs=True)
    scripted.clouds["Mordor"].flavors["tiny"]["ram"] = 7
    run()
    (node,) = callers.manager.get(f"{STATUS}?node=Mordor").body["status"]["nodes"]
    assert node["outcomes"][0]["differences"] == [difference("node", 7, 2)]
    page = admin_client.get(reverse("node", args=[Infrastructure.objects.get(name="Mordor").pk]))
    assert "changed in the node" in page.text


@pytest.mark.django_db(transaction=True)
def test_a_difference_that_stays_is_not_written_again(mordor: RegisteredCloud) -> None:
    mordor.flavors["tiny"]["ram"] = 7
    run()
    before = Sighting.objects.values().get()
    run()
    assert Sighting.objects.values().get() == before


@pytest.mark.django_db(transaction=True)
def test_of_a_flavor_that_was_found_there_it_is_not_known(mordor: RegisteredCloud) -> None:
    found = make_flavor(flavorid="found", name="found")
    mordor.flavors["found"] = document_of(found)
    run(repairs=True)
    mordor.flavors["found"]["ram"] = 7
    assert run() == [{"member": "ram", "node": 7, "catalogue": found.ram}]


@pytest.mark.django_db(transaction=True)
def test_however_many_differ_it_costs_the_same(mordor: RegisteredCloud) -> None:
    def queries_of(count: int) -> int:
        for number in range(count):
            make_flavor(flavorid=f"f{count}-{number}", name=f"f{count}-{number}")
        run(repairs=True)
        for flavor in mordor.flavors.values():
            flavor["ram"] += 1
        with counting_in_all_connections() as counted:
            assert len(run()) == len(mordor.flavors)
        return len(counted)

    assert queries_of(1) == queries_of(20)
