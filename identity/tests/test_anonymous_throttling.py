"""How often an address may ask without any credential."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests_mock
from pytest_django import Settings
from rest_framework.test import APIClient

from testing.accounts import KEYROCK_URL, PASSWORD, make_account, make_answer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _low_rate(settings: Settings) -> None:
    settings.ANONYMOUS_RATE = "3/min"


def ask(path: str = "/open", **meta: Any) -> Any:
    return APIClient().get(path, **meta)


def statuses(times: int, **meta: Any) -> list[int]:
    return [ask(**meta).status_code for _ in range(times)]


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    assert statuses(3) == [200] * 3
    answer = ask()
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert "throttled" in answer.json()["error"]["message"]


def test_in_xml_too() -> None:
    statuses(3)
    answer = ask(headers={"Accept": "application/xml"})
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/xml; charset=utf-8")
    assert "throttled" in (ET.fromstring(answer.content).findtext("message") or "")


def test_each_address_is_counted_for_itself() -> None:
    assert statuses(4, REMOTE_ADDR="192.0.2.1") == [200, 200, 200, 429]
    assert statuses(1, REMOTE_ADDR="192.0.2.2") == [200]


def test_nobody_can_write_their_own_address() -> None:
    assert [ask(HTTP_X_FORWARDED_FOR=f"192.0.2.{n}").status_code for n in range(4)] == [200, 200, 200, 429]


def test_behind_a_local_socket_without_a_proxy_nobody_is_everybody() -> None:
    assert statuses(5, REMOTE_ADDR="") == [200] * 5


def test_who_is_known_is_not_counted(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer())
    make_account("operator")
    statuses(4)
    assert statuses(5, HTTP_X_AUTH_TOKEN="abc") == [200] * 5
    assert statuses(5, HTTP_USER="operator", HTTP_PASSWORD=PASSWORD) == [200] * 5


def test_what_is_refused_anyway_is_not_counted() -> None:
    assert [ask("/protected").status_code for _ in range(5)] == [401] * 5
    assert statuses(1) == [200]


def test_without_a_rate_there_is_no_limit(settings: Settings) -> None:
    settings.ANONYMOUS_RATE = ""
    assert statuses(10) == [200] * 10
