"""What the IdM is asked: one URL, with the token encoded so that it cannot change the request."""

import pytest
import requests_mock
from pytest_django import Settings
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.errors import ServiceUnavailable
from identity import tokens
from testing.accounts import APP_ID, KEYROCK_URL, make_answer


@pytest.fixture
def idm(requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer())
    return requests_mock


@pytest.mark.parametrize(
    ("token", "encoded"),
    [
        ("abcDEF012-._~", "abcDEF012-._~"),
        ("a#b", "a%23b"),
        ("a&app_id=mine", "a%26app_id%3Dmine"),
        ("a b+c", "a%20b%2Bc"),
        ("a/../b?c", "a%2F..%2Fb%3Fc"),
        ("a%23", "a%2523"),
        ("a\r\nHost: evil", "a%0D%0AHost%3A%20evil"),
        ("a\0b\x7f", "a%00b%7F"),
        ("żółw", "%C5%BC%C3%B3%C5%82w"),
        ("a;b,c", "a%3Bb%2Cc"),
    ],
)
def test_a_token_is_percent_encoded_whatever_it_holds(idm: requests_mock.Mocker, token: str, encoded: str) -> None:
    tokens.validate(token)
    assert idm.request_history[-1].url == f"{KEYROCK_URL}/user?access_token={encoded}&app_id={APP_ID}"


@pytest.mark.parametrize(
    ("app_ids", "query"),
    [
        ([], "access_token=t"),
        ([APP_ID], f"access_token=t&app_id={APP_ID}"),
        (["a&b", APP_ID], "access_token=t"),
    ],
)
def test_sends_the_application_when_there_is_exactly_one(
    idm: requests_mock.Mocker, settings: Settings, app_ids: list[str], query: str
) -> None:
    settings.KEYROCK_APP_IDS = app_ids
    tokens.validate("t")
    assert idm.request_history[-1].url == f"{KEYROCK_URL}/user?{query}"


@pytest.mark.parametrize("ending", ["/", "//"])
def test_the_url_may_end_with_a_slash(idm: requests_mock.Mocker, settings: Settings, ending: str) -> None:
    settings.KEYROCK_URL = KEYROCK_URL + ending
    tokens.validate("t")
    assert idm.request_history[-1].url.startswith(f"{KEYROCK_URL}/user?")


def test_the_url_may_have_a_path(requests_mock: requests_mock.Mocker, settings: Settings) -> None:
    settings.KEYROCK_URL = f"{KEYROCK_URL}/idm"
    requests_mock.get(f"{KEYROCK_URL}/idm/user", json=make_answer())
    assert tokens.validate("t").username == "basic"


def test_the_token_is_in_no_header(idm: requests_mock.Mocker) -> None:
    tokens.validate("sentinel")
    assert "sentinel" not in str(idm.request_history[-1].headers)


def test_asks_for_nothing_compressed_so_that_what_is_read_is_what_was_sent(idm: requests_mock.Mocker) -> None:
    tokens.validate("t")
    assert idm.request_history[-1].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("token", ["", "a" * 8_001])
def test_refuses_an_empty_and_an_endless_token_unasked(idm: requests_mock.Mocker, token: str) -> None:
    with pytest.raises(AuthenticationFailed):
        tokens.validate(token)
    assert idm.call_count == 0


def test_asks_about_the_longest_token(idm: requests_mock.Mocker) -> None:
    tokens.validate("a" * 8_000)
    assert idm.call_count == 1


def test_without_a_provider_says_so(idm: requests_mock.Mocker, settings: Settings) -> None:
    settings.KEYROCK_URL = ""
    with pytest.raises(ServiceUnavailable, match="KEYROCK_URL"):
        tokens.validate("t")
    assert idm.call_count == 0
