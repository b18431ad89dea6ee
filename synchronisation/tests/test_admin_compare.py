"""Two nodes side by side in the admin site, and what is done from there."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from flavors.admin.confirming import CHANGED
from flavors.models import Flavor, Sighting
from flavors.tests.test_admin import member_of_staff
from flavors.tests.test_admin_actions import federation
from infrastructures.models import Infrastructure
from synchronisation.tests.test_admin_plans import words
from testing.cloud import Federation, flavor_document
from testing.flavors import document_of, make_flavor, make_installation
from testing.shell import shell

__all__ = ["federation"]

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:flavors_flavor_compare")
CHANGE = reverse("admin:flavors_flavor_change_one")
BOTH = {"left": "Mordor", "right": "Spain2"}


def fill(federation: Federation) -> None:
    mordor, spain2 = (federation.clouds[name].flavors for name in ("Mordor", "Spain2"))
    for id, ram in (("same", 1), ("other", 2), ("mine", 3)):
        mordor[id] = flavor_document(id=id, name=id, ram=ram)
    for id, ram in (("same", 1), ("other", 4), ("theirs", 5)):
        spain2[id] = flavor_document(id=id, name=id, ram=ram)


def sections(answer: Any) -> dict[str, list[str]]:
    return {
        section["title"]: [line.flavor.name for line, _, _ in section["lines"]]
        for section in answer.context["sections"]
    }


def change(client: Client, do: str, flavor: str, node: str, **values: str) -> list[str]:
    """Have it shown what will happen, confirm it, and return what is said last."""
    asked = {"do": do, "flavorid": flavor, "flavor": flavor, "node": node, "into": "", **values}
    answer = client.post(CHANGE, asked)
    if answer.status_code == 200:
        answer = client.post(CHANGE, asked | {"plan": answer.context["digest"]})
    assert answer.status_code == 302
    return said(answer)[-1:]


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_two_nodes_are_shown_side_by_side(
    admin_client: Client, federation: Federation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fill(federation)
    make_installation(make_flavor(flavorid="mine", name="mine"), "Mordor")
    with django_assert_max_num_queries(15):
        answer = admin_client.get(PAGE, BOTH)
    assert sections(answer) == {
        "Only in Mordor": ["mine"],
        "Only in Spain2": ["theirs"],
        "Different": ["other"],
        "Equal under another name or id": [],
        "The same": ["same"],
    }
    assert "RAM in Mordor 2 MiB → in Spain2 4 MiB" in words(answer)
    assert "★ promoted" in answer.text
    assert federation.calls() == {"Mordor": ["GET /flavors/detail"], "Spain2": ["GET /flavors/detail"]}


def test_a_node_that_fails_is_said(admin_client: Client, federation: Federation) -> None:
    federation.clouds["Mordor"].failing["GET /flavors/detail"] = 500
    answer = admin_client.get(PAGE, BOTH)
    assert answer.status_code == 200
    assert "Mordor: " in answer.context["errors"][0]


@pytest.mark.parametrize(
    "query", [{"left": "Mordor"}, {"left": "Mordor", "right": "Mordor"}, {"left": "x", "right": "y"}]
)
def test_it_takes_two_nodes(admin_client: Client, federation: Federation, query: dict[str, str]) -> None:
    assert "Choose two nodes." in admin_client.get(PAGE, query).text
    assert federation.calls() == {}


def test_a_private_flavor_is_installed_published_and_promoted(admin_client: Client, federation: Federation) -> None:
    fill(federation)
    asked = {"do": "install", "flavorid": "mine", "flavor": "mine", "node": "Mordor", "into": "Spain2"}
    answer = admin_client.post(CHANGE, asked | {"next": f"{PAGE}?left=Mordor"})
    assert "Install mine in Spain2" in answer.text
    assert "3 MiB" in answer.text
    assert "mine" not in federation.clouds["Spain2"].flavors
    assert change(admin_client, "install", "mine", "Mordor", into="Spain2") == ["mine: installed in Spain2"]
    assert federation.clouds["Spain2"].flavors["mine"]["ram"] == 3
    assert not Flavor.objects.exists()
    assert change(admin_client, "publish", "mine", "Mordor") == ["mine: published"]
    assert change(admin_client, "promote", "mine", "Mordor") == ["mine: promoted"]
    flavor = Flavor.objects.get()
    assert (flavor.flavorid, flavor.nodes, flavor.promoted) == ("mine", ["Mordor"], True)
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "mine: installed in Spain2",
        "published",
        "promoted",
    ]


def test_installing_takes_a_node(admin_client: Client, federation: Federation) -> None:
    fill(federation)
    for into, reason in {"": "say in which node to install it.", "Nowhere": "nodes: there is no node Nowhere"}.items():
        assert change(admin_client, "install", "mine", "Mordor", into=into) == [f"mine: {reason}"]


# A pair of each section: the flavor of Mordor, which is on the left, and that of Spain2
PAIRS = {"Different": ("other", "other"), "Equal under another name or id": ("a", "b"), "The same": ("same", "same")}


def fill_with_pairs(federation: Federation) -> None:
    fill(federation)
    for node, id in (("Mordor", "a"), ("Spain2", "b")):
        federation.clouds[node].flavors[id] = flavor_document(id=id, name=id, ram=9)


def offered(client: Client, section: str) -> list[list[str]]:
    """Return what can be done with the pair of a section: with the flavor on the left, and with that on the right."""
    sections = client.get(PAGE, BOTH).context["sections"]
    (pair,) = next(each["lines"] for each in sections if each["title"] == section)
    return [[choice.label for choice in line.choices] for line in pair[:2]]


@pytest.mark.parametrize("section", PAIRS)
def test_either_flavor_of_a_pair_is_published(admin_client: Client, federation: Federation, section: str) -> None:
    fill_with_pairs(federation)
    assert offered(admin_client, section) == [["Publish"], ["Publish that of Spain2"]]
    _, right = PAIRS[section]
    form = admin_client.get(PAGE, BOTH).text.partition(f"Publish that of Spain2: {right}")[0].rpartition("<form")[2]
    sent = dict(re.findall('name="(flavorid|flavor|node|into)" value="(.*?)"', form))
    assert sent == {"flavorid": right, "flavor": right, "node": "Spain2"}
    assert change(admin_client, "publish", right, sent["node"]) == [f"{right}: published"]
    flavor = Flavor.objects.get()
    assert (flavor.nodes, flavor.ram) == (["Spain2"], federation.clouds["Spain2"].flavors[right]["ram"])
    remaining = ["Publish"] if section.startswith("Equal") else []  # else the catalogue has its id by now
    assert offered(admin_client, section) == [remaining, ["Promote that of Spain2"]]
    assert ("public in Spain2" in admin_client.get(PAGE, BOTH).text) == (section == "The same")


@pytest.mark.parametrize("theirs", [{"id": "1", "name": "other"}, {"id": "2", "name": "small"}])
@pytest.mark.parametrize(
    ("published", "remaining"), [("Mordor", [["Promote"], []]), ("Spain2", [[], ["Promote that of Spain2"]])]
)
def test_of_two_with_one_id_or_one_name_one_alone_is_published(
    admin_client: Client, federation: Federation, theirs: dict[str, str], published: str, remaining: list[list[str]]
) -> None:
    both = {"Mordor": flavor_document(id="1", name="Small", ram=1), "Spain2": flavor_document(**theirs, ram=2)}
    for node, document in both.items():
        federation.clouds[node].flavors[document["id"]] = document
    change(admin_client, "publish", both[published]["id"], published)
    assert offered(admin_client, "Different") == remaining


def test_a_public_flavor_is_installed_in_the_other_node(admin_client: Client, federation: Federation) -> None:
    flavor = make_installation(make_flavor(flavorid="1", name="small"), "Mordor").flavor
    assert change(admin_client, "install", "1", "Mordor", into="Spain2") == ["small: installed in Spain2"]
    assert flavor.nodes == ["Mordor", "Spain2"]


@pytest.mark.parametrize("is_public", [True, False])
def test_nothing_else_is_done_than_what_was_shown(
    admin_client: Client, federation: Federation, is_public: bool
) -> None:
    theirs = federation.clouds["Mordor"].flavors["1"] = flavor_document(id="1", name="small", ram=1)
    flavor = make_installation(make_flavor(flavorid="1", name="small", ram=1), "Mordor").flavor if is_public else None
    asked = {"do": "install", "flavorid": "1", "flavor": "small", "node": "Mordor", "into": "Spain2"}
    shown = admin_client.post(CHANGE, asked)
    theirs["ram"] = 2
    if flavor:
        flavor.ram = 2
        flavor.save()
    again = admin_client.post(CHANGE, asked | {"plan": shown.context["digest"]})
    assert (again.status_code, said(again)) == (200, [CHANGED])
    assert "2 MiB" in again.text
    assert federation.clouds["Spain2"].flavors == {}
    assert admin_client.post(CHANGE, asked | {"plan": again.context["digest"]}).status_code == 302
    assert federation.clouds["Spain2"].flavors["1"]["ram"] == 2


def test_a_public_flavor_that_has_another_id_there_is_that_of_the_catalogue(
    admin_client: Client, federation: Federation
) -> None:
    flavor = make_flavor(flavorid="1", name="small", promoted=False)
    make_installation(flavor, "Mordor", flavorid="a1b2")
    federation.clouds["Mordor"].flavors["a1b2"] = document_of(flavor, id="a1b2")
    (line, _, _) = admin_client.get(PAGE, BOTH).context["sections"][0]["lines"][0]
    assert change(admin_client, "install", line.flavorid, "Mordor", into="Spain2") == ["small: installed in Spain2"]
    assert list(federation.clouds["Spain2"].flavors) == ["1"]
    assert change(admin_client, "promote", line.flavorid, "Mordor") == ["small: promoted"]


@pytest.mark.parametrize("look", ["the page", "the command"])
def test_what_is_seen_of_the_catalogues_flavors_is_remembered(
    admin_client: Client, federation: Federation, look: str
) -> None:
    for id in ("gone", "back", "other"):
        flavor = make_installation(make_flavor(flavorid=id, name=id, promoted=False), "Mordor").flavor
        if id != "gone":
            federation.clouds["Mordor"].flavors[id] = document_of(flavor, ram=2 if id == "back" else 7)

    def nodes() -> dict[str, list[str]]:
        if look == "the page":
            assert admin_client.get(PAGE, BOTH).status_code == 200
        else:
            assert shell("list_flavors", "--live").status == 0
        return {flavor.flavorid: flavor.nodes for flavor in Flavor.objects.all()}

    assert nodes() == {"gone": [], "back": ["Mordor"], "other": ["Mordor"]}
    there = federation.clouds["Mordor"].flavors.pop("back")
    assert nodes() == {"gone": [], "back": [], "other": ["Mordor"]}
    federation.clouds["Mordor"].flavors["back"] = there
    assert nodes() == {"gone": [], "back": ["Mordor"], "other": ["Mordor"]}
    assert dict(Sighting.objects.values_list("flavor__flavorid", "state")) == {
        "gone": "missing",
        "back": "in_sync",
        "other": "different",
    }


def test_a_refusal_is_said(admin_client: Client, federation: Federation) -> None:
    fill(federation)
    (said,) = change(admin_client, "install", "other", "Mordor", into="Spain2")
    assert said.startswith("other: Spain2: ")
    assert not LogEntry.objects.exists()


def test_only_what_there_is_can_be_done_and_by_post_alone(admin_client: Client) -> None:
    assert admin_client.get(CHANGE).status_code == 405
    assert admin_client.post(CHANGE, {"do": "delete"}).status_code == 400
    assert admin_client.post(PAGE).status_code == 405


# Who may do what


def test_a_viewer_is_offered_nothing_and_can_force_nothing(client: Client, federation: Federation) -> None:
    fill(federation)
    user = member_of_staff("view_flavor")
    user.infrastructures.set(Infrastructure.objects.all())
    client.force_login(user)
    answer = client.get(PAGE, BOTH)
    assert all(not line.choices for section in answer.context["sections"] for line, _, _ in section["lines"])
    for do in ("publish", "install", "promote"):
        asked = {"do": do, "flavorid": "mine", "node": "Mordor", "into": "Spain2", "plan": "x"}
        assert client.post(CHANGE, asked).status_code == 403
    assert not Flavor.objects.exists()
    assert "mine" not in federation.clouds["Spain2"].flavors


def test_who_may_not_promote_is_not_offered_it_and_cannot_force_it(client: Client, federation: Federation) -> None:
    make_installation(make_flavor(flavorid="1", name="small", promoted=False), "Mordor")
    federation.clouds["Mordor"].flavors["1"] = flavor_document(id="1", name="small")
    client.force_login(member_of_staff("view_flavor", "change_flavor", "change_infrastructure"))
    answer = client.get(PAGE, BOTH)
    (line, _, _) = answer.context["sections"][0]["lines"][0]
    assert [choice.verb for choice in line.choices] == ["install"]
    asked = {"do": "promote", "flavorid": "1", "node": "Mordor", "plan": "x"}
    assert client.post(CHANGE, asked).status_code == 403
    assert not Flavor.objects.promoted().exists()


def test_an_operator_compares_and_changes_their_own_nodes_alone(client: Client, federation: Federation) -> None:
    fill(federation)
    operator = member_of_staff("view_flavor", "change_flavor")
    operator.infrastructures.set(Infrastructure.objects.filter(name="Mordor"))
    client.force_login(operator)
    assert list(client.get(PAGE).context["nodes"]) == ["Mordor"]
    assert "Choose two nodes." in client.get(PAGE, BOTH).text
    assert change(client, "install", "mine", "Mordor", into="Spain2") == ["mine: You do not operate the node Spain2."]
    assert change(client, "publish", "theirs", "Spain2") == ["theirs: The flavor theirs does not exist"]
    assert not Flavor.objects.exists()


def test_it_is_for_the_staff(client: Client) -> None:
    assert client.get(PAGE)["Location"].startswith(reverse("admin:login"))
    assert client.post(CHANGE)["Location"].startswith(reverse("admin:login"))
    client.force_login(member_of_staff("view_infrastructure"))
    assert client.get(PAGE).status_code == 403
