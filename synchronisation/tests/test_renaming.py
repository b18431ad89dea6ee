"""A flavor that has, in a node, the name of a promoted one: what it is, and giving it another name there."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from flavors.admin.looks import address_of_cell
from flavors.models import Flavor, Sighting
from flavors.tests.test_admin import member_of_staff
from infrastructures.models import Infrastructure, Replacement
from synchronisation.tests.test_admin_plans import posted, words
from synchronisation.tests.test_synchronisation import run, told, writes
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor, make_installation

pytestmark = pytest.mark.django_db(transaction=True)

CELL = address_of_cell("tiny", "Mordor")
RENAME = CELL.replace("/cell/", "/cell/rename/")


@pytest.fixture
def mordor(federation: Federation) -> RegisteredCloud:
    """A cloud in which a flavor of its own has the name of the promoted one, and other values; two servers use it."""
    mordor = federation.clouds["Mordor"]
    mordor.flavors["own"] = document_of(Flavor.objects.get(), id="own", ram=7, extra_specs={"a": "1"})
    mordor.servers["own"] = 2
    return mordor


def renamed(client: Client, name: str) -> str:
    """Confirm what is shown, with another name; return the words of the page after that."""
    shown = client.get(RENAME)
    return words(client.post(RENAME, {**posted(shown), "name": name}, follow=True))


def test_it_is_shown_first_and_then_renamed(mordor: RegisteredCloud, admin_client: Client) -> None:
    run(repairs=False)
    assert "Rename there…" in admin_client.get(CELL).text
    shown = admin_client.get(RENAME)
    for text in ("TestNano own 1 7 MiB", "2 servers use it: they keep running", "Nova cannot rename"):
        assert text in words(shown)
    assert shown.context["form"]["name"].value() == "TestNano.old"
    assert writes(mordor) == []
    after = renamed(admin_client, "own.nano")
    assert "flavor own of Mordor is now called own.nano" in after
    assert "+ missing" in after
    has = mordor.flavors["own"]
    assert (has["name"], has["ram"], has["extra_specs"]) == ("own.nano", 7, {"a": "1"})
    assert Sighting.objects.get(infrastructure__name="Mordor").state == "missing"
    assert LogEntry.objects.get().get_change_message() == "flavor own of Mordor is now called own.nano"
    assert not Replacement.objects.exists()
    assert told(run())["Mordor", "tiny"] == ("missing", "create", "done")


def test_what_differs_in_the_case_of_its_name_alone_can_be_adopted_after_that(
    mordor: RegisteredCloud, admin_client: Client
) -> None:
    mordor.flavors = {"own": document_of(Flavor.objects.get(), id="own", name="TESTNANO")}
    run(repairs=False)
    assert admin_client.get(RENAME).context["form"]["name"].value() == "TestNano"
    assert "there under another id" in renamed(admin_client, "TestNano")
    assert told(run())["Mordor", "tiny"] == ("other_id", "adopt", "done")


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("other", "A flavor of the catalogue has this name."),
        ("testNANO", "A flavor of the catalogue has this name."),
        ("TAKEN", "Flavor taken there has this name."),
        (" x", "space"),
    ],
)
def test_it_gets_no_name_that_is_taken_again(
    mordor: RegisteredCloud, admin_client: Client, name: str, refusal: str
) -> None:
    make_flavor(name="Other", flavorid="other")
    mordor.flavors["taken"] = document_of(Flavor.objects.get(flavorid="tiny"), id="taken", name="taken")
    assert refusal in renamed(admin_client, name)
    assert writes(mordor) == []


def test_what_has_changed_since_it_was_shown_is_left_alone(mordor: RegisteredCloud, admin_client: Client) -> None:
    shown = admin_client.get(RENAME)
    mordor.flavors["own"]["ram"] = 8
    answer = admin_client.post(RENAME, {**posted(shown), "name": "own.nano"})
    assert "Mordor has changed since this was shown." in answer.text
    assert "8 MiB" in words(answer)
    assert writes(mordor) == []


def test_a_flavor_of_the_catalogue_is_repaired_and_not_renamed(mordor: RegisteredCloud, admin_client: Client) -> None:
    make_installation(make_flavor(name="other", flavorid="other"), "Mordor", flavorid="own")
    shown = admin_client.get(RENAME)
    assert "It is the catalogue&#x27;s flavor other: repair that one in Mordor first." in shown.text
    assert "Rename it" not in shown.text
    admin_client.post(RENAME, {"plan": shown.context["found"].digest, "name": "x"})
    assert writes(mordor) == []


def test_where_servers_may_not_be_counted_nothing_is_renamed(mordor: RegisteredCloud, admin_client: Client) -> None:
    mordor.failing["GET /servers"] = 403
    shown = admin_client.get(RENAME)
    assert "We may not count the servers that use it, so it is left alone." in shown.text
    assert "Rename it" not in shown.text
    admin_client.post(RENAME, {"plan": shown.context["found"].digest, "name": "x"})
    assert writes(mordor) == []


def test_a_refusal_leaves_it_as_it_was(mordor: RegisteredCloud, admin_client: Client) -> None:
    shown = admin_client.get(RENAME)
    mordor.failing["DELETE /flavors/own"] = 403
    answer = admin_client.post(RENAME, {**posted(shown), "name": "own.nano"})
    assert "Mordor: it does not let our stored credentials do this." in answer.text
    assert mordor.flavors["own"]["name"] == "TestNano"


def test_a_name_that_is_free_needs_nothing(mordor: RegisteredCloud, admin_client: Client) -> None:
    mordor.flavors = {"tiny": document_of(Flavor.objects.get(), ram=7)}
    assert "is free in Mordor" in admin_client.get(RENAME).text


def test_a_node_that_does_not_answer_is_said_to(mordor: RegisteredCloud, admin_client: Client) -> None:
    mordor.failing["GET /flavors/detail"] = 503
    assert "Mordor: " in admin_client.get(RENAME, follow=True).text


def test_it_is_for_those_who_may_repair_the_node(mordor: RegisteredCloud, client: Client) -> None:
    owner = member_of_staff("view_flavor", "register_infrastructure")
    Infrastructure.objects.get(name="Spain2").operators.set([owner])
    client.force_login(owner)
    assert client.get(RENAME).status_code == client.post(RENAME, {"name": "x"}).status_code == 403
    Infrastructure.objects.get(name="Mordor").operators.set([owner])
    assert client.get(RENAME).status_code == 200
