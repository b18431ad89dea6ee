"""Local accounts in requests: HTTP Basic, the two literal headers, and what is remembered."""

import base64
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from identity.tests.hashers import CountingHasher
from testing.accounts import PASSWORD, make_account

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def basic(username: str, password: str = PASSWORD) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


def pair(username: str, password: str = PASSWORD) -> dict[str, str]:
    """Return the two headers as WSGI hands them over: bytes dressed up as Latin-1."""
    return {
        "HTTP_USER": username.encode().decode("latin-1"),
        "HTTP_PASSWORD": password.encode().decode("latin-1"),
    }


def get(path: str = "/protected", **headers: Any) -> tuple[int, dict[str, Any]]:
    response = APIClient().get(path, **headers)
    return response.status_code, response.json()


def message(path: str = "/open", **headers: Any) -> str:
    status, body = get(path, **headers)
    assert status == 401
    return str(body["error"]["message"])


ways = pytest.mark.parametrize("way", [basic, pair])


@ways
@pytest.mark.parametrize(
    ("username", "password"),
    [("operator", PASSWORD), ("józef", "zażółć gęślą jaźń"), ("operator", "a:b:c"), ("operator", "пароль")],
)
def test_a_right_password_is_its_account(way: Any, username: str, password: str) -> None:
    make_account(username, password=password)
    assert get(**way(username, password)) == (200, {"kind": "User", "username": username})


@ways
@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("operator", "wrong"),
        ("operator", ""),
        ("operator", PASSWORD.upper()),
        ("operator", PASSWORD + "\0"),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("oper\0ator", PASSWORD),
        ("operator\0", PASSWORD),
        ("o" * 3000, PASSWORD),
    ],
)
def test_a_wrong_one_is_refused_even_where_none_is_needed(way: Any, username: str, password: str) -> None:
    make_account()
    for path in ("/open", "/protected"):
        response = APIClient().get(path, **way(username, password))
        assert response.status_code == 401
        assert 'Basic realm="Flavor Sync"' in response["WWW-Authenticate"]
        assert response.json() == {"error": {"message": "The user name or the password is wrong."}}


def test_the_database_is_not_asked_about_a_name_with_a_nul(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert get(**pair("oper\0ator"))[0] == 401


def test_a_name_is_compared_in_its_normal_form() -> None:
    make_account("ﬁona")  # stored as Django normalises names: NFKC
    assert get(**basic("fiona"))[0] == 200
    assert get(**basic("ﬁona"))[0] == 200


def test_latin_1_in_the_two_headers_is_understood() -> None:
    make_account("josé", password="contraseña larga")
    assert get(HTTP_USER="josé", HTTP_PASSWORD="contraseña larga")[0] == 200


@pytest.mark.parametrize(
    ("credentials", "problem"),
    [
        ("", "no colon"),
        ("b3BlcmF0b3I=", "no colon"),
        ("b3BlcmF0b3I", "base64"),
        ("b3Blcm F0b3I6eA==", "base64"),
        ("b3BlcmF0b3I6eA==,", "base64"),
        ("operator:secret", "base64"),
        ("\xe9\xe9\xe9\xe9", "base64"),
        (base64.b64encode(b"jos\xe9:x").decode(), "UTF-8"),
    ],
)
def test_malformed_basic_credentials_are_refused(credentials: str, problem: str) -> None:
    assert problem in message(HTTP_AUTHORIZATION=f"Basic {credentials}")


@pytest.mark.parametrize("headers", [{"HTTP_USER": "operator"}, {"HTTP_PASSWORD": PASSWORD}])
def test_one_of_the_two_headers_alone_is_refused(headers: dict[str, str]) -> None:
    make_account()
    assert "missing" in message(**headers)


def test_both_ways_may_name_the_same_account() -> None:
    make_account()
    assert get(**basic("operator"), **pair("operator")) == (200, {"kind": "User", "username": "operator"})


def test_both_ways_with_one_wrong_are_refused() -> None:
    make_account()
    assert "wrong" in message(**basic("operator"), **pair("operator", "wrong"))
    assert "wrong" in message(**basic("operator", "wrong"), **pair("operator"))


def test_two_different_accounts_are_a_bad_request() -> None:
    make_account("first")
    make_account("second")
    status, body = get("/open", **basic("first"), **pair("second"))
    assert (status, "two different accounts" in body["error"]["message"]) == (400, True)


def test_an_inactive_account_is_refused_though_it_was_remembered() -> None:
    account = make_account()
    assert get(**basic("operator"))[0] == 200
    account.is_active = False
    account.save()
    assert message(**basic("operator")) == "The user name or the password is wrong."


def test_an_account_without_a_usable_password_is_refused() -> None:
    make_account(password=None)
    assert get(**basic("operator"))[0] == 401


# What is remembered


@pytest.fixture
def hasher(settings: Settings) -> type[CountingHasher]:
    settings.PASSWORD_HASHERS = ["identity.tests.hashers.CountingHasher", *settings.PASSWORD_HASHERS]
    CountingHasher.runs = 0
    return CountingHasher


def test_a_right_password_is_hashed_once(hasher: type[CountingHasher]) -> None:
    make_account()
    hasher.runs = 0
    for _ in range(3):
        assert get(**basic("operator"))[0] == 200
    assert get(**pair("operator"))[0] == 200
    assert hasher.runs == 1


def test_each_request_reads_the_account_once(
    hasher: type[CountingHasher], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_account()
    for _ in range(2):  # hashed, then remembered
        with django_assert_num_queries(1):
            get(**basic("operator"))


def test_remembering_can_be_turned_off(hasher: type[CountingHasher], settings: Settings) -> None:
    settings.LOCAL_ACCOUNT_CACHE_SECONDS = 0
    make_account()
    hasher.runs = 0
    for _ in range(2):
        assert get(**basic("operator"))[0] == 200
    assert hasher.runs == 2


def test_a_changed_password_ends_the_remembering_at_once(hasher: type[CountingHasher]) -> None:
    account = make_account()
    assert get(**basic("operator"))[0] == 200
    account.set_password("another one entirely")
    account.save()
    assert get(**basic("operator"))[0] == 401
    assert get(**basic("operator", "another one entirely"))[0] == 200


def test_the_same_password_set_again_is_hashed_again(hasher: type[CountingHasher]) -> None:
    account = make_account()
    get(**basic("operator"))
    account.set_password(PASSWORD)
    account.save()
    hasher.runs = 0
    assert get(**basic("operator"))[0] == 200
    assert hasher.runs == 1


def test_a_remembered_password_is_not_that_of_another_account() -> None:
    first, second = make_account("first"), make_account("second", password="another one entirely")
    assert get(**basic("first"))[0] == 200
    assert get(**basic("second"))[0] == 401
    second.password = first.password  # the same hash, salt and all
    second.save()
    assert get(**basic("second", "wrong"))[0] == 401


def test_a_wrong_password_is_hashed_every_time(hasher: type[CountingHasher]) -> None:
    make_account()
    hasher.runs = 0
    for _ in range(2):
        assert get(**basic("operator", "wrong"))[0] == 401
    assert hasher.runs == 2


def test_an_unknown_account_costs_as_much_hashing_as_a_known_one(hasher: type[CountingHasher]) -> None:
    make_account()
    hasher.runs = 0
    get(**basic("operator", "wrong"))
    known = hasher.runs
    for username in ("nobody", "no\0body"):
        hasher.runs = 0
        get(**basic(username, "wrong"))
        assert hasher.runs == known == 1


def test_an_outdated_hash_is_upgraded(settings: Settings) -> None:
    account = make_account()
    settings.PASSWORD_HASHERS = ["identity.tests.hashers.CountingHasher", *settings.PASSWORD_HASHERS]
    assert get(**basic("operator"))[0] == 200
    account.refresh_from_db()
    assert account.password.startswith("counting$")
    CountingHasher.runs = 0
    assert get(**basic("operator"))[0] == 200
    assert CountingHasher.runs == 0


def test_the_cache_holds_neither_password_nor_name() -> None:
    make_account()
    get(**basic("operator"))
    get(**basic("operator", "wrong-sentinel"))
    stored: dict[str, bytes] = getattr(cache, "_cache")  # noqa: B009 — the local-memory cache's own dictionary
    assert len(stored) == 3  # a right password, and the failures of an account and of an address
    for secret in (PASSWORD, "wrong-sentinel", "operator"):
        assert secret not in str(list(stored))
        assert secret.encode() not in b"".join(stored.values())
