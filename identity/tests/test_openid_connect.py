"""Signing in with an IdM that speaks OpenID Connect: what it tells of itself, and its id tokens."""

from typing import Any

import pytest
import requests
import requests_mock
from django.test import Client
from pytest_django import Settings

from identity.tests import server as socket_server
from identity.tests.openid import (
    ANOTHER_KEY,
    DISCOVERY,
    KEYS,
    METADATA,
    MINUTE,
    back_with,
    begin,
    come_back,
    openid,
    tokens_for,
)
from identity.tests.server import Behaviour, IdmServer

pytestmark = pytest.mark.django_db

STRANGE: list[dict[str, Any]] = [
    {"status_code": 500},
    {"status_code": 302, "headers": {"Location": "https://elsewhere.example.org"}},
    {"text": "<html>"},
    {"json": []},
    {"json": "odd"},
    {"exc": requests.ConnectionError},
    {"exc": requests.ReadTimeout},
]


@pytest.fixture(autouse=True)
def idm(requests_mock: requests_mock.Mocker, settings: Settings) -> requests_mock.Mocker:
    openid(requests_mock, settings)
    return requests_mock


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def test_the_idm_is_asked_for_openid_with_a_nonce_and_pkce(client: Client) -> None:
    asked = begin(client)
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
        pytest.param({"aud": ["another", "yet-another"]}, id="other applications'"),
        pytest.param({"iss": "https://evil.example.org"}, id="another IdM's"),
        pytest.param({"key": ANOTHER_KEY}, id="another key's"),
        pytest.param({"age": 66 * MINUTE}, id="an expired one"),
        pytest.param({"age": -6 * MINUTE}, id="one from the future"),
    ],
)
def test_an_id_token_that_is_not_for_us_does_not(idm: requests_mock.Mocker, wrong: dict[str, Any]) -> None:
    assert come_back(idm, **wrong) == 401


@pytest.mark.parametrize("id_token", ["", "garbage", "eyJhbGciOiJub25lIn0.e30.", 5, None])
def test_what_is_no_signed_id_token_does_not(idm: requests_mock.Mocker, client: Client, id_token: object) -> None:
    asked = begin(client)
    idm.post(METADATA["token_endpoint"], json=tokens_for(asked) | {"id_token": id_token})
    assert back_with(client, asked["state"]) in (401, 503)


def test_an_answer_without_an_id_token_does_not(idm: requests_mock.Mocker, client: Client) -> None:
    asked = begin(client)
    idm.post(METADATA["token_endpoint"], json={"access_token": "access", "token_type": "bearer"})
    assert back_with(client, asked["state"]) == 503


def test_a_code_and_a_state_work_once(idm: requests_mock.Mocker, client: Client) -> None:
    asked = begin(client)
    idm.post(METADATA["token_endpoint"], json=tokens_for(asked))
    other = Client(raise_request_exception=False)
    assert back_with(other, asked["state"]) == 401
    assert back_with(client, asked["state"]) == 302
    idm.post(METADATA["token_endpoint"], status_code=400, json={"error": "invalid_grant"})
    again = Client(raise_request_exception=False)
    assert back_with(again, begin(again)["state"]) == 401


@pytest.mark.parametrize("answer", [*STRANGE, {"json": {}}])
def test_a_discovery_that_is_none_is_a_503(idm: requests_mock.Mocker, client: Client, answer: dict[str, Any]) -> None:
    idm.get(DISCOVERY, **answer)
    refused = client.get("/sign-in/keyrock")
    assert refused.status_code == 503
    assert "The identity provider (FIWARE IdM) does not answer as it should" in refused.content.decode()


@pytest.mark.parametrize("answer", STRANGE)
@pytest.mark.parametrize(("method", "where"), [("GET", DISCOVERY), ("POST", "token_endpoint"), ("GET", "jwks_uri")])
def test_an_idm_that_is_away_when_somebody_comes_back_is_a_503(
    idm: requests_mock.Mocker, client: Client, method: str, where: str, answer: dict[str, Any]
) -> None:
    asked = begin(client)
    idm.post(METADATA["token_endpoint"], json=tokens_for(asked))
    idm.request(method, METADATA.get(where, where), **answer)
    assert back_with(client, asked["state"]) == 503


# Over a real socket


@pytest.mark.parametrize("answered", [0, 1, 2], ids=["discovery", "token", "keys"])
@pytest.mark.parametrize(
    ("behaviour", "timeout"),
    [(socket_server.drip, 2), (socket_server.flood, 60)],
    ids=["ends by the time-out", "ends by its size"],
)
def test_neither_the_pace_nor_the_length_of_an_answer_is_the_idms_choice(
    idm: requests_mock.Mocker, client: Client, settings: Settings, answered: int, behaviour: Behaviour, timeout: int
) -> None:
    settings.OPENSTACK_TIMEOUT = timeout
    asked = begin(client)
    with IdmServer() as server:
        own = {name: f"{server.url}/{name}" for name in ("token_endpoint", "jwks_uri")}
        settings.KEYROCK_OIDC_DISCOVERY_URL = f"{server.url}/discovery"
        documents = (METADATA | own, tokens_for(asked), KEYS)
        server.script = [*map(socket_server.answer, documents[:answered]), behaviour]
        idm.register_uri(requests_mock.ANY, requests_mock.ANY, real_http=True)
        assert back_with(client, asked["state"]) == 503
        assert len(server.requests) == answered + 1
