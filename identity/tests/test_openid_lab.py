"""Signing in with a certified OpenID provider, the lab's: what it really does, in going well and in going wrong."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from flavorsync_project.encryption import decrypt
from identity.signed_in import KEY
from lab import Lab, people, seed
from testing.fixtures import lab, openid_url

__all__ = ["lab"]

pytestmark = [pytest.mark.django_db, pytest.mark.lab]

HERE = "127.0.0.1:5000"  # The provider sends people back to this machine alone
SECONDS = 30


@pytest.fixture(autouse=True)
def _idm(lab: Lab, settings: Settings) -> Iterator[None]:
    """The settings of `scripts/serve --lab --identity openid`."""
    settings.ROOT_URLCONF = "flavorsync_project.urls"
    settings.KEYROCK_URL = openid_url(lab)
    settings.KEYROCK_OIDC_DISCOVERY_URL = f"{settings.KEYROCK_URL}/.well-known/openid-configuration"
    settings.KEYROCK_APP_IDS, settings.KEYROCK_CLIENT_SECRET = [seed.IDM_APPLICATION], seed.IDM_CLIENT_SECRET
    settings.KEYSTONE_IDENTITY = False
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False, headers={"Host": HERE})


def way_back(client: Client, user: str) -> dict[str, str]:
    """Go to the provider, say who one is, and return what one is sent back with."""
    browser = requests.Session()
    page = browser.get(client.get("/sign-in/keyrock")["Location"], timeout=SECONDS)
    answer = browser.get(page.url, params={"user": user}, timeout=SECONDS, allow_redirects=False)
    while not (where := answer.headers["Location"]).startswith(f"http://{HERE}/sign-in/keyrock/back"):
        answer = browser.get(where, timeout=SECONDS, allow_redirects=False)
    return {name: value for name, (value,) in parse_qs(urlsplit(where).query).items()}


def come_back(client: Client, query: dict[str, str]) -> int:
    return client.get("/sign-in/keyrock/back", query).status_code


def sign_in(client: Client, user: str) -> int:
    return come_back(client, way_back(client, user))


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def token_in(client: Client) -> str:
    """Return the access token that the session holds."""
    (token,) = json.loads(decrypt(client.session[KEY]))
    return str(token)


def test_whoever_signs_in_is_who_they_are_over_the_api(client: Client) -> None:
    assert sign_in(client, "owner-spain2") == 302
    user: Any = client.get("/admin/").wsgi_request.user
    assert (str(user), user.owned_nodes) == ("owner-spain2", {"Spain2"})
    over_the_api = APIClient().get("/v1/flavors", headers={"X-Auth-Token": token_in(client)})
    assert over_the_api.status_code == 200


def test_it_costs_one_call_for_each_thing_to_be_known_and_none_once_that_is(client: Client, lab: Lab) -> None:
    query = way_back(client, "manager")
    with lab.counting() as served:
        assert come_back(client, query) == 302
    assert served["openid"] == {
        "GET /.well-known/openid-configuration": 1,
        "POST /token": 1,
        "GET /jwks": 1,
        "GET /user": 1,
    }
    with lab.counting() as served:
        assert is_in(client)
    assert not served["openid"]
    cache.clear()
    with lab.counting() as served:
        assert is_in(client)
    assert served["openid"] == {"GET /user": 1}


def test_a_role_that_is_taken_away_is_gone(client: Client, lab: Lab) -> None:
    assert sign_in(client, "manager") == 302
    with people.without_roles(lab.folder, "manager"):
        assert is_in(client)
        cache.clear()
        assert not is_in(client)


def test_whoever_has_no_role_stays_out(client: Client) -> None:
    assert sign_in(client, "basic") == 403
    assert not is_in(client)


def test_signing_out_ends_the_token(client: Client, lab: Lab) -> None:
    assert sign_in(client, "manager") == 302
    user = {"access_token": token_in(client)}
    assert requests.get(f"{lab.openid_url}/user", user, timeout=SECONDS).status_code == 200
    assert client.post("/admin/logout/").status_code == 200
    assert requests.get(f"{lab.openid_url}/user", user, timeout=SECONDS).status_code == 401


def test_a_replayed_code_lets_nobody_in(client: Client) -> None:
    query = way_back(client, "manager")
    assert come_back(client, query) == 302
    thief = Client(raise_request_exception=False, headers={"Host": HERE})
    assert come_back(thief, query) == 401
    assert come_back(thief, way_back(thief, "basic") | {"code": query["code"]}) == 401
    assert not is_in(thief)


def test_a_provider_that_was_away_has_forgotten_its_tokens(client: Client, lab: Lab) -> None:
    assert sign_in(client, "manager") == 302
    query = way_back(client, "owner-spain2")
    lab.kill("openid")
    try:
        assert come_back(client, query) == 503
        cache.clear()
        assert client.get("/admin/").status_code == 503
        assert client.get("/sign-in/keyrock").status_code == 503
    finally:
        lab.start("openid")
    assert not is_in(client)
    assert sign_in(client, "owner-spain2") == 302
