"""`manage.py check_identity`."""

import io
from pathlib import Path

import pytest
import requests_mock
from django.core.management import CommandError, call_command
from pytest_django import Settings

from testing.accounts import (
    FERNET,
    KEYROCK_URL,
    KEYSTONE_URL,
    MANAGERS,
    OPERATORS,
    keystone_error,
    make_answer,
    make_keystone_token,
    make_organization,
    make_project,
    make_role,
)


@pytest.fixture(autouse=True)
def _keystone(settings: Settings) -> None:
    settings.KEYSTONE_URL = KEYSTONE_URL
    settings.KEYSTONE_IDENTITY = True
    settings.KEYSTONE_MANAGERS = MANAGERS
    settings.KEYSTONE_OPERATORS = OPERATORS


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text(f"{FERNET}\n", encoding="ascii")
    return str(file)


def said(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("check_identity", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_says_what_a_keystone_token_would_be(requests_mock: requests_mock.Mocker, token_file: str) -> None:
    answer = make_keystone_token("flavor_manager", "operator_of_Spain2", project=make_project())
    requests_mock.get(f"{KEYSTONE_URL}/auth/tokens", json=answer)
    assert said("--token-file", token_file) == [
        "who    frodo@Default, c0ffee of Keystone",
        "has    flavor_manager@project:federation/Default, operator_of_Spain2@project:federation/Default",
        "roles  InfrastructureManager, InfrastructureOwner",
        "nodes  Spain2",
        "until  2106-01-01T00:00:00+00:00",
    ]


def test_says_why_it_is_nobody_in_particular(requests_mock: requests_mock.Mocker, token_file: str) -> None:
    answer = make_keystone_token("flavor_manager", project=make_project("mine"))
    requests_mock.get(f"{KEYSTONE_URL}/auth/tokens", json=answer)
    assert said("--token-file", token_file)[1:4] == [
        "has    flavor_manager@project:mine/Default",
        "roles  none: no entry of KEYSTONE_MANAGERS or KEYSTONE_OPERATORS fits what the token has",
        "nodes  none",
    ]


def test_says_what_a_token_of_keyrock_would_be(
    requests_mock: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = make_organization("Mordor FIDASH", "InfrastructureOwner")
    answer = make_answer(roles=[make_role("Other")], organizations=[organization])
    requests_mock.get(f"{KEYROCK_URL}/user", json=answer)
    monkeypatch.setattr("sys.stdin", io.StringIO("a-token\n"))
    assert said() == [
        "who    basic, b6a5f0de-3c3b-4a52-9f3e-3a1b7b7a0001 of FIWARE IdM",
        "has    Other, InfrastructureOwner in Mordor FIDASH",
        "roles  InfrastructureOwner",
        "nodes  Mordor",
        "until  the provider does not say",
    ]


def test_nothing_that_is_remembered_counts(requests_mock: requests_mock.Mocker, token_file: str) -> None:
    requests_mock.get(
        f"{KEYSTONE_URL}/auth/tokens",
        [{"json": make_keystone_token()}, {"status_code": 404, "json": keystone_error(404, "Not Found")}],
    )
    requests_mock.get(f"{KEYROCK_URL}/user", status_code=401, json="Invalid token")
    said("--token-file", token_file)
    with pytest.raises(
        CommandError, match="it was revoked, or it belongs to an application credential with access rules"
    ):
        said("--token-file", token_file)


def test_says_when_a_provider_is_silent(requests_mock: requests_mock.Mocker, token_file: str) -> None:
    requests_mock.get(f"{KEYSTONE_URL}/auth/tokens", status_code=500)
    requests_mock.get(f"{KEYROCK_URL}/user", status_code=401, json="Invalid token")
    with pytest.raises(CommandError, match="Keystone"):
        said("--token-file", token_file)


def test_a_file_that_is_none_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        said("--token-file", str(tmp_path / "none"))
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="no token"):
        said("--token-file", str(tmp_path / "odd"))
