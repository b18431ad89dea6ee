"""What a Keystone token opens, and how long that is remembered."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import requests_mock
from django.core.cache import caches

from infrastructures.openstack.errors import CloudUnavailable, TokenRefused
from infrastructures.openstack.keystone import open_token
from testing.cloud import ENDPOINTS, NOVA, TOKEN, Cloud, assert_fit_for_strangers, token_document
from testing.infrastructures import make_region

VALIDATE = "GET /auth/tokens"
UNSCOPED = {"json": token_document(project=None), "headers": {"X-Subject-Token": "unscoped"}}


def rescoped(project: str) -> dict[str, Any]:
    return {"status_code": 201, "json": token_document(project=project), "headers": {"X-Subject-Token": "rescoped"}}


def test_a_scoped_token_is_used_as_it_is(cloud: Cloud) -> None:
    access = open_token(TOKEN, make_region())
    assert (access.token, access.project_id, access.compute) == (TOKEN, "p1", ENDPOINTS)
    assert access.expires_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert cloud.calls == [VALIDATE]
    headers = cloud.http.request_history[0].headers
    assert (headers["X-Auth-Token"], headers["X-Subject-Token"]) == (TOKEN, TOKEN)


def test_an_unscoped_token_is_scoped_to_the_default_project(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", UNSCOPED)
    cloud.keystone("POST", "/auth/tokens", rescoped("default"))
    access = open_token(TOKEN, make_region())
    assert (access.token, access.project_id, access.compute) == ("rescoped", "default", ENDPOINTS)
    assert cloud.calls == [VALIDATE, "POST /auth/tokens"]
    assert cloud.bodies == [{"auth": {"identity": {"methods": ["token"], "token": {"id": TOKEN}}}}]


def test_an_unscoped_token_without_a_default_is_scoped_to_the_first_enabled_project_by_name(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", UNSCOPED)
    cloud.keystone("POST", "/auth/tokens", UNSCOPED | {"status_code": 201}, rescoped("p-beta"))
    projects = [
        {"id": "p-gamma", "name": "gamma", "enabled": True},
        {"id": "p-beta", "name": "beta"},
        {"id": "p-alpha", "name": "alpha", "enabled": False},
    ]
    cloud.keystone("GET", "/auth/projects", {"json": {"projects": projects}})
    assert open_token(TOKEN, make_region()).project_id == "p-beta"
    assert cloud.calls == [VALIDATE, "POST /auth/tokens", "GET /auth/projects", "POST /auth/tokens"]
    assert cloud.bodies[-1]["auth"]["scope"] == {"project": {"id": "p-beta"}}


def test_a_token_without_any_project_opens_nothing(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", UNSCOPED)
    cloud.keystone("POST", "/auth/tokens", UNSCOPED | {"status_code": 201})
    cloud.keystone("GET", "/auth/projects", {"json": {"projects": []}})
    with pytest.raises(TokenRefused) as caught:
        open_token(TOKEN, make_region())
    assert_fit_for_strangers(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/v3", "/v3/", "/v2.0", "/v2.0/", "/identity", "/identity/v3/"])
def test_the_keystone_url_may_name_a_version_or_none(cloud: Cloud, path: str) -> None:
    root = "https://other.example.org" + ("/identity" if path.startswith("/identity") else "")
    cloud.http.get(f"{root}/v3/auth/tokens", json=token_document())
    open_token(TOKEN, make_region(keystone_url=f"https://other.example.org{path}"))
    assert [request.url for request in cloud.http.request_history] == [f"{root}/v3/auth/tokens"]


def test_only_public_endpoints_of_named_regions_are_known(cloud: Cloud) -> None:
    document = token_document(endpoints={"Spain2": NOVA, "Lannion2": "https://lannion.example.org/v2.1"})
    for endpoint in document["token"]["catalog"][0]["endpoints"]:
        if endpoint["region"] == "Lannion2":
            endpoint["region"] = endpoint["region_id"] = None
    cloud.keystone("GET", "/auth/tokens", {"json": document})
    assert open_token(TOKEN, make_region()).compute == ENDPOINTS


def test_a_scoped_token_without_a_catalogue_opens_no_region(cloud: Cloud) -> None:
    document = token_document()
    del document["token"]["catalog"]
    cloud.keystone("GET", "/auth/tokens", {"json": document})
    assert open_token(TOKEN, make_region()).compute == {}


# Remembering


def test_is_remembered_for_the_same_token_and_keystone_only(cloud: Cloud) -> None:
    cloud.http.get("https://mordor.example.org/v3/auth/tokens", json=token_document())
    region, mordor = make_region(), make_region(name="Mordor", keystone_url="https://mordor.example.org")
    assert open_token(TOKEN, region) == open_token(TOKEN, region)
    assert len(cloud.calls) == 1
    open_token("another", region)
    open_token(TOKEN, mordor)
    assert len(cloud.calls) == 3


def test_is_remembered_until_the_token_expires(cloud: Cloud) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=90)
    cloud.keystone("GET", "/auth/tokens", {"json": token_document(expires_at=expires_at.isoformat())})
    open_token(TOKEN, make_region())
    (forgotten_at,) = caches["keystone"]._expire_info.values()  # type: ignore[attr-defined]
    assert 60 < forgotten_at - time.time() <= 90


def test_an_expired_token_is_not_remembered(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", {"json": token_document(expires_at="2001-01-01T00:00:00Z")})
    open_token(TOKEN, make_region())
    open_token(TOKEN, make_region())
    assert cloud.calls == [VALIDATE, VALIDATE]


def test_no_key_of_the_cache_holds_the_token(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/detail?is_public=None", {"json": {"flavors": []}})
    cloud.open().list_flavors()
    keys = list(caches["keystone"]._cache)  # type: ignore[attr-defined]
    assert len(keys) == 2  # the token's and the endpoint's
    assert not [key for key in keys if TOKEN in key]


def test_a_refusal_is_not_remembered(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", {"status_code": 401, "json": {}}, {"json": token_document()})
    with pytest.raises(TokenRefused):
        open_token(TOKEN, make_region())
    assert open_token(TOKEN, make_region()).project_id == "p1"


def test_is_forgotten_when_nova_refuses_the_token(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/detail?is_public=None", {"status_code": 401, "json": {}})
    nova = cloud.open()
    with pytest.raises(TokenRefused) as caught:
        nova.list_flavors()
    assert_fit_for_strangers(caught.value)
    cloud.open()
    cloud.http.reset_mock()
    with pytest.raises(TokenRefused):
        nova.list_flavors()
    open_token(TOKEN, make_region())
    assert cloud.calls == ["GET /flavors/detail?is_public=None", VALIDATE]


# Refusals and failures


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_bad_token_is_refused(cloud: Cloud, status: int) -> None:
    error = {"error": {"code": status, "message": f"Could not find token {TOKEN} at https://keystone.example.org:5000"}}
    headers = {"X-Openstack-Request-Id": "req-00000000-0000-4000-8000-000000000007"}
    cloud.keystone("GET", "/auth/tokens", {"status_code": status, "json": error, "headers": headers})
    with pytest.raises(TokenRefused) as caught:
        open_token(TOKEN, make_region())
    assert_fit_for_strangers(caught.value)
    assert caught.value.request_id == "req-00000000-0000-4000-8000-000000000007"
    assert not caught.value.retryable


def test_a_token_that_may_not_be_rescoped_is_refused(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", UNSCOPED)
    cloud.keystone("POST", "/auth/tokens", {"status_code": 403, "json": {"error": {"message": "no rescoping"}}})
    with pytest.raises(TokenRefused):
        open_token(TOKEN, make_region())


def test_a_token_of_more_than_8000_characters_is_refused_unasked(cloud: Cloud) -> None:
    open_token("x" * 8000, make_region())
    with pytest.raises(TokenRefused):
        open_token("x" * 8001, make_region())
    assert len(cloud.calls) == 1


NOT_OPENSTACK = "its Keystone did not answer as OpenStack does."
SHAPES: list[Any] = [
    None,
    [],
    ["token"],
    "token",
    1,
    {},
    {"token": None},
    {"token": []},
    {"token": "abc"},
    {"token": {"project": "p1"}},
    {"token": {"project": {"id": "p1"}}},
    {"token": {"project": {"id": "p1"}, "expires_at": "soon"}},
    {"token": {"project": {"id": "p1"}, "expires_at": 5}},
    {"token": {"project": {"id": "p1"}, "expires_at": "2099-01-01T00:00:00Z", "catalog": [1]}},
]
FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"status_code": 500, "json": {"error": {"message": "at 10.0.0.1:3306"}}}, "its Keystone answered 500."),
    ({"status_code": 503, "text": "<html>down</html>"}, "its Keystone answered 503."),
    ({"status_code": 429, "json": []}, "its Keystone answered 429."),
    ({"status_code": 302, "headers": {"Location": "https://elsewhere.example.org"}}, NOT_OPENSTACK),
    ({"text": "<html>welcome</html>", "headers": {"Content-Type": "text/html"}}, NOT_OPENSTACK),
    ({"text": ""}, NOT_OPENSTACK),
    ({"text": "[" * 100_000}, NOT_OPENSTACK),
    ({"content": b'{"token": "\xff"}'}, NOT_OPENSTACK),
    ({"exc": requests.exceptions.ConnectionError("http://10.0.0.1:5000")}, "its Keystone could not be reached."),
    ({"exc": requests.exceptions.ChunkedEncodingError}, "its Keystone could not be reached."),
    ({"exc": requests.exceptions.ConnectTimeout}, "its Keystone did not take a connection in time."),
    ({"exc": requests.exceptions.ReadTimeout}, "its Keystone did not answer in time."),
    (
        {"exc": requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED")},
        "its Keystone shows no TLS certificate that can be trusted.",
    ),
]


@pytest.mark.parametrize(("answer", "message"), [*FAILURES, *(({"json": shape}, NOT_OPENSTACK) for shape in SHAPES)])
def test_whatever_fails_is_said_without_addresses(cloud: Cloud, answer: dict[str, Any], message: str) -> None:
    cloud.http.register_uri(requests_mock.ANY, requests_mock.ANY, **answer)
    with pytest.raises(CloudUnavailable) as caught:
        open_token(TOKEN, make_region())
    assert_fit_for_strangers(caught.value)
    assert str(caught.value.detail) == f"Spain2: {message}"
    assert caught.value.status_code == 502


@pytest.mark.parametrize("shape", SHAPES)
def test_an_odd_answer_to_rescoping_is_said_too(cloud: Cloud, shape: object) -> None:
    cloud.keystone("GET", "/auth/tokens", UNSCOPED)
    answer = {"status_code": 201, "json": shape, "headers": {"X-Subject-Token": "rescoped"}}
    cloud.keystone("POST", "/auth/tokens", answer)
    cloud.keystone("GET", "/auth/projects", {"json": shape})
    with pytest.raises(CloudUnavailable) as caught:
        open_token(TOKEN, make_region())
    assert str(caught.value.detail) == f"Spain2: {NOT_OPENSTACK}"


def test_without_a_keystone_nothing_is_asked(cloud: Cloud) -> None:
    with pytest.raises(CloudUnavailable, match="Spain2: no Keystone is configured"):
        open_token(TOKEN, make_region(keystone_url=""))
    assert cloud.calls == []


def test_a_token_is_in_no_repr(cloud: Cloud) -> None:
    assert TOKEN not in repr(open_token(TOKEN, make_region()))
