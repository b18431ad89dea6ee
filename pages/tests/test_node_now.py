"""What a node has at this moment, the servers of each flavor, and taking its own flavors into the catalogue."""

import json
from collections.abc import Iterator

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from flavors.admin.confirming import CHANGED
from flavors.models import Flavor
from flavors.tests.test_admin import member_of_staff
from identity.models import User
from infrastructures.models import Infrastructure
from infrastructures.openstack import bounds
from synchronisation.tests.test_admin_plans import posted, words
from testing.cloud import OF_A_SERVER, RegisteredCloud, flavor_document, registered_clouds
from testing.flavors import document_of, make_flavor, make_installation

pytestmark = pytest.mark.django_db


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A cloud with a promoted flavor, which 3 servers use, and two of its own, of which one is the catalogue's name."""
    tiny = make_flavor(name="m1.tiny", flavorid="tiny")
    with registered_clouds("Mordor") as federation:
        cloud = federation.clouds["Mordor"]
        make_installation(tiny, "Mordor")
        cloud.flavors = {
            "tiny": document_of(tiny),
            "own": flavor_document(id="own", name="own.large", **{"os-flavor-access:is_public": True}),
            "taken": flavor_document(id="taken", name="M1.tiny", **{"os-flavor-access:is_public": True}),
        }
        cloud.servers = {"tiny": 3, "own": 1}
        yield cloud


def page() -> str:
    return reverse("node_now", args=[Infrastructure.objects.get(name="Mordor").pk])


def test_it_is_asked_once_for_flavors_and_once_for_servers(mordor: RegisteredCloud, admin_client: Client) -> None:
    answer = admin_client.get(page())
    assert mordor.calls == ["GET /flavors/detail", "GET /servers/detail"]
    now = answer.context["now"]
    assert [(each.flavor.name, each.servers) for each in now.own] == [("M1.tiny", 0), ("own.large", 1)]
    assert [(each.flavor.name, each.servers) for each in now.catalogued] == [("m1.tiny", 3)]
    assert [(bar.name, bar.total) for bar in now.chart.bars] == [("m1.tiny", 3), ("own.large", 1)]
    assert "4 servers use its flavors" in words(answer)
    assert page() in admin_client.get(reverse("node", args=[Infrastructure.objects.get().pk])).text


def test_where_not_all_servers_are_counted_the_numbers_are_lower_bounds(
    mordor: RegisteredCloud, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    mordor.servers = {"tiny": 6001}
    whole = words(admin_client.get(page()))
    assert "6001 servers use its flavors" in whole
    assert "lower bound" not in whole
    a_server = {"id": "1000", "flavor": {"id": "tiny"}, "name": OF_A_SERVER, "tenant_id": OF_A_SERVER}
    monkeypatch.setattr(bounds, "ANSWER_BYTES", 6500 * len(json.dumps(a_server)))
    mordor.servers = {"tiny": 6001, "own": 3000}
    shown = words(admin_client.get(page()))
    assert "At least 6,000 servers use its flavors." in shown
    assert "Every number of servers below is a lower bound" in shown
    assert "Servers per flavor, at least" in shown
    assert "at least ≥ 6000" in shown


def test_of_the_servers_of_all_projects_their_number_alone_is_shown(
    mordor: RegisteredCloud, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answer = admin_client.get(page())
    assert "4 servers use its flavors" in words(answer)
    assert OF_A_SERVER not in answer.text + caplog.text


def test_where_servers_may_not_be_counted_the_flavors_are_shown(mordor: RegisteredCloud, admin_client: Client) -> None:
    mordor.failing["GET /servers"] = 403
    answer = admin_client.get(page())
    assert "own.large" in answer.text
    assert "Not known. Mordor: " in words(answer)


def test_a_node_that_does_not_answer_says_so_and_nothing_else(mordor: RegisteredCloud, admin_client: Client) -> None:
    mordor.failing["GET /flavors/detail"] = 503
    answer = admin_client.get(page())
    assert answer.status_code == 200
    assert "Mordor: " in answer.context["error"]
    assert "Ask again" in answer.text


def test_flavors_are_taken_in_once_that_was_shown(mordor: RegisteredCloud, admin_client: Client) -> None:
    shown = admin_client.post(page(), {"flavors": ["own", "taken"]})
    assert "everybody will see it in the catalogue, for good" in shown.text
    assert "nothing the catalogue has a flavor named m1.tiny under the id tiny." in words(shown)
    assert Flavor.objects.count() == 1
    answer = admin_client.post(page(), posted(shown), follow=True)
    assert "own.large: published" in answer.text
    flavor = Flavor.objects.get(flavorid="own")
    assert (flavor.public, flavor.promoted, flavor.nodes) == (True, False, ["Mordor"])
    assert LogEntry.objects.get().get_change_message() == "taken in from Mordor"
    assert [call for call in mordor.calls if not call.startswith("GET ")] == []


def test_what_has_changed_since_it_was_shown_is_shown_again(mordor: RegisteredCloud, admin_client: Client) -> None:
    shown = admin_client.post(page(), {"flavors": ["own"]})
    make_flavor(name="own.LARGE", flavorid="other")
    assert CHANGED in admin_client.post(page(), posted(shown)).text
    assert not Flavor.objects.filter(flavorid="own").exists()
    assert "Choose one or more flavors." in admin_client.post(page(), follow=True).text


def test_a_manager_looks_and_an_operator_takes_in(mordor: RegisteredCloud, client: Client) -> None:
    client.force_login(member_of_staff("view_flavor", "promote_flavor"))
    assert "Take in…" not in client.get(page()).text
    assert client.post(page(), {"flavors": ["own"]}).status_code == 403
    User.objects.all().delete()
    operator = member_of_staff("view_flavor", "register_infrastructure")
    client.force_login(operator)
    assert client.get(page()).status_code == 403
    Infrastructure.objects.get().operators.set([operator])
    assert "Take in…" in client.get(page()).text
    assert client.post(page(), {"flavors": ["own"]}).status_code == 200
