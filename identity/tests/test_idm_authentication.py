"""IdM tokens in requests: where they come from, and the four outcomes."""

from typing import Any

import pytest
import requests_mock
from rest_framework.test import APIClient

from testing.accounts import KEYROCK_URL, make_answer


@pytest.fixture
def idm(requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer())
    return requests_mock


def asked_about(idm: requests_mock.Mocker) -> list[str]:
    return [request.url.partition("access_token=")[2].partition("&")[0] for request in idm.request_history]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("", {"HTTP_X_AUTH_TOKEN": "abc"}, id="header"),
        pytest.param("", {"HTTP_X_AUTH_TOKEN": "  abc "}, id="header with spaces"),
        pytest.param("", {"HTTP_AUTHORIZATION": "Bearer abc"}, id="bearer"),
        pytest.param("", {"HTTP_AUTHORIZATION": "bEARER   abc"}, id="bearer in any case"),
        pytest.param("?access_token=abc", {}, id="query"),
        pytest.param("?access_token=%61bc", {}, id="query, encoded"),
        pytest.param("?access_token=abc&access_token=abc", {}, id="query, twice the same"),
        pytest.param("", {"HTTP_X_AUTH_TOKEN": "abc,abc"}, id="header, twice the same"),
        pytest.param("", {"HTTP_AUTHORIZATION": "Bearer abc,Bearer abc"}, id="bearer, twice the same"),
        pytest.param(
            "?access_token=abc",
            {"HTTP_X_AUTH_TOKEN": "abc", "HTTP_AUTHORIZATION": "Bearer abc"},
            id="everywhere the same",
        ),
    ],
)
def test_the_token_may_come_in_three_ways(idm: requests_mock.Mocker, query: str, headers: dict[str, Any]) -> None:
    response = APIClient().get(f"/protected{query}", **headers)
    assert (response.status_code, response.json()) == (200, {"kind": "TokenUser", "username": "basic"})
    assert asked_about(idm) == ["abc"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("?access_token=a", {"HTTP_X_AUTH_TOKEN": "b"}, id="header and query"),
        pytest.param("", {"HTTP_AUTHORIZATION": "Bearer a", "HTTP_X_AUTH_TOKEN": "b"}, id="header and bearer"),
        pytest.param("?access_token=a", {"HTTP_AUTHORIZATION": "Bearer b"}, id="bearer and query"),
        pytest.param("?access_token=a&access_token=b", {}, id="query twice"),
        pytest.param("", {"HTTP_X_AUTH_TOKEN": "a,b"}, id="header twice"),
        pytest.param("", {"HTTP_X_AUTH_TOKEN": "a, b"}, id="header twice, with a space"),
        pytest.param("", {"HTTP_AUTHORIZATION": "Bearer a,Bearer b"}, id="bearer twice"),
        pytest.param("?access_token=", {"HTTP_X_AUTH_TOKEN": "b"}, id="one of them empty"),
        pytest.param("?access_token=A", {"HTTP_X_AUTH_TOKEN": "a"}, id="another case"),
    ],
)
@pytest.mark.parametrize("path", ["/open", "/protected"])
def test_two_different_tokens_are_a_bad_request(
    idm: requests_mock.Mocker, path: str, query: str, headers: dict[str, Any]
) -> None:
    response = APIClient().get(f"{path}{query}", **headers)
    assert response.status_code == 400
    assert "two different tokens" in response.json()["error"]["message"]
    assert asked_about(idm) == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"HTTP_X_AUTH_TOKEN_KEYSTONE": "keystone"}, id="a Keystone token"),
        pytest.param({"HTTP_AUTHORIZATION": 'Digest username="a", realm="b"'}, id="another scheme"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearerabc"}, id="another word"),
        pytest.param({"HTTP_AUTHORIZATION": ""}, id="empty"),
    ],
)
def test_what_is_not_a_token_is_left_alone(idm: requests_mock.Mocker, headers: dict[str, Any]) -> None:
    anybody = APIClient().get("/open", **headers)
    assert (anybody.status_code, anybody.json()["kind"]) == (200, "AnonymousUser")
    refused = APIClient().get("/protected", **headers)
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == 'Bearer realm="Flavor Sync", Basic realm="Flavor Sync", charset="UTF-8"'
    assert asked_about(idm) == []


@pytest.mark.parametrize("path", ["/open", "/protected"])
@pytest.mark.parametrize("token", ["wrong", "", " ", "a" * 8_001])
def test_a_wrong_token_is_refused_even_where_none_is_needed(
    requests_mock: requests_mock.Mocker, path: str, token: str
) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", status_code=401, json="Invalid token")
    response = APIClient().get(path, HTTP_X_AUTH_TOKEN=token)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer ")
    assert response.json() == {"error": {"message": "The token is not valid."}}


@pytest.mark.parametrize("header", ["Bearer", "Bearer "])
def test_a_bearer_without_a_token_is_refused(idm: requests_mock.Mocker, header: str) -> None:
    assert APIClient().get("/open", HTTP_AUTHORIZATION=header).status_code == 401
    assert asked_about(idm) == []


@pytest.mark.parametrize("path", ["/open", "/protected"])
def test_a_silent_provider_is_neither_yes_nor_no(requests_mock: requests_mock.Mocker, path: str) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", status_code=500)
    response = APIClient().get(path, HTTP_X_AUTH_TOKEN="abc")
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "identity provider" in response.json()["error"]["message"]


@pytest.mark.parametrize(("variable", "prefix"), [("HTTP_X_AUTH_TOKEN", ""), ("QUERY_STRING", "access_token=")])
def test_the_bytes_sent_are_asked_about_as_they_are(idm: requests_mock.Mocker, variable: str, prefix: str) -> None:
    sent: dict[str, Any] = {variable: prefix + "zażółć".encode().decode("latin-1")}  # as WSGI hands bytes over
    assert APIClient().get("/protected", **sent).status_code == 200
    assert asked_about(idm) == ["za%C5%BC%C3%B3%C5%82%C4%87"]


def test_bytes_that_are_not_utf8_are_asked_about_as_latin_1(idm: requests_mock.Mocker) -> None:
    assert APIClient().get("/protected", HTTP_X_AUTH_TOKEN="\xff").status_code == 200
    assert asked_about(idm) == ["%C3%BF"]
