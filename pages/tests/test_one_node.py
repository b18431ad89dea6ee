"""The page of a node: on two axes, with what differs in units, its trend and its health."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from flavors.models import Flavor, Sighting
from identity.models import User
from identity.roles import Role
from infrastructures.models import Check, Infrastructure
from pages.one_node import RUNS, one_node
from synchronisation.ignoring import ignore
from synchronisation.models import NodeDay, Removal
from synchronisation.tests.test_coverage import make_run
from testing.flavors import make_flavor
from testing.infrastructures import make_registered, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]

State = Sighting.State
DIFFERENCES: list[dict[str, object]] = [
    {"member": "ram", "node": 4096, "catalogue": 8192},
    {"member": "extra_specs.hw:cpu_policy", "node": None, "catalogue": "dedicated"},
    {"member": "is_public", "node": False, "catalogue": True},
    {"member": "disk", "node": 0, "catalogue": 20},
]


@pytest.fixture
def crete() -> Infrastructure:
    """A node that has one of two flavors otherwise."""
    node = make_registered("Crete")
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 9, {"a": State.DIFFERENT, "b": State.IN_SYNC}, differences=DIFFERENCES)
    return node


def test_what_differs_is_told_in_units(crete: Infrastructure, admin_client: Client) -> None:
    found = one_node(crete)
    assert [(each.name, each.look.words) for each in found.amiss] == [("a", "different")]
    assert [(each.label, each.node, each.catalogue) for each in found.amiss[0].differences] == [
        ("RAM", "4 GiB", "8 GiB"),
        ("hw:cpu_policy", "not set", "dedicated"),
        ("open to every project", "no", "yes"),
        ("disk", "0", "20 GiB"),
    ]
    text = admin_client.get(reverse("node", args=[crete.pk])).text
    for shown in ("1 of 2 promoted flavors are in sync", "<del>4 GiB</del>", "<ins>8 GiB</ins>", "Repair…"):
        assert shown in text


def test_its_last_runs_are_shown_the_newest_first(crete: Infrastructure) -> None:
    runs = [make_run("Crete", 9, {"a": State.MISSING}).pk for _ in range(RUNS)]
    assert [part.run_id for part in one_node(crete).runs] == runs[::-1]


def test_of_a_node_that_was_never_seen_no_numbers_are_told(admin_client: Client) -> None:
    text = admin_client.get(reverse("node", args=[make_registered("Gent").pk])).text
    assert "It is not known what the node has now." in text
    assert "promoted flavors are in sync" not in text


def test_its_health_is_a_strip_of_days(crete: Infrastructure) -> None:
    now = timezone.now()
    for ago, away in ((3, 0), (2, 30), (1, 100)):
        day = (now - timedelta(days=ago)).date()
        NodeDay.objects.create(infrastructure=crete, day=day, looks=144, looks_away=144 * away // 100, noted_at=now)
    found = one_node(crete)
    assert [day.words for day in found.strip[-5:]] == [
        "not known",
        "reachable",
        "away 30 % of the day",
        "away 100 % of the day",
        "not known",
    ]
    assert [day.colour for day in found.strip[-5:]] == ["blank", "good", "missing", "differs", "blank"]
    assert found.chart is None


def test_a_list_leads_to_the_pages_of_its_rows(crete: Infrastructure, admin_client: Client) -> None:
    nodes = admin_client.get(reverse("admin:infrastructures_infrastructure_changelist")).text
    assert f'<a href="{reverse("node", args=[crete.pk])}">Crete</a>' in nodes
    assert 'href="/admin/flavors/' in admin_client.get(reverse("admin:flavors_flavor_changelist")).text


def test_it_shows_its_connection_its_operators_and_what_is_under_way(
    crete: Infrastructure, admin_client: Client
) -> None:
    now = timezone.now()
    Check.objects.create(infrastructure=crete, checked_at=now, may_create_flavors=False, problem="It may not.")
    crete.operators.add(User.objects.create(username="keeper"))
    make_replacement(infrastructure=crete, last_error="Crete: nobody answers there.")
    Removal.objects.create(infrastructure=crete, flavorid="gone", was={"name": "gone"}, reason="Servers use it.")
    text = admin_client.get(reverse("node", args=[crete.pk])).text
    for shown in (
        "<dt>May create flavors</dt><dd>no</dd>",
        "It may not.",
        "keeper",
        "nobody answers",
        "Servers use it.",
    ):
        assert shown in text


def test_its_form_is_to_edit_for_those_who_may(crete: Infrastructure, admin_client: Client, client: Client) -> None:
    page = reverse("node", args=[crete.pk])
    assert ">Edit</a>" in admin_client.get(page).text
    operator = User.objects.create(username="operator", is_staff=True)
    operator.groups.add(Group.objects.get(name=Role.INFRASTRUCTURE_OWNER))
    client.force_login(operator)
    assert "See the form" not in client.get(page).text
    crete.operators.add(operator)
    assert ">See the form</a>" in client.get(page).text


def test_what_is_ignored_is_told_apart(crete: Infrastructure, admin_client: Client) -> None:
    ignore(flavor=Flavor.objects.get(name="a"), infrastructure=crete, reason="their own sizes", ignored_by="curator")
    found = one_node(crete)
    assert list(found.amiss) == []
    assert [each.reason for each in found.ignored] == ["their own sizes"]
    assert (found.look.drift, found.look.per_cent, found.look.known) == (0, 100, 1)
    assert "their own sizes" in admin_client.get(reverse("node", args=[crete.pk])).text
