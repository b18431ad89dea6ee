"""What an operator made by `create_operator` can do in the pages: as much as over the API, and see no other cloud."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.models import SyncNode
from synchronisation.tests.test_admin_coverage import COMPARE_NOW, FLAVORS, MAP, RUNS, cell
from testing.accounts import PASSWORD
from testing.cloud import Federation, flavor_document
from testing.flavors import make_flavor
from testing.infrastructures import make_registered
from testing.shell import shell

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")
NODES = reverse("admin:infrastructures_infrastructure_changelist")
COMPARE = reverse("admin:flavors_flavor_compare")
CLOSED = [
    reverse(f"admin:{page}_changelist") for page in ("infrastructures_replacement", "identity_user", "auth_group")
] + [reverse("admin:admin_logentry_changelist"), reverse("admin:infrastructures_infrastructure_add")]


@pytest.fixture
def federation() -> Iterator[Federation]:
    with Federation() as federation:
        for name in ("Lannion2", "Mordor", "Spain2"):
            make_registered(name)
            federation.add(name)
        yield federation


def signed_in(monkeypatch: pytest.MonkeyPatch, *options: str) -> Client:
    """Make an operator of Mordor and Lannion2 by the command, and sign in with their password."""
    monkeypatch.setenv("OPERATOR_PASSWORD", PASSWORD)
    nodes = ("--infrastructure", "Mordor", "--infrastructure", "Lannion2")
    assert shell("create_operator", "mordor-operator", *nodes, *options).status == 0
    client = Client()
    answer = client.post(reverse("admin:login"), {"username": "mordor-operator", "password": PASSWORD, "next": INDEX})
    assert answer.status_code == 302
    return client


@pytest.fixture
def owner(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Client:
    return signed_in(monkeypatch)


@pytest.fixture
def manager(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> Client:
    return signed_in(monkeypatch, "--manager")


def act(client: Client, action: str, flavor: Flavor, *nodes: str) -> Any:
    keys = list(Infrastructure.objects.filter(name__in=nodes).values_list("pk", flat=True))
    chosen = {"action": action, "_selected_action": [flavor.pk], "confirmed": "yes", "nodes": keys}
    return confirmed(client, FLAVORS, chosen)


def confirmed(client: Client, url: str, asked: dict[str, Any]) -> Any:
    """Confirm what the page shows, and return the answer; or return the page, if it shows nothing to confirm."""
    answer = client.post(url, asked)
    digest = (answer.context or {}).get("digest")
    return client.post(url, asked | {"plan": digest}) if digest else answer


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_an_owner_sees_the_catalogue_and_no_other_cloud(owner: Client, federation: Federation) -> None:
    flavor = make_flavor(name="m1.small", flavorid="1", promoted=False)
    draft = make_flavor(name="draft", promoted=False, public=False)
    one = reverse("admin:flavors_flavor_change", args=[flavor.pk])
    compare = f"{COMPARE}?left=Mordor&right=Spain2"
    pages = [
        owner.get(url) for url in (INDEX, FLAVORS, one, MAP, RUNS, NODES, cell(flavor, "Spain2"), COMPARE, compare)
    ]
    assert [page.status_code for page in pages] == [200] * 9
    text = "".join(page.text for page in pages)
    assert "m1.small" in text
    assert draft.name not in text
    assert not any(secret in text for secret in (PASSWORD, "spain2-operator", "keystone.spain2", "nova.spain2"))
    assert federation.calls() == {}  # Spain2 is not theirs to be asked
    assert [owner.get(url).status_code for url in CLOSED] == [403] * 5
    assert owner.get(reverse("admin:flavors_flavor_change", args=[draft.pk])).status_code == 302


def test_an_owner_installs_in_their_own_nodes(owner: Client, federation: Federation) -> None:
    flavor = make_flavor(name="m1.small", flavorid="1", promoted=False)
    assert said(act(owner, "install_flavors", flavor, "Mordor")) == ["m1.small: installed in Mordor"]
    assert "is not one of the available choices" in act(owner, "install_flavors", flavor, "Spain2").text
    assert said(owner.post(cell(flavor, "Lannion2"))) == ["m1.small: installed in Lannion2"]
    assert owner.post(cell(flavor, "Spain2")).status_code == 403
    assert {name: list(cloud.flavors) for name, cloud in federation.clouds.items()} == {
        "Lannion2": ["1"],
        "Mordor": ["1"],
        "Spain2": [],
    }


def test_an_owner_publishes_what_is_theirs(owner: Client, federation: Federation) -> None:
    for name in ("Mordor", "Spain2"):
        federation.clouds[name].flavors[name] = flavor_document(id=name, name=name)
    change = reverse("admin:flavors_flavor_change_one")
    asked = {"do": "publish", "flavorid": "Mordor", "flavor": "Mordor", "node": "Mordor"}
    assert said(confirmed(owner, change, asked)) == ["Mordor: published"]
    asked |= {"flavorid": "Spain2", "flavor": "Spain2", "node": "Spain2"}
    assert said(confirmed(owner, change, asked))[-1] == "Spain2: The flavor Spain2 does not exist"
    assert [flavor.name for flavor in Flavor.objects.published()] == ["Mordor"]


def test_an_owner_promotes_nothing(owner: Client) -> None:
    flavor = make_flavor(name="m1.small", flavorid="1", promoted=False)
    act(owner, "promote_flavors", flavor)
    act(owner, "publish_flavors", make_flavor(name="draft", promoted=False, public=False))
    assert not Flavor.objects.promoted().exists()
    assert Flavor.objects.published().count() == 1
    assert owner.post(reverse("admin:flavors_flavor_change", args=[flavor.pk]), {"name": "x"}).status_code == 403


def test_an_owner_synchronises_their_own_nodes(owner: Client) -> None:
    flavor = make_flavor(name="m1.small", flavorid="1")
    assert owner.post(cell(flavor, "Mordor")).status_code == 200
    assert owner.post(cell(flavor, "Spain2")).status_code == 403
    shown = owner.post(FLAVORS, {"action": "synchronise_flavors", "_selected_action": [flavor.pk]}).text
    assert "Mordor" in shown
    assert "Spain2" not in shown
    assert owner.post(COMPARE_NOW).status_code == 302
    assert {node.name for node in SyncNode.objects.all()} == {"Lannion2", "Mordor"}


def test_a_manager_promotes_and_synchronises_all_nodes(manager: Client) -> None:
    flavor = make_flavor(name="m1.small", flavorid="1", promoted=False)
    assert said(act(manager, "promote_flavors", flavor)) == ["m1.small: promoted"]
    assert manager.post(cell(flavor, "Mordor")).status_code == 200
    assert manager.post(cell(flavor, "Spain2")).status_code == 200
    assert manager.get(RUNS).status_code == 200
    assert [manager.get(url).status_code for url in CLOSED] == [403] * 5
