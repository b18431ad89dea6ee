"""What the IdM's answers mean: valid, refused, or no answer at all."""

from typing import Any

import pytest
import requests
import requests_mock
from pytest_django import Settings
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.errors import ServiceUnavailable
from identity import tokens
from testing.accounts import APP_ID, KEYROCK_URL, make_answer, make_role

OTHER_APP_ID = "e1e1e1e1-0000-4000-8000-000000000000"


def test_a_valid_token_is_its_user(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer(roles=[make_role("InfrastructureManager")]))
    user = tokens.validate("t")
    assert (user.username, user.roles) == ("basic", frozenset({"InfrastructureManager"}))


@pytest.mark.parametrize(
    ("app_ids", "answered"),
    [
        ([APP_ID], APP_ID),
        ([OTHER_APP_ID, APP_ID], APP_ID),
        ([], OTHER_APP_ID),
        ([], None),
    ],
)
def test_accepts_tokens_of_the_configured_applications(
    requests_mock: requests_mock.Mocker, settings: Settings, app_ids: list[str], answered: str | None
) -> None:
    settings.KEYROCK_APP_IDS = app_ids
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer(app_id=answered))
    assert tokens.validate("t").username == "basic"


@pytest.mark.parametrize("app_ids", [[APP_ID], [APP_ID, "another"]])
@pytest.mark.parametrize("answered", [OTHER_APP_ID, "", None, APP_ID.upper(), APP_ID[:-1], [APP_ID], {APP_ID: 1}, 5])
def test_refuses_tokens_of_any_other_application(
    requests_mock: requests_mock.Mocker, settings: Settings, app_ids: list[str], answered: object
) -> None:
    settings.KEYROCK_APP_IDS = app_ids
    requests_mock.get(
        f"{KEYROCK_URL}/user", json=make_answer(app_id=answered, roles=[make_role("InfrastructureManager")])
    )
    with pytest.raises(AuthenticationFailed):
        tokens.validate("t")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"app_id": APP_ID}, id="a machine's"),
        pytest.param(make_answer(id=""), id="empty"),
        pytest.param(make_answer(id="  "), id="blank"),
        pytest.param(make_answer(id=None), id="null"),
        pytest.param(make_answer(id=7), id="number"),
        pytest.param(make_answer(id=["7"]), id="list"),
    ],
)
def test_refuses_tokens_without_a_person(requests_mock: requests_mock.Mocker, document: dict[str, Any]) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", json=document)
    with pytest.raises(AuthenticationFailed):
        tokens.validate("t")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 499])
@pytest.mark.parametrize("body", ['"Invalid token: access token has expired"', "", "<html>"])
def test_any_4xx_refuses(requests_mock: requests_mock.Mocker, status: int, body: str) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", status_code=status, text=body)
    with pytest.raises(AuthenticationFailed):
        tokens.validate("t")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status_code": 500, "json": make_answer()}, id="500"),
        pytest.param({"status_code": 503, "text": "busy"}, id="503"),
        pytest.param({"status_code": 204}, id="204"),
        pytest.param({"status_code": 302, "headers": {"Location": f"{KEYROCK_URL}/elsewhere"}}, id="redirect"),
        pytest.param({"status_code": 304, "json": make_answer()}, id="304"),
        pytest.param({"text": "<html>", "headers": {"Content-Type": "text/html; charset=utf-8"}}, id="a web page"),
        pytest.param({"json": make_answer(), "headers": {"Content-Type": "TEXT/HTML"}}, id="JSON called a web page"),
        pytest.param({"text": ""}, id="empty"),
        pytest.param({"text": "[]"}, id="list"),
        pytest.param({"text": '"text"'}, id="string"),
        pytest.param({"text": "null"}, id="null"),
        pytest.param({"text": '{"id": "1"'}, id="cut off"),
        pytest.param({"content": b'{"id": "\xff"}'}, id="not UTF-8"),
        pytest.param({"text": "[" * 200_000}, id="deep"),
        pytest.param({"text": '{"id":' + "9" * 10_000 + "}"}, id="huge number"),
        pytest.param({"exc": requests.ConnectionError("no such host")}, id="DNS"),
        pytest.param({"exc": requests.ConnectTimeout()}, id="connect time-out"),
        pytest.param({"exc": requests.ReadTimeout()}, id="read time-out"),
        pytest.param({"exc": requests.exceptions.SSLError()}, id="TLS"),
        pytest.param({"exc": requests.exceptions.ChunkedEncodingError()}, id="broken encoding"),
    ],
)
def test_anything_else_is_no_answer(requests_mock: requests_mock.Mocker, answer: dict[str, Any]) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", **answer)
    elsewhere = requests_mock.get(f"{KEYROCK_URL}/elsewhere", json=make_answer())
    with pytest.raises(ServiceUnavailable) as caught:
        tokens.validate("t")
    assert caught.value.wait > 0
    assert requests_mock.call_count == 1
    assert not elsewhere.called


@pytest.mark.parametrize("url", ["idm.example.org", "ftp://idm.example.org", "http://", "http://a..b", "http://[::1"])
def test_a_url_that_is_none_is_no_answer(settings: Settings, url: str) -> None:
    settings.KEYROCK_URL = url
    with pytest.raises(ServiceUnavailable):
        tokens.validate("t")
