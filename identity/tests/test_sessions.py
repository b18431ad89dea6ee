"""What ends the session of somebody who has signed in, and what does not."""

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from identity.models import User
from identity.tests.people import ADMIN, FEDERATION, KeystoneOfPeople, is_in, sign_in
from testing.accounts import PASSWORD, make_account

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ways_to_sign_in")]


@pytest.fixture
def keystone(keystone: KeystoneOfPeople) -> KeystoneOfPeople:
    """He is a manager."""
    keystone.gives(FEDERATION, "flavor_manager")
    return keystone


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def test_whoever_is_in_is_not_kept_out_by_the_wrong_tokens_of_their_address(
    keystone: KeystoneOfPeople, client: Client, settings: Settings
) -> None:
    settings.TOKEN_ADDRESS_FAILURE_RATE = "1/hour"
    sign_in(client)
    cache.clear()
    keystone.revoked = True
    statuses = [
        APIClient().get("/v1/regions", headers={"X-Auth-Token": f"gAAAAAB-{number}"}).status_code for number in (1, 2)
    ]
    assert statuses == [401, 429]
    keystone.revoked = False
    assert is_in(client)


def test_a_session_that_ends_is_no_wrong_token_of_its_address(
    keystone: KeystoneOfPeople, client: Client, settings: Settings
) -> None:
    settings.TOKEN_ADDRESS_FAILURE_RATE = "1/hour"
    sign_in(client)
    cache.clear()
    keystone.revoked = True
    assert not is_in(client)
    assert APIClient().get("/v1/regions", headers={"X-Auth-Token": "gAAAAAB-1"}).status_code == 401


@pytest.mark.parametrize("keyrock", [True, False])
def test_a_session_ends_with_its_provider(
    keystone: KeystoneOfPeople, client: Client, settings: Settings, keyrock: bool
) -> None:
    sign_in(client)
    settings.KEYSTONE_IDENTITY = False
    if not keyrock:
        settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = "", []
    assert client.get(ADMIN).status_code == 302
    assert client.get("/admin/login/").status_code == 200


def test_local_accounts_that_are_in_are_out_once_they_are_kept_out(client: Client, settings: Settings) -> None:
    make_account("staff", is_staff=True)
    client.post("/admin/login/", {"username": "staff", "password": PASSWORD})
    assert is_in(client)
    settings.LOCAL_SIGN_IN = False
    assert [client.get(page).status_code for page in (ADMIN, "/admin/password_change/")] == [302, 302]
    headers = {"user": "staff", "password": PASSWORD}
    assert APIClient().get("/v1/regions", headers=headers).status_code == 200


def test_whoever_is_known_elsewhere_has_no_password_to_change_here(keystone: KeystoneOfPeople, client: Client) -> None:
    """Not even one that somebody has given to their row."""
    sign_in(client)
    row = User.objects.get(external_id="keystone:c0ffee")
    row.set_password(PASSWORD)
    row.save()
    sign_in(client)
    new = {"old_password": PASSWORD, "new_password1": "of-my-own-choice", "new_password2": "of-my-own-choice"}
    page = "/admin/password_change/"
    assert [client.get(page).status_code, client.post(page, new).status_code] == [403, 403]
    row.refresh_from_db()
    assert row.check_password(PASSWORD)
