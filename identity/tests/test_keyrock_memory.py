"""What is remembered of tokens: valid answers only, for a while, found by a digest."""

import pickle

import pytest
import requests_mock
from django.core.cache import cache
from pytest_django import Settings
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.errors import ServiceUnavailable
from identity import tokens
from testing.accounts import APP_ID, KEYROCK_URL, make_answer, make_organization

TOKEN = "sentinel-0123456789abcdef"


@pytest.fixture
def idm(requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    answer = make_answer(organizations=[make_organization("Spain2", "InfrastructureOwner")])
    requests_mock.get(f"{KEYROCK_URL}/user", json=answer)
    return requests_mock


def test_a_valid_token_is_asked_about_once(idm: requests_mock.Mocker) -> None:
    first, second = tokens.validate(TOKEN), tokens.validate(TOKEN)
    assert idm.call_count == 1
    assert second == first
    assert second.owned_nodes == {"Spain2"}


def test_another_token_is_asked_about(idm: requests_mock.Mocker) -> None:
    tokens.validate(TOKEN)
    tokens.validate(TOKEN + "x")
    assert idm.call_count == 2


@pytest.mark.parametrize("seconds", [0, -1])
def test_nothing_is_remembered_when_told_so(idm: requests_mock.Mocker, settings: Settings, seconds: int) -> None:
    settings.KEYROCK_CACHE_SECONDS = seconds
    tokens.validate(TOKEN)
    tokens.validate(TOKEN)
    assert idm.call_count == 2


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_not_remembered(requests_mock: requests_mock.Mocker, status: int) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", [{"status_code": status}, {"json": make_answer()}])
    with pytest.raises(AuthenticationFailed):
        tokens.validate(TOKEN)
    assert tokens.validate(TOKEN).username == "basic"


def test_silence_is_not_remembered(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(f"{KEYROCK_URL}/user", [{"status_code": 500}, {"json": make_answer()}])
    with pytest.raises(ServiceUnavailable):
        tokens.validate(TOKEN)
    assert tokens.validate(TOKEN).username == "basic"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("KEYROCK_APP_IDS", []),
        ("KEYROCK_APP_IDS", [APP_ID, "b"]),
        ("KEYROCK_URL", f"{KEYROCK_URL}/"),
        ("SECRET_KEY", "x"),
    ],
)
def test_what_was_found_under_another_configuration_does_not_count(
    idm: requests_mock.Mocker, settings: Settings, setting: str, value: object
) -> None:
    tokens.validate(TOKEN)
    setattr(settings, setting, value)
    tokens.validate(TOKEN)
    assert idm.call_count == 2


def test_the_cache_holds_no_token(idm: requests_mock.Mocker) -> None:
    tokens.validate(TOKEN)
    stored: dict[str, bytes] = getattr(cache, "_cache")  # noqa: B009 — the local-memory cache's own dictionary
    assert len(stored) == 1
    ((key, value),) = stored.items()
    assert TOKEN not in key
    assert TOKEN.encode() not in value
    assert type(pickle.loads(value)) is dict
