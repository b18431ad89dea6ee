"""Signing out: the session ends whatever happens, and its tokens where their provider ends them."""

import time
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import requests_mock
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from identity import signed_in
from identity.tests import server as idm
from identity.tests.openid import ACCESS_TOKEN, METADATA, SECRET, openid
from identity.tests.openid import come_back as come_back_from_openid
from identity.tests.people import (
    FEDERATION,
    SPAIN2,
    KeystoneOfPeople,
    begin,
    come_back,
    is_in,
    keyrock,
    sign_in,
)
from identity.tests.server import IdmServer
from testing.accounts import APP_ID, KEYSTONE_URL, make_account

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ways_to_sign_in")]

OUT = "/admin/logout/"
TOKENS = f"{KEYSTONE_URL}/auth/tokens"
REVOCATION = f"{METADATA['issuer']}/somewhere/revocation"


@pytest.fixture
def client(requests_mock: requests_mock.Mocker) -> Client:
    """Somebody of Keystone's who has signed in, with a role in each of two projects and in the system."""
    keystone = KeystoneOfPeople(requests_mock)
    keystone.gives(FEDERATION, "flavor_manager")
    keystone.gives(SPAIN2, "flavor_operator")
    client = Client(raise_request_exception=False)
    assert sign_in(client).status_code == 302
    requests_mock.delete(TOKENS, status_code=204)
    return client


def sent(http: requests_mock.Mocker, method: str) -> list[Any]:
    return [request for request in http.request_history if request.method == method]


def test_keystone_ends_the_token_of_each_scope(client: Client, requests_mock: requests_mock.Mocker) -> None:
    assert "Logged out" in client.post(OUT).content.decode()
    headers = [
        (request.headers["X-Auth-Token"], request.headers["X-Subject-Token"])
        for request in sent(requests_mock, "DELETE")
    ]
    assert headers == [(f"gAAAAAB-{scope}",) * 2 for scope in ("system", FEDERATION["id"], SPAIN2["id"])]
    assert not is_in(client)


def test_an_ended_token_is_no_longer_remembered(client: Client, requests_mock: requests_mock.Mocker) -> None:
    headers = {"X-Auth-Token": f"gAAAAAB-{FEDERATION['id']}"}
    assert APIClient().get("/v1/promotedflavors", headers=headers).status_code == 200
    client.post(OUT)
    requests_mock.get(TOKENS, status_code=404, json={"error": {}})
    assert APIClient().get("/v1/promotedflavors", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "answer", [{"status_code": 500}, {"text": "<html>"}, {"status_code": 404}, {"exc": requests.ConnectTimeout}]
)
def test_the_session_ends_whatever_keystone_says(
    client: Client, requests_mock: requests_mock.Mocker, answer: dict[str, Any]
) -> None:
    requests_mock.delete(TOKENS, **answer)
    cookie: Any = client.cookies["sessionid"].value
    assert client.post(OUT).status_code == 200
    client.cookies["sessionid"] = cookie
    assert not is_in(client)


def test_the_session_ends_while_keystone_is_away(client: Client, requests_mock: requests_mock.Mocker) -> None:
    """What they may is not asked of who goes."""
    requests_mock.get(TOKENS, status_code=500)
    requests_mock.delete(TOKENS, status_code=500)
    cache.clear()
    assert client.get("/admin/").status_code == 503
    assert client.post(OUT).status_code == 200
    assert not is_in(client)


def test_nobody_waits_long_for_an_end(
    client: Client, requests_mock: requests_mock.Mocker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_in, "SECONDS_TO_REVOKE", 0.3)
    with IdmServer() as server:
        server.script = [idm.silence] * 3
        requests_mock.delete(f"{server.url}/v3/auth/tokens", real_http=True)
        settings.KEYSTONE_URL = server.url
        began = time.monotonic()
        assert client.post(OUT).status_code == 200
        assert time.monotonic() - began < 5
        assert len(server.requests) == 1


def test_an_openid_provider_ends_the_token_where_it_says_how(
    requests_mock: requests_mock.Mocker, settings: Settings
) -> None:
    openid(requests_mock, settings, revocation_endpoint=REVOCATION)
    requests_mock.post(REVOCATION)
    client = Client()
    assert come_back_from_openid(requests_mock, client) == 302
    client.post(OUT)
    (ended,) = [request for request in sent(requests_mock, "POST") if request.url == REVOCATION]
    assert parse_qs(ended.text) == {"token": [ACCESS_TOKEN], "token_type_hint": ["access_token"]}
    assert ended.headers["Authorization"] == f"Basic {b64encode(f'{APP_ID}:{SECRET}'.encode()).decode()}"
    assert not is_in(client)


@pytest.mark.parametrize("answer", [{"status_code": 503}, {"exc": requests.ReadTimeout}, {"status_code": 400}])
def test_the_session_ends_whatever_an_openid_provider_says(
    requests_mock: requests_mock.Mocker, settings: Settings, answer: dict[str, Any]
) -> None:
    openid(requests_mock, settings, revocation_endpoint=REVOCATION)
    client = Client(raise_request_exception=False)
    assert come_back_from_openid(requests_mock, client) == 302
    requests_mock.post(REVOCATION, **answer)
    assert client.post(OUT).status_code == 200
    assert not is_in(client)


def test_a_provider_that_does_not_say_how_is_not_asked(requests_mock: requests_mock.Mocker) -> None:
    keyrock(requests_mock)
    client = Client()
    assert come_back(client, state=begin(client)["state"]).status_code == 302
    asked = requests_mock.call_count
    client.post(OUT)
    assert requests_mock.call_count == asked
    assert not is_in(client)


def test_a_local_account_signs_out_as_ever() -> None:
    client = Client()
    client.force_login(make_account(is_staff=True), "identity.backends.LocalAccountBackend")
    assert is_in(client)
    assert client.get(OUT).status_code == 405
    assert is_in(client)
    assert client.post(OUT).status_code == 200
    assert not is_in(client)


def test_nobody_can_be_signed_out_from_elsewhere(client: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(OUT).status_code == 403
    assert is_in(client)
