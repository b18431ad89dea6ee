"""Operators register and unregister their own nodes in the pages, as over the API."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests_mock
from django.apps import apps
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from identity import signed_in
from identity.models import User
from identity.roles import Role
from infrastructures.models import Infrastructure
from testing.accounts import APP_ID, KEYROCK_URL, make_answer, make_organization
from testing.infrastructures import PASSWORD, make_infrastructure, make_registered

pytestmark = [pytest.mark.django_db, pytest.mark.database]

NODES = reverse("admin:infrastructures_infrastructure_changelist")
REGISTER = reverse("admin:infrastructures_infrastructure_register")
VALUES = {
    "name": "Mordor",
    "keystone_url": "https://keystone.mordor.example.org/v3",
    "tenant": "operators",
    "username": "mordor-operator",
    "password": PASSWORD,
    "user_domain": "Users",
    "project_domain": "Default",
}


@pytest.fixture
def account() -> User:
    account = User.objects.create(username="operator", is_staff=True)
    account.groups.add(Group.objects.get(name=Role.INFRASTRUCTURE_OWNER))
    return account


@pytest.fixture
def operator(client: Client, account: User) -> Client:
    client.force_login(account)
    return client


@pytest.fixture
def owner(settings: Settings, client: Client) -> Iterator[Client]:
    """Somebody whom the IdM says to be an owner of Mordor and of Spain2."""
    settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = KEYROCK_URL, [APP_ID]
    organizations = [make_organization(f"{name} FIDASH", Role.INFRASTRUCTURE_OWNER) for name in ("Mordor", "Spain2")]
    with requests_mock.Mocker() as http:
        http.get(f"{KEYROCK_URL}/user", json=make_answer(username="sauron", organizations=organizations))
        request: Any = HttpRequest()
        request.session, request.META["REMOTE_ADDR"] = client.session, "192.0.2.1"
        signed_in.begin(request, presented=["a-token"])
        request.session.save()
        client.cookies["sessionid"] = request.session.session_key
        yield client


def unregister(node: Infrastructure) -> str:
    return reverse("admin:infrastructures_infrastructure_unregister", args=[node.pk])


def page_of(node: Infrastructure) -> str:
    return reverse("admin:infrastructures_infrastructure_change", args=[node.pk])


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_an_account_registers_a_node_and_operates_it(operator: Client, account: User) -> None:
    assert REGISTER in operator.get(NODES).text
    answer = operator.post(REGISTER, VALUES)
    node = Infrastructure.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(node))
    assert {member: getattr(node, member) for member in VALUES if member != "password"}.items() <= VALUES.items()
    assert node.get_password() == PASSWORD
    assert node.registered_by == "operator"
    assert list(node.operators.all()) == [account]
    assert PASSWORD not in operator.get(page_of(node)).text
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr, entry.action_flag) == (account, "Mordor", ADDITION)


def test_an_owner_of_the_idm_registers_what_is_theirs(owner: Client) -> None:
    """Nobody is named among the operators: whose it is says the IdM, as over the API."""
    make_registered("spain2")
    offered = owner.get(REGISTER).context["form"].fields["name"].choices
    assert offered == [("Mordor", "Mordor")]
    for name in ("Rohan", "Spain2", "spain2"):
        refused = owner.post(REGISTER, VALUES | {"name": name})
        assert refused.context["form"].errors.keys() == {"name"}, name
    owner.post(REGISTER, VALUES)
    node = Infrastructure.objects.get(name="Mordor")
    assert node.registered_by == "sauron"
    assert not node.operators.exists()
    assert "There is" not in owner.get(REGISTER).text
    assert owner.get(REGISTER).context["has_names"] is False
    assert said(owner.post(unregister(node)))[-1] == "Mordor: unregistered"


def test_a_form_says_what_is_wrong_with_it(operator: Client) -> None:
    make_infrastructure("Spain2")
    wrong = {"name": "SPAIN2", "keystone_url": "nowhere", "user_domain": "Default", "project_domain": "Default"}
    answer = operator.post(REGISTER, wrong)
    assert answer.status_code == 200
    assert answer.context["form"].errors == {
        "keystone_url": ["must be an http or https URL"],
        "tenant": ["This field is required."],
        "username": ["This field is required."],
        "password": ["This field is required."],
        "__all__": ["There is already a node of this name."],
    }
    assert 'role="alert"' in answer.text or "errorlist" in answer.text
    assert Infrastructure.objects.count() == 1


def test_a_password_is_not_shown_again(operator: Client) -> None:
    answer = operator.post(REGISTER, VALUES | {"keystone_url": "nowhere"})
    assert PASSWORD not in answer.text


def test_a_node_is_unregistered_after_a_question(operator: Client, account: User) -> None:
    node = make_registered("Mordor")
    node.operators.add(account)
    assert unregister(node) in operator.get(page_of(node)).text
    assert "Nothing changes in the cloud" in operator.get(unregister(node)).text
    assert Infrastructure.objects.exists()
    answer = operator.post(unregister(node))
    assert (answer.status_code, answer["Location"]) == (302, NODES)
    assert not Infrastructure.objects.exists()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr, entry.action_flag) == (account, "Mordor", DELETION)


def test_a_node_with_flavors_of_the_catalogue_stays(operator: Client, account: User) -> None:
    node = make_registered("Mordor")
    node.operators.add(account)
    flavor = apps.get_model("flavors", "Flavor").objects.create(name="m1.small", vcpus=1, ram=1, disk=1, public=True)
    apps.get_model("flavors", "Installation").objects.create(flavor=flavor, infrastructure=node, flavorid="1")
    assert "m1.small" in operator.get(unregister(node)).text
    (message,) = said(operator.post(unregister(node)))
    assert "cannot be unregistered" in message
    assert Infrastructure.objects.exists()


def test_another_ones_node_stays(operator: Client) -> None:
    node = make_registered("Spain2")
    assert operator.get(unregister(node)).status_code == 403
    assert operator.post(unregister(node)).status_code == 403
    assert operator.post(reverse("admin:infrastructures_infrastructure_unregister", args=[0])).status_code == 404
    assert Infrastructure.objects.exists()


def test_the_staff_registers_by_the_form_of_its_own(client: Client) -> None:
    """Whoever may only look is offered neither; other methods are refused."""
    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_infrastructure"))
    client.force_login(viewer)
    node = make_registered("Spain2")
    assert REGISTER not in client.get(NODES).text
    assert unregister(node) not in client.get(page_of(node)).text
    assert client.get(REGISTER).status_code == 403
    client.force_login(User.objects.create_superuser("root"))
    assert REGISTER not in client.get(NODES).text
    assert client.put(REGISTER).status_code == 405


def test_a_form_of_another_site_changes_nothing(account: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(account)
    node = make_registered("Mordor")
    node.operators.add(account)
    assert client.post(REGISTER, VALUES | {"name": "Rohan"}).status_code == 403
    assert client.post(unregister(node)).status_code == 403
    assert [each.name for each in Infrastructure.objects.all()] == ["Mordor"]
