"""Signing in to the admin site, and guessing at it."""

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from testing.accounts import PASSWORD, make_account

pytestmark = pytest.mark.django_db

PAGE = "/admin/login/"


@pytest.fixture(autouse=True)
def _low_rates(settings: Settings) -> None:
    settings.ROOT_URLCONF = "flavorsync_project.urls"
    settings.LOCAL_ACCOUNT_FAILURE_RATE = "3/hour"
    settings.LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE = "5/hour"
    make_account("staff", is_staff=True)


def sign_in(username: str, password: str, client: Client | None = None, **meta: Any) -> Any:
    return (client or Client()).post(PAGE, {"username": username, "password": password}, **meta)


def is_in(answer: Any) -> bool:
    return bool(answer.status_code == 302 and "sessionid" in answer.cookies)


def says(answer: Any) -> str:
    (message,) = answer.context["form"].non_field_errors()
    return str(message)


def test_staff_get_in_with_the_right_password() -> None:
    client = Client()
    assert is_in(sign_in("staff", PASSWORD, client))
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("username", "password"), [("staff", "wrong"), ("nobody", PASSWORD), ("", ""), ("no\0one", "x")]
)
def test_nobody_else_does(username: str, password: str) -> None:
    answer = sign_in(username, password)
    assert answer.status_code == 200
    assert not answer.cookies.get("sessionid")


def test_an_account_without_the_right_to_the_pages_does_not() -> None:
    make_account("operator")
    assert "staff account" in says(sign_in("operator", PASSWORD))


def test_a_closed_account_does_not() -> None:
    make_account("former", is_staff=True, is_active=False)
    assert not is_in(sign_in("former", PASSWORD))


def test_guessing_at_an_account_ends_soon_from_wherever() -> None:
    for number in range(3):
        assert "Please enter the correct" in says(sign_in("staff", "wrong", REMOTE_ADDR=f"192.0.2.{number}"))
    answer = sign_in("staff", PASSWORD, REMOTE_ADDR="192.0.2.9")
    assert not is_in(answer)
    assert says(answer) == "Too many failed sign-ins. Try again in 60 minutes."


def test_guessing_at_many_accounts_ends_soon_from_one_address() -> None:
    for number in range(5):
        assert not is_in(sign_in(f"guess{number}", "wrong", REMOTE_ADDR="192.0.2.1"))
    assert "Too many" in says(sign_in("staff", PASSWORD, REMOTE_ADDR="192.0.2.1"))
    assert is_in(sign_in("staff", PASSWORD, REMOTE_ADDR="192.0.2.2"))


def test_guesses_at_the_page_and_at_the_api_count_together() -> None:
    for _ in range(2):
        sign_in("staff", "wrong")
    guess = {"user": "staff", "password": "wrong"}
    assert [APIClient().get("/v1/regions", headers=guess).status_code for _ in range(2)] == [401, 429]
    assert "Too many" in says(sign_in("staff", PASSWORD))


def test_a_session_outlives_guesses_of_others() -> None:
    client = Client()
    sign_in("staff", PASSWORD, client)
    for _ in range(4):
        sign_in("staff", "wrong")
    assert client.get("/admin/").status_code == 200


def test_a_session_ends_within_a_day() -> None:
    assert sign_in("staff", PASSWORD).cookies["sessionid"]["max-age"] == 12 * 60 * 60


def test_commands_have_no_address_and_no_incomplete_credentials() -> None:
    assert authenticate(username="staff", password=PASSWORD) is not None
    assert authenticate(username="staff") is None
    assert authenticate(password=PASSWORD) is None
