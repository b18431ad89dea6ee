"""Repeated failures of local accounts, by account and by address."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from identity.tests.hashers import CountingHasher
from testing.accounts import PASSWORD, make_account

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _low_rates(settings: Settings) -> None:
    settings.LOCAL_ACCOUNT_FAILURE_RATE = "3/hour"
    settings.LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE = "5/hour"
    make_account("operator")
    make_account("other")


def sign_in(username: str, password: str, **meta: Any) -> Any:
    return APIClient().get("/open", HTTP_USER=username, HTTP_PASSWORD=password, **meta)


def statuses(username: str, password: str, times: int, **meta: Any) -> list[int]:
    return [sign_in(username, password, **meta).status_code for _ in range(times)]


def from_address(number: int) -> dict[str, str]:
    return {"REMOTE_ADDR": f"192.0.2.{number}"}


@pytest.mark.parametrize("username", ["operator", "nobody", "no\0body"])
def test_an_account_is_closed_after_too_many_failures_from_wherever(username: str) -> None:
    assert [sign_in(username, "wrong", **from_address(n)).status_code for n in range(4)] == [401, 401, 401, 429]


def test_says_when_to_come_back() -> None:
    statuses("operator", "wrong", 3)
    response = sign_in("operator", "wrong")
    assert 3500 < int(response["Retry-After"]) <= 3600
    assert "Too many failed sign-ins" in response.json()["error"]["message"]


def test_nothing_is_hashed_for_a_closed_account(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["identity.tests.hashers.CountingHasher", *settings.PASSWORD_HASHERS]
    statuses("operator", "wrong", 3)
    CountingHasher.runs = 0
    assert sign_in("operator", PASSWORD).status_code == 429
    assert CountingHasher.runs == 0


def test_an_address_is_closed_after_failures_of_many_accounts() -> None:
    assert [sign_in(f"guess{n}", "wrong").status_code for n in range(6)] == [401] * 5 + [429]
    assert sign_in("operator", PASSWORD).status_code == 429
    assert sign_in("operator", PASSWORD, **from_address(7)).status_code == 200


def test_another_account_stays_open() -> None:
    assert statuses("operator", "wrong", 4)[-1] == 429
    assert sign_in("other", PASSWORD).status_code == 200


def test_a_remembered_password_gets_in_all_the_same() -> None:
    assert sign_in("operator", PASSWORD).status_code == 200
    assert statuses("operator", "wrong", 4)[-1] == 429
    assert sign_in("operator", PASSWORD).status_code == 200


def test_right_passwords_do_not_count() -> None:
    assert statuses("operator", PASSWORD, 8) == [200] * 8


def test_right_passwords_do_not_count_when_hashed_either(settings: Settings) -> None:
    settings.LOCAL_ACCOUNT_CACHE_SECONDS = 0
    assert statuses("operator", PASSWORD, 8) == [200] * 8


def test_a_success_clears_nothing() -> None:
    assert statuses("operator", "wrong", 2) == [401, 401]
    assert sign_in("operator", PASSWORD).status_code == 200
    assert statuses("operator", "wrong", 2) == [401, 429]


def test_a_closed_account_opens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses("operator", "wrong", 4)[-1] == 429
    now = SimpleRateThrottle.timer()
    monkeypatch.setattr(SimpleRateThrottle, "timer", staticmethod(lambda: now + 3601))
    assert sign_in("operator", PASSWORD).status_code == 200


@pytest.mark.parametrize("off", ["LOCAL_ACCOUNT_FAILURE_RATE", "LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE"])
def test_either_limit_can_be_turned_off(settings: Settings, off: str) -> None:
    setattr(settings, off, "")
    allowed = 5 if off == "LOCAL_ACCOUNT_FAILURE_RATE" else 3
    assert statuses("operator", "wrong", 6) == [401] * allowed + [429] * (6 - allowed)


def test_an_unknown_address_is_not_everybodys(settings: Settings) -> None:
    settings.LOCAL_ACCOUNT_FAILURE_RATE = ""
    assert statuses("operator", "wrong", 7, REMOTE_ADDR="") == [401] * 7


def test_a_client_cannot_write_its_own_address() -> None:
    answers = [sign_in(f"guess{n}", "wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}").status_code for n in range(6)]
    assert answers == [401] * 5 + [429]


def test_a_trusted_proxy_says_who_is_behind_it(settings: Settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    forged = {"HTTP_X_FORWARDED_FOR": "203.0.113.1, 192.0.2.1"}
    assert [sign_in(f"guess{n}", "wrong", **forged).status_code for n in range(6)] == [401] * 5 + [429]
    assert sign_in("operator", PASSWORD, HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2").status_code == 200


def test_malformed_credentials_are_not_failures_of_an_account() -> None:
    answers = [APIClient().get("/open", HTTP_USER="operator").status_code for _ in range(6)]
    assert answers == [401] * 6
    assert sign_in("operator", PASSWORD).status_code == 200
