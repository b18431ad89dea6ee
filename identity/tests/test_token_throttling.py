"""How many tokens that the IdM refuses an address may send."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests_mock
from pytest_django import Settings
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from testing.accounts import KEYROCK_URL, PASSWORD, make_account, make_answer

VALID = "the-right-one"


@pytest.fixture(autouse=True)
def _low_rate(settings: Settings) -> None:
    settings.TOKEN_ADDRESS_FAILURE_RATE = "3/hour"


@pytest.fixture
def idm(requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    """An IdM that knows one token."""
    requests_mock.get(f"{KEYROCK_URL}/user", status_code=401, json="Invalid token")
    requests_mock.get(f"{KEYROCK_URL}/user?access_token={VALID}", json=make_answer())
    return requests_mock


def ask(token: str, **meta: Any) -> Any:
    return APIClient().get("/protected", HTTP_X_AUTH_TOKEN=token, **meta)


def statuses(times: int, **meta: Any) -> list[int]:
    """Send wrong tokens, another one each time, and return what they are answered."""
    return [ask(f"wrong-{number}", **meta).status_code for number in range(times)]


def test_the_idm_is_not_asked_about_more_wrong_tokens_than_that(idm: requests_mock.Mocker) -> None:
    assert statuses(10) == [401] * 3 + [429] * 7
    assert idm.call_count == 3


def test_says_when_to_come_back(idm: requests_mock.Mocker) -> None:
    statuses(3)
    refused = ask("wrong")
    assert 3500 < int(refused["Retry-After"]) <= 3600
    assert "Too many invalid tokens." in refused.json()["error"]["message"]
    in_xml = ask("wrong", HTTP_ACCEPT="application/xml")
    assert (in_xml.status_code, in_xml["Content-Type"]) == (429, "application/xml; charset=utf-8")
    assert "Too many invalid tokens" in (ET.fromstring(in_xml.content).findtext("message") or "")


def test_a_remembered_token_gets_in_all_the_same(idm: requests_mock.Mocker) -> None:
    assert ask(VALID).status_code == 200
    assert statuses(4)[-1] == 429
    assert ask(VALID).status_code == 200


def test_one_that_would_have_to_be_asked_about_waits_too(idm: requests_mock.Mocker) -> None:
    statuses(3)
    assert ask(VALID).status_code == 429
    assert idm.call_count == 3


def test_valid_tokens_do_not_count(idm: requests_mock.Mocker, settings: Settings) -> None:
    settings.KEYROCK_CACHE_SECONDS = 0
    assert [ask(VALID).status_code for _ in range(6)] == [200] * 6
    assert idm.call_count == 6


@pytest.mark.parametrize("answer", [{"status_code": 500}, {"exc": ConnectionError}, {"text": "<html>"}])
def test_an_idm_that_is_down_does_not_count(requests_mock: requests_mock.Mocker, answer: dict[str, Any]) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", **answer)
    assert statuses(6) == [503] * 6
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer())
    assert ask(VALID).status_code == 200


@pytest.mark.parametrize("token", ["", "x" * 8_001])
def test_what_the_idm_is_not_asked_about_does_not_count(idm: requests_mock.Mocker, token: str) -> None:
    assert [ask(token).status_code for _ in range(6)] == [401] * 6
    assert ask(VALID).status_code == 200


def test_each_address_is_counted_for_itself(idm: requests_mock.Mocker) -> None:
    assert statuses(4, REMOTE_ADDR="192.0.2.1")[-1] == 429
    assert ask(VALID, REMOTE_ADDR="192.0.2.2").status_code == 200


def test_a_client_cannot_write_its_own_address(idm: requests_mock.Mocker) -> None:
    answers = [ask("wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}").status_code for number in range(4)]
    assert answers == [401] * 3 + [429]


def test_a_trusted_proxy_says_who_is_behind_it(idm: requests_mock.Mocker, settings: Settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    assert statuses(4, HTTP_X_FORWARDED_FOR="203.0.113.1, 192.0.2.1")[-1] == 429
    assert ask(VALID, HTTP_X_FORWARDED_FOR="203.0.113.1, 192.0.2.2").status_code == 200


def test_an_unknown_address_is_not_everybodys(idm: requests_mock.Mocker) -> None:
    assert statuses(6, REMOTE_ADDR="") == [401] * 6


def test_a_closed_address_opens_again(idm: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(4)[-1] == 429
    now = SimpleRateThrottle.timer()
    monkeypatch.setattr(SimpleRateThrottle, "timer", staticmethod(lambda: now + 3601))
    assert ask(VALID).status_code == 200


def test_without_a_rate_there_is_no_limit(idm: requests_mock.Mocker, settings: Settings) -> None:
    settings.TOKEN_ADDRESS_FAILURE_RATE = ""
    assert statuses(6) == [401] * 6


@pytest.mark.django_db
def test_wrong_tokens_and_wrong_passwords_are_counted_apart(idm: requests_mock.Mocker) -> None:
    make_account("operator")
    assert statuses(4)[-1] == 429
    assert APIClient().get("/protected", HTTP_USER="operator", HTTP_PASSWORD=PASSWORD).status_code == 200
