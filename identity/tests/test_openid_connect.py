"""Signing in with an IdM that speaks OpenID Connect: what it tells of itself, and its id tokens."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests_mock
from django.test import Client
from joserfc import jwt
from joserfc.jwk import RSAKey
from pytest_django import Settings

from testing.accounts import APP_ID, KEYROCK_URL, make_answer, make_role

pytestmark = pytest.mark.django_db

ISSUER = KEYROCK_URL
DISCOVERY = f"{KEYROCK_URL}/.well-known/openid-configuration"
METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{KEYROCK_URL}/somewhere/authorize",
    "token_endpoint": f"{KEYROCK_URL}/somewhere/token",
    "jwks_uri": f"{KEYROCK_URL}/somewhere/keys",
    "id_token_signing_alg_values_supported": ["RS256"],
}
KEY, ANOTHER_KEY = RSAKey.generate_key(2048, {"kid": "1"}), RSAKey.generate_key(2048, {"kid": "1"})
MINUTE = 60


@pytest.fixture(autouse=True)
def idm(requests_mock: requests_mock.Mocker, settings: Settings) -> requests_mock.Mocker:
    settings.ROOT_URLCONF = "flavorsync_project.urls"
    settings.KEYROCK_CLIENT_SECRET = "sesame"
    settings.KEYROCK_OIDC_DISCOVERY_URL = DISCOVERY
    requests_mock.get(DISCOVERY, json=METADATA)
    requests_mock.get(METADATA["jwks_uri"], json={"keys": [KEY.as_dict(private=False)]})
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer(roles=[make_role("InfrastructureManager")]))
    return requests_mock


def begin(client: Client) -> dict[str, str]:
    """Go to the IdM, and return what it is told."""
    where = urlsplit(client.get("/sign-in/keyrock")["Location"])
    assert where.path == "/somewhere/authorize"
    return {name: value for name, (value,) in parse_qs(where.query).items()}


def come_back(http: requests_mock.Mocker, key: RSAKey = KEY, age: int = 0, **claims: object) -> int:
    """Go to the IdM and come back, with an id token that has these claims and that age; return the answer's status."""
    client = Client(raise_request_exception=False)
    asked = begin(client)
    now = int(time.time()) - age
    whole = {"iss": ISSUER, "aud": APP_ID, "sub": "1", "iat": now, "exp": now + 60 * MINUTE, "nonce": asked["nonce"]}
    token = jwt.encode({"alg": "RS256", "kid": "1"}, whole | claims, key)
    http.post(METADATA["token_endpoint"], json={"access_token": "access", "token_type": "bearer", "id_token": token})
    status = client.get("/sign-in/keyrock/back", {"code": "c", "state": asked["state"]}).status_code
    assert (client.get("/admin/").status_code == 200) == (status == 302)
    return status


def test_the_idm_is_asked_for_openid_with_a_nonce_and_pkce(idm: requests_mock.Mocker) -> None:
    asked = begin(Client())
    assert asked["scope"] == "openid"
    assert asked["nonce"]
    assert asked["code_challenge_method"] == "S256"


def test_an_id_token_for_us_lets_in(idm: requests_mock.Mocker) -> None:
    assert come_back(idm) == 302


@pytest.mark.parametrize("age", [-5 * MINUTE + 10, 60 * MINUTE + 5 * MINUTE - 10])
def test_clocks_may_differ_by_five_minutes(idm: requests_mock.Mocker, age: int) -> None:
    assert come_back(idm, age=age) == 302


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"nonce": "another"}, id="a replayed one"),
        pytest.param({"aud": "another"}, id="another application's"),
        pytest.param({"iss": "https://evil.example.org"}, id="another IdM's"),
        pytest.param({"key": ANOTHER_KEY}, id="another key's"),
        pytest.param({"age": 66 * MINUTE}, id="an expired one"),
        pytest.param({"age": -6 * MINUTE}, id="one from the future"),
    ],
)
def test_an_id_token_that_is_not_for_us_does_not(idm: requests_mock.Mocker, wrong: dict[str, Any]) -> None:
    assert come_back(idm, **wrong) == 401


def test_an_answer_without_an_id_token_does_not(idm: requests_mock.Mocker) -> None:
    idm.post(METADATA["token_endpoint"], json={"access_token": "access", "token_type": "bearer"})
    client = Client(raise_request_exception=False)
    state = begin(client)["state"]
    assert client.get("/sign-in/keyrock/back", {"code": "c", "state": state}).status_code == 503
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("answer", [{"status_code": 500}, {"text": "<html>"}, {"json": {}}, {"json": []}])
def test_a_discovery_that_is_none_is_a_503(idm: requests_mock.Mocker, answer: dict[str, Any]) -> None:
    idm.get(DISCOVERY, **answer)
    assert Client(raise_request_exception=False).get("/sign-in/keyrock").status_code == 503
