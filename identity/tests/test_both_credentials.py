"""A token and a local account in one request: both are verified, the token's user is the caller."""

import base64
from typing import Any

import pytest
import requests_mock
from rest_framework.test import APIClient

from testing.accounts import KEYROCK_URL, PASSWORD, make_account, make_answer

pytestmark = pytest.mark.django_db

BASIC: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(f'operator:{PASSWORD}'.encode()).decode()}"}
WRONG_BASIC: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(b'operator:wrong').decode()}"}


@pytest.fixture(autouse=True)
def idm(requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    make_account()
    requests_mock.get(f"{KEYROCK_URL}/user", status_code=401)
    requests_mock.get(f"{KEYROCK_URL}/user?access_token=right", json=make_answer())
    requests_mock.get(f"{KEYROCK_URL}/user?access_token=silent", status_code=500)
    return requests_mock


@pytest.mark.parametrize("path", ["/open", "/protected"])
@pytest.mark.parametrize(
    ("token", "account", "status"),
    [
        ("right", BASIC, 200),
        ("right", WRONG_BASIC, 401),
        ("wrong", BASIC, 401),
        ("wrong", WRONG_BASIC, 401),
        ("silent", BASIC, 503),
        ("silent", WRONG_BASIC, 503),
    ],
)
def test_every_credential_must_be_right(path: str, token: str, account: dict[str, Any], status: int) -> None:
    response = APIClient().get(path, HTTP_X_AUTH_TOKEN=token, **account)
    assert response.status_code == status


def test_the_tokens_user_is_the_caller() -> None:
    response = APIClient().get("/open", HTTP_X_AUTH_TOKEN="right", **BASIC)
    assert response.json() == {"kind": "TokenUser", "username": "basic"}


def test_two_authorization_headers_are_not_half_read(idm: requests_mock.Mocker) -> None:
    joined = f"Bearer right,{BASIC['HTTP_AUTHORIZATION']}"
    assert APIClient().get("/open", HTTP_AUTHORIZATION=joined).status_code == 400
    joined = f"{BASIC['HTTP_AUTHORIZATION']},Bearer right"
    assert APIClient().get("/open", HTTP_AUTHORIZATION=joined).status_code == 401
    assert idm.call_count == 0


def test_a_session_of_the_admin_site_is_no_credential() -> None:
    client = APIClient()
    assert client.login(username="operator", password=PASSWORD)
    assert client.get("/open").json()["kind"] == "AnonymousUser"
    assert client.get("/protected").status_code == 401
