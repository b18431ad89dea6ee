"""`create_operator`: a local account that operates clouds, and what it may do over the API then."""

import io
import os
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from identity.models import User
from testing.accounts import PASSWORD, make_account
from testing.infrastructures import make_infrastructure
from testing.shell import Terminal, shell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _two_clouds() -> None:
    make_infrastructure("Mordor")
    make_infrastructure("Spain2")


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable with the password."""
    monkeypatch.setenv("OPERATOR_PASSWORD", PASSWORD)


def state(username: str) -> tuple[list[str], list[str]]:
    """Return the names of the account's clouds and of its groups."""
    account = User.objects.get(username=username)
    groups = account.groups.order_by("name").values_list("name", flat=True)
    return list(account.infrastructures.values_list("name", flat=True)), list(groups)


@pytest.mark.usefixtures("password")
def test_makes_an_account_that_operates_clouds() -> None:
    answer = shell("create_operator", "mordor-operator", "--infrastructure", "Spain2", "--infrastructure", "Mordor")
    assert (answer.output, answer.status) == (
        "mordor-operator: created.\nOperates: Mordor, Spain2. Roles: InfrastructureOwner.\n",
        0,
    )
    account = User.objects.get()
    assert (account.is_staff, account.is_superuser, account.check_password(PASSWORD)) == (True, False, True)
    assert account.has_perm("infrastructures.register_infrastructure")
    assert not account.has_perm("flavors.promote_flavor")


@pytest.mark.usefixtures("password")
def test_makes_a_manager() -> None:
    assert shell("create_operator", "manager", "--manager").lines[1] == (
        "Operates: no node. Roles: InfrastructureManager, InfrastructureOwner."
    )
    assert User.objects.get().has_perm("flavors.promote_flavor")


@pytest.mark.usefixtures("password")
def test_the_account_opens_the_api() -> None:
    shell("create_operator", "mordor-operator", "--infrastructure", "Mordor")
    client = APIClient(headers={"user": "mordor-operator", "password": PASSWORD})
    assert client.delete("/v1/infrastructures/Mordor").status_code == 204
    refused = client.delete("/v1/infrastructures/Spain2")
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        403,
        "You do not operate the infrastructure Spain2.",
    )


def test_a_generated_password_is_printed_once_and_opens_the_account() -> None:
    answer = shell("create_operator", "mordor-operator", "--generate-password")
    label, password, *note = answer.lines[2].split()
    assert (label, note) == ("Password:", ["(shown", "this", "once)"])
    assert User.objects.get().check_password(password)
    again = shell("create_operator", "mordor-operator", "--generate-password")
    assert (again.lines[0], len(again.lines), again.status) == ("mordor-operator: already there.", 2, 0)
    assert User.objects.get().check_password(password)


def test_says_it_in_json() -> None:
    made = shell(
        "create_operator", "mordor-operator", "--infrastructure", "Mordor", "--generate-password", "--json"
    ).document
    assert User.objects.get().check_password(made.pop("password"))
    expected = {"username": "mordor-operator", "infrastructures": ["Mordor"], "roles": ["InfrastructureOwner"]}
    assert made == expected | {"created": True}
    assert shell("create_operator", "mordor-operator", "--json").document == expected | {"created": False}


def test_the_password_comes_from_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    assert shell("create_operator", "mordor-operator", "--password-file", str(tmp_path / "password")).status == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert shell("create_operator", "other-operator", "--password-file", "-").status == 0
    assert [account.check_password(PASSWORD) for account in User.objects.all()] == [True, True]


def test_or_is_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPERATOR_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", Terminal())
    typed = iter(["typed " + PASSWORD, "typed " + PASSWORD, "one", "another"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert shell("create_operator", "mordor-operator").status == 0
    assert User.objects.get().check_password("typed " + PASSWORD)
    answer = shell("create_operator", "other-operator")
    assert (answer.error, answer.status) == ("The two passwords differ.", 1)
    assert User.objects.count() == 1


@pytest.mark.usefixtures("password")
def test_an_account_that_is_there_operates_more_and_loses_nothing() -> None:
    shell("create_operator", "mordor-operator", "--infrastructure", "Mordor", "--manager")
    answer = shell("create_operator", "mordor-operator", "--infrastructure", "Spain2")
    assert answer.lines[0] == "mordor-operator: already there."
    assert state("mordor-operator") == (["Mordor", "Spain2"], ["InfrastructureManager", "InfrastructureOwner"])


def test_an_account_that_is_there_needs_no_password_and_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPERATOR_PASSWORD", raising=False)
    make_account("mordor-operator")
    assert shell("create_operator", "mordor-operator", "--infrastructure", "Mordor").status == 0
    assert state("mordor-operator") == (["Mordor"], ["InfrastructureOwner"])
    assert User.objects.get().check_password(PASSWORD)


def test_somebody_whom_an_identity_provider_knows_is_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    make_account("frodo@Default", external_id="keystone:c0ffee")
    monkeypatch.setenv("OPERATOR_PASSWORD", "quite another one")
    answer = shell("create_operator", "frodo@Default", "--infrastructure", "Mordor")
    why = "frodo@Default signs in with an identity provider, which says what they operate."
    assert (answer.error, answer.status) == (why, 1)


def test_another_password_for_an_account_that_is_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    make_account("mordor-operator")
    monkeypatch.setenv("OPERATOR_PASSWORD", "quite another one")
    answer = shell("create_operator", "mordor-operator", "--infrastructure", "Mordor")
    assert (answer.error, answer.status) == ("There is already an account mordor-operator, with another password.", 1)
    assert state("mordor-operator") == ([], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mordor-operator", "--infrastructure", "Gondor"], "There is no node Gondor."),
        (
            ["two words"],
            "username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
        ),
        (
            ["mordor-operator", "--generate-password", "--password-file", "-"],
            "--generate-password and --password-file cannot be used together.",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("password")
def test_bad_input_is_one_clear_line(arguments: list[str], message: str) -> None:
    answer = shell("create_operator", *arguments)
    assert (answer.error, answer.status, answer.output) == (message, os.EX_USAGE if message.startswith("--") else 1, "")
    assert not User.objects.exists()


def test_a_weak_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_PASSWORD", "12345678")
    answer = shell("create_operator", "mordor-operator")
    assert answer.error == (
        "password: This password is too common.; password: This password is entirely numeric."
    )  # fmt: skip
    assert not User.objects.exists()


@pytest.mark.usefixtures("password")
def test_a_role_without_a_group_is_said_and_nothing_is_made() -> None:
    Group.objects.all().delete()
    answer = shell("create_operator", "mordor-operator")
    assert answer.error == "There is no group InfrastructureOwner, which says what the role may do."
    assert not User.objects.exists()
