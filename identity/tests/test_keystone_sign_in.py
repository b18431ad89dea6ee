"""Signing in with Keystone where it has more to say than one role: cases of names, refusals, and very many projects."""

from typing import Any

import pytest
import requests_mock
from django.test import Client
from pytest_django import Settings

from identity import keystone_sign_in
from identity.tests.people import ADMIN, FEDERATION, SPAIN2, KeystoneOfPeople, sign_in
from testing.accounts import KEYSTONE_URL, keystone_error, make_project

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ways_to_sign_in")]

TOKENS = f"{KEYSTONE_URL}/auth/tokens"


@pytest.fixture
def keystone(keystone: KeystoneOfPeople) -> KeystoneOfPeople:
    """He is a manager."""
    keystone.gives(FEDERATION, "flavor_manager")
    return keystone


def test_guessing_at_a_name_in_another_case_is_guessing_at_that_name(
    keystone: KeystoneOfPeople, settings: Settings
) -> None:
    settings.LOCAL_ACCOUNT_FAILURE_RATE = "2/hour"
    guesses = [{"username": "Frodo"}, {"username": "FRODO", "domain": "default"}, {"username": "frodo"}]
    assert [sign_in(Client(), **guess, password="wrong").status_code for guess in guesses] == [401, 401, 429]


def test_a_project_that_keystone_refuses_keeps_nobody_out_of_the_others(
    keystone: KeystoneOfPeople, requests_mock: requests_mock.Mocker
) -> None:
    """It lists disabled projects, too, and gives no token for them."""
    client = Client()
    keystone.gives(SPAIN2, "flavor_operator")

    def issue(request: Any, context: Any) -> dict[str, Any]:
        if SPAIN2["id"] in request.text:
            context.status_code = 401
            return keystone_error(401, "Unauthorized")
        return keystone._issue(request, context)

    requests_mock.post(TOKENS, json=issue)
    assert sign_in(client).status_code == 302
    user: Any = client.get(ADMIN).wsgi_request.user
    assert user.bearer.roles == {"InfrastructureManager"}


def test_of_very_many_projects_those_that_a_setting_names_count(keystone: KeystoneOfPeople) -> None:
    """Keystone lists them in any order, and `{node}` may be the name of each."""
    client = Client()
    for number in range(keystone_sign_in.MOST_SCOPES):
        keystone.projects.insert(0, make_project(f"project-{number}"))
    keystone.roles["system"] = ["cloud_admin"]
    assert sign_in(client).status_code == 302
    user: Any = client.get(ADMIN).wsgi_request.user
    assert {"cloud_admin@system", "flavor_manager@project:federation/Default"} <= set(user.bearer.grants)
