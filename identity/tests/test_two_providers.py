"""Keyrock and Keystone at once: who is asked about a token, and what comes of what they say."""

from typing import Any

import pytest
import requests_mock
from pytest_django import Settings
from rest_framework.test import APIClient

from testing.accounts import FERNET, KEYROCK_URL, KEYSTONE_URL, keystone_error, make_answer, make_keystone_token

KEYROCKS = "b3c1f2a0d4e5968778695a4b3c2d1e0f12345678"
ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "valid": ({"json": make_answer()}, {"json": make_keystone_token()}),
    "refused": ({"status_code": 401, "json": "Invalid"}, {"status_code": 401, "json": keystone_error(401, "No")}),
    "silent": ({"status_code": 500}, {"status_code": 500}),
}


@pytest.fixture(autouse=True)
def _both(settings: Settings) -> None:
    settings.KEYSTONE_URL = KEYSTONE_URL
    settings.KEYSTONE_IDENTITY = True


def ask(http: requests_mock.Mocker, token: str, keyrock: str, keystone: str) -> tuple[int, str, list[str]]:
    """Return the status, who it is, and who was asked, when the two answer so."""
    http.get(f"{KEYROCK_URL}/user", **ANSWERS[keyrock][0])
    http.get(f"{KEYSTONE_URL}/auth/tokens", **ANSWERS[keystone][1])
    answer = APIClient().get("/open", HTTP_X_AUTH_TOKEN=token)
    hosts = [request.hostname.partition(".")[0] for request in http.request_history]
    return answer.status_code, answer.json().get("username", ""), hosts


@pytest.mark.parametrize(
    ("token", "keyrock", "keystone", "expected"),
    [
        (FERNET, "refused", "valid", (200, "frodo@Default", ["keystone"])),
        (FERNET, "valid", "refused", (200, "basic", ["keystone", "idm"])),
        (FERNET, "silent", "valid", (200, "frodo@Default", ["keystone"])),
        (FERNET, "refused", "refused", (401, "", ["keystone", "idm"])),
        (FERNET, "refused", "silent", (503, "", ["keystone", "idm"])),
        (FERNET, "silent", "refused", (503, "", ["keystone", "idm"])),
        (KEYROCKS, "valid", "refused", (200, "basic", ["idm"])),
        (KEYROCKS, "refused", "valid", (200, "frodo@Default", ["idm", "keystone"])),
        (KEYROCKS, "valid", "silent", (200, "basic", ["idm"])),
        (KEYROCKS, "silent", "valid", (200, "frodo@Default", ["idm", "keystone"])),
        (KEYROCKS, "refused", "silent", (503, "", ["idm", "keystone"])),
        (KEYROCKS, "silent", "silent", (503, "", ["idm", "keystone"])),
    ],
)
def test_the_one_that_the_form_points_to_is_asked_first(
    requests_mock: requests_mock.Mocker, token: str, keyrock: str, keystone: str, expected: tuple[int, str, list[str]]
) -> None:
    assert ask(requests_mock, token, keyrock, keystone) == expected


def test_a_token_that_the_second_knows_is_remembered_too(requests_mock: requests_mock.Mocker) -> None:
    ask(requests_mock, KEYROCKS, "refused", "valid")
    assert ask(requests_mock, KEYROCKS, "refused", "valid")[2] == ["idm", "keystone"]


def test_a_token_that_both_refuse_is_one_wrong_token(requests_mock: requests_mock.Mocker, settings: Settings) -> None:
    settings.TOKEN_ADDRESS_FAILURE_RATE = "2/hour"
    assert [ask(requests_mock, f"{KEYROCKS}{n}", "refused", "refused")[0] for n in range(3)] == [401, 401, 429]
