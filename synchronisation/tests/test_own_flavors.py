"""The pages of a node's own flavors: who operates the node does there what the API lets them do."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from flavors.models import Flavor
from identity.models import User
from identity.roles import Role
from testing.cloud import Federation, flavor_document
from testing.infrastructures import make_registered

pytestmark = pytest.mark.django_db

OWN = reverse("admin:flavors_flavor_own")
MAKE = reverse("admin:flavors_flavor_make")
RESIZE = reverse("admin:flavors_flavor_resize")
ONE = reverse("admin:flavors_flavor_change_one")
NEW = {"name": "m1.new", "vcpus": "2", "ram": "2048", "disk": "10", "swap": "0", "nodes": ["Mordor"]}


@pytest.fixture
def federation() -> Iterator[Federation]:
    with Federation() as federation:
        account = User.objects.create(username="operator", is_staff=True)
        account.groups.add(Group.objects.get(name=Role.INFRASTRUCTURE_OWNER))
        for name in ("Lannion2", "Mordor", "Spain2"):
            node = make_registered(name)
            federation.add(name).flavors["1"] = flavor_document(id="1", name="private")
            if name != "Spain2":
                node.operators.add(account)
        yield federation


@pytest.fixture
def operator(client: Client, federation: Federation) -> Client:
    client.force_login(User.objects.get(username="operator"))
    return client


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def confirmed(client: Client, asked: dict[str, str]) -> Any:
    shown = client.post(ONE, asked)
    return client.post(ONE, asked | {"plan": shown.context["digest"]})


def one(do: str, **more: str) -> dict[str, str]:
    return {"do": do, "flavorid": "1", "flavor": "private", "node": "Mordor", **more}


def test_a_node_is_chosen_and_its_flavors_are_shown(operator: Client, federation: Federation) -> None:
    first = operator.get(OWN)
    assert first.context["nodes"] == ["Lannion2", "Mordor"]
    assert not federation.calls()  # nobody is asked until a node is chosen
    page = operator.get(OWN, {"node": "Mordor"})
    assert [flavor.name for flavor in page.context["flavors"]] == ["private"]
    assert set(federation.calls()) == {"Mordor"}
    assert f"{RESIZE}?node=Mordor&amp;flavorid=1" in page.text
    assert "Choose a node." in operator.get(OWN, {"node": "Spain2"}).text


def test_where_there_is_no_node_to_make_a_flavor_in_the_form_says_so(operator: Client) -> None:
    assert "We hold no credentials" not in operator.get(MAKE).text
    User.objects.get(username="operator").infrastructures.clear()
    assert "We hold no credentials for any node that you may change." in operator.get(MAKE).text


def test_a_cloud_that_does_not_answer_is_said(operator: Client, federation: Federation) -> None:
    federation.http.get(f"{federation.clouds['Mordor'].endpoint}/flavors/detail", status_code=503)
    page = operator.get(OWN, {"node": "Mordor"})
    assert page.status_code == 200
    assert "Mordor" in said(page)[0]


def test_a_flavor_is_made_in_a_node_and_published(operator: Client, federation: Federation) -> None:
    answer = operator.post(MAKE, NEW | {"id": "new", "public": "on"})
    assert answer["Location"] == f"{OWN}?node=Mordor"
    assert said(answer) == ["m1.new: made in Mordor"]
    assert federation.clouds["Mordor"].flavors["new"]["ram"] == 2048
    assert "new" not in federation.clouds["Lannion2"].flavors
    assert Flavor.objects.get(flavorid="new").nodes == ["Mordor"]
    entry = LogEntry.objects.get()
    assert (str(entry.user), entry.object_repr, entry.change_message) == ("operator", "Mordor", "m1.new: made")


def test_a_form_says_what_is_wrong(operator: Client, federation: Federation) -> None:
    wrong = {"name": " x", "vcpus": "0", "ram": "much", "disk": "-1", "swap": "", "nodes": ["Spain2"], "id": "a/b"}
    errors = operator.post(MAKE, wrong).context["form"].errors
    assert errors.keys() == {"name", "vcpus", "ram", "disk", "swap", "nodes", "id"}
    taken = operator.post(MAKE, NEW | {"id": "1"})
    assert "Mordor" in taken.context["form"].errors["__all__"][0]
    assert federation.clouds["Mordor"].flavors.keys() == {"1"}


def test_a_private_flavor_changes_its_sizes(operator: Client, federation: Federation) -> None:
    url = f"{RESIZE}?node=Mordor&flavorid=1"
    shown = operator.get(url)
    assert "Servers that use it keep the old values" in shown.text
    values = {name: str(shown.context["form"][name].value()) for name in ("name", "vcpus", "ram", "disk", "swap")}
    answer = operator.post(url, values | {"ram": "8192"})
    assert said(answer) == ["private: changed in Mordor"]
    assert federation.clouds["Mordor"].flavors["1"]["ram"] == 8192
    assert federation.clouds["Lannion2"].flavors["1"]["ram"] == 4096
    unknown = operator.get(f"{RESIZE}?node=Mordor&flavorid=nothing")
    assert said(unknown)[-1] == "The flavor nothing does not exist"
    assert operator.get(f"{RESIZE}?node=Spain2&flavorid=1").status_code == 403


def test_a_published_flavor_keeps_its_sizes(operator: Client, federation: Federation) -> None:
    confirmed(operator, one("publish"))
    url = f"{RESIZE}?node=Mordor&flavorid=1"
    values = {"name": "private", "vcpus": "64", "ram": "64", "disk": "0", "swap": "0"}
    refused = operator.post(url, values)
    assert refused.context["form"].errors["__all__"] == ["A published flavor keeps its name and sizes."]


def test_a_private_flavor_is_installed_in_another_node_of_theirs(operator: Client, federation: Federation) -> None:
    del federation.clouds["Lannion2"].flavors["1"]
    assert said(confirmed(operator, one("install", into="Lannion2"))) == ["private: installed in Lannion2"]
    assert "1" in federation.clouds["Lannion2"].flavors


def test_a_flavor_is_removed_from_one_node(operator: Client, federation: Federation) -> None:
    assert said(confirmed(operator, one("remove"))) == ["private: removed from Mordor"]
    assert {name for name, cloud in federation.clouds.items() if "1" in cloud.flavors} == {"Lannion2", "Spain2"}
    entry = LogEntry.objects.get()
    assert (entry.object_repr, entry.change_message) == ("Mordor", "private: removed from Mordor")


def test_a_form_of_another_site_changes_nothing(federation: Federation) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="operator"))
    asked = [(MAKE, NEW), (f"{RESIZE}?node=Mordor&flavorid=1", NEW), (ONE, one("remove"))]
    assert [client.post(url, values).status_code for url, values in asked] == [403] * 3
    assert not federation.calls()
