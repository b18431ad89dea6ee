"""`register_infrastructure`, `unregister_infrastructure` and `list_infrastructures`, typed at a shell."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from infrastructures.addresses import NEAR
from infrastructures.models import Infrastructure
from testing.accounts import make_account
from testing.infrastructures import PASSWORD, make_infrastructure, make_registered, make_replacement
from testing.shell import Terminal, ended, run, shell

pytestmark = pytest.mark.django_db

MORDOR = (
    *("register_infrastructure", "Mordor", "--keystone-url", "https://mordor.example.org"),
    *("--username", "mordor-operator", "--tenant", "admin"),
)


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable with the password."""
    monkeypatch.setenv("OS_PASSWORD", PASSWORD)


# Without credentials


def test_registers_a_region() -> None:
    output = run(
        "register_infrastructure", "Mordor", "--keystone-url", "https://mordor.example.org", "--region", "RegionOne"
    )
    assert output == "Mordor: registered.\n"
    assert list(Infrastructure.objects.values_list("name", "keystone_url", "region", "encrypted_password")) == [
        ("Mordor", "https://mordor.example.org", "RegionOne", "")
    ]


def test_registering_again_changes_nothing() -> None:
    run("register_infrastructure", "Spain2")
    assert run("register_infrastructure", "Spain2") == "Spain2: already registered.\n"
    assert Infrastructure.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["Spain2", "--keystone-url", "https://x.example"],
            "Spain2 is already registered with different values (keystone_url).",
        ),
        (["Spain2", "--region", "RegionOne"], "Spain2 is already registered with different values (region)."),
        (["Mordor", "--keystone-url", "mordor"], "keystone_url: must be an http or https URL"),
        (["Mordor", "--keystone-url", "ftp://x.example.org"], "keystone_url: must be an http or https URL"),
        (
            ["Mordor", "--keystone-url", "http://169.254.169.254"],
            f"keystone_url: must not lead to {NEAR}",
        ),
        ([" "], "name: A name has no slash and no space at either end, and is not . or .."),
        (["a/b"], "name: A name has no slash and no space at either end, and is not . or .."),
        (["Mordor", "--operator", "nobody", "--operator", "noone"], "There is no account nobody, noone."),
        (["Mordor", "--password-file", "x"], "--password-file needs --username and --tenant."),
        (
            ["Mordor", "--username", "mordor-operator"],
            "--tenant is missing: credentials are an account and its project.",
        ),
        (
            ["Mordor", "--tenant", "admin"],
            "--username is missing: credentials are an account and its project.",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(arguments: list[str], message: str) -> None:
    make_infrastructure("Spain2")
    answer = shell("register_infrastructure", *arguments)
    assert (answer.error, answer.status, answer.output) == (message, os.EX_USAGE if message.startswith("--") else 1, "")
    assert list(Infrastructure.objects.values_list("name", "keystone_url", "region")) == [("Spain2", "", "")]


# With credentials


@pytest.mark.usefixtures("password")
def test_registers_a_cloud_with_its_credentials_and_operators() -> None:
    make_account("first")
    make_account("second")
    answer = shell(
        *MORDOR, *("--nova-url", "https://nova.example.org", "--region", "RegionOne"),
        *("--user-domain", "Users", "--project-domain", "Projects", "--operator", "second", "--operator", "first"),
    )  # fmt: skip
    assert (answer.output, answer.status) == ("Mordor: registered.\n", 0)
    mordor = Infrastructure.objects.get()
    assert mordor.get_password() == PASSWORD
    assert [operator.username for operator in mordor.operators.all()] == ["first", "second"]
    assert (mordor.keystone_url, mordor.nova_url, mordor.region, mordor.username, mordor.tenant) == (
        "https://mordor.example.org", "https://nova.example.org", "RegionOne", "mordor-operator", "admin",
    )  # fmt: skip
    assert (mordor.user_domain, mordor.project_domain, mordor.registered_by) == ("Users", "Projects", "")


@pytest.mark.usefixtures("password")
def test_says_it_in_json() -> None:
    assert shell(*MORDOR, "--json").document == {"name": "Mordor", "created": True, "credentials": True}
    assert shell(*MORDOR, "--json").document == {"name": "Mordor", "created": False, "credentials": True}
    assert shell("register_infrastructure", "Spain2", "--json").document["credentials"] is False


@pytest.mark.usefixtures("password")
def test_a_cloud_of_the_central_keystone_needs_not_name_it(settings: Settings) -> None:
    settings.KEYSTONE_URL = "https://central.example.org"
    assert shell("register_infrastructure", "Spain2", "--username", "us", "--tenant", "ours").status == 0
    assert Infrastructure.objects.get().keystone_url == "https://central.example.org"


@pytest.mark.usefixtures("password")
def test_credentials_without_any_keystone_are_refused(settings: Settings) -> None:
    settings.KEYSTONE_URL = ""
    answer = shell("register_infrastructure", "Spain2", "--username", "us", "--tenant", "ours")
    assert (answer.error, answer.status) == ("Credentials are a Keystone URL, a user name, a password and a tenant.", 1)
    assert not Infrastructure.objects.exists()


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_the_password_comes_from_a_file(tmp_path: Path, ending: str) -> None:
    (tmp_path / "password").write_bytes(f" {PASSWORD} é{ending}".encode())
    assert shell(*MORDOR, "--password-file", str(tmp_path / "password")).status == 0
    assert Infrastructure.objects.get().get_password() == f" {PASSWORD} é"


def test_or_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert shell(*MORDOR, "--password-file", "-").status == 0
    assert Infrastructure.objects.get().get_password() == PASSWORD


@pytest.mark.usefixtures("password")
def test_a_file_goes_before_the_variable(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("of the file", encoding="utf-8")
    assert shell(*MORDOR, "--password-file", str(tmp_path / "password")).status == 0
    assert Infrastructure.objects.get().get_password() == "of the file"


def test_or_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed at {prompt}")
    assert shell(*MORDOR).status == 0
    assert Infrastructure.objects.get().get_password() == "typed at Password of mordor-operator in Mordor: "


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "The password file {} cannot be read: No such file or directory."),
        (b"\n", "The password is empty."),
        (b"\xff", "The password file {} is not text in UTF-8."),
    ],
)
def test_a_file_without_a_password_is_one_clear_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    answer = shell(*MORDOR, "--password-file", str(file))
    assert (answer.error, answer.status) == (message.format(file), 1)
    assert not Infrastructure.objects.exists()


def test_no_password_at_all_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    answer = shell(*MORDOR)
    assert answer.error == "A password is needed: give --password-file, set OS_PASSWORD, or type it at a terminal."
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: "")
    assert shell(*MORDOR).error == "The password is empty."
    monkeypatch.setattr("getpass.getpass", ended)
    assert shell(*MORDOR).error == "No password was typed."


@pytest.mark.usefixtures("password")
def test_registering_again_with_the_same_credentials_changes_nothing() -> None:
    make_account("first")
    assert shell(*MORDOR, "--operator", "first").status == 0
    before = Infrastructure.objects.values().get()
    answer = shell(*MORDOR, "--operator", "first")
    assert (answer.output, answer.status) == ("Mordor: already registered.\n", 0)
    assert Infrastructure.objects.values().get() == before


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize(
    ("other", "differing"),
    [
        ({"username": "other-operator"}, "with different values (username)"),
        ({"password": "other"}, "with different values (password)"),
        (
            {"nova_url": "https://nova.example.org", "user_domain": "Users"},
            "with different values (nova_url, user_domain)",
        ),
    ],
)
def test_other_values_are_said_and_not_taken(other: dict[str, Any], differing: str) -> None:
    values = {"keystone_url": "https://mordor.example.org", "username": "mordor-operator", "tenant": "admin"}
    make_registered("Mordor", **values | other)
    before = Infrastructure.objects.values().get()
    answer = shell(*MORDOR)
    assert (answer.error, answer.status) == (f"Mordor is already registered {differing}.", 1)
    assert Infrastructure.objects.values().get() == before


@pytest.mark.usefixtures("password")
def test_a_password_that_cannot_be_read_any_more_is_another(settings: Settings) -> None:
    shell(*MORDOR)
    settings.FIELD_ENCRYPTION_KEYS = ["Pf1vYTWxJQwaU8eEpnbvYBHrKhGDMf0EFBpBLZOUKE4="]
    assert shell(*MORDOR).error == "Mordor is already registered with different values (password)."


@pytest.mark.usefixtures("password")
def test_another_operator_is_said_and_not_added() -> None:
    make_account("first")
    shell(*MORDOR)
    assert shell(*MORDOR, "--operator", "first").error == "Mordor is already registered without the operator first."
    assert not Infrastructure.objects.get().operators.exists()


# unregister_infrastructure


def test_forgets_a_cloud() -> None:
    make_registered("Mordor")
    make_infrastructure("Spain2")
    answer = shell("unregister_infrastructure", "Mordor")
    assert (answer.output, answer.status) == ("Mordor: unregistered.\n", 0)
    assert [infrastructure.name for infrastructure in Infrastructure.objects.all()] == ["Spain2"]


def test_says_in_json_that_it_forgot_a_cloud() -> None:
    make_registered("Mordor")
    assert shell("unregister_infrastructure", "Mordor", "--json").document == {"name": "Mordor", "unregistered": True}
    answer = shell("unregister_infrastructure", "Mordor", "--json")
    assert (answer.output, answer.error, answer.status) == ("", "There is no node Mordor.", 1)


def test_forgets_no_cloud_that_is_in_use_or_unknown() -> None:
    make_replacement()
    answer = shell("unregister_infrastructure", "Spain2")
    assert answer.status == 1
    assert (
        answer.error
        == "Spain2 cannot be unregistered: a flavor of the catalogue is installed there, or is being replaced."
    )
    assert Infrastructure.objects.exists()
    answer = shell("unregister_infrastructure", "Gondor")
    assert (answer.error, answer.status) == ("There is no node Gondor.", 1)


# list_infrastructures


def test_lists_the_clouds(settings: Settings, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    settings.KEYSTONE_URL = "https://central.example.org"
    make_registered("Mordor", region="RegionOne").operators.set([make_account("second"), make_account("first")])
    make_infrastructure("Spain2")
    with django_assert_num_queries(2):
        answer = shell("list_infrastructures")
    assert answer.lines == [
        "NODE REGION KEYSTONE CREDENTIALS OPERATORS",
        "Mordor RegionOne https://keystone.mordor.example.org/v3 yes first, second",
        "Spain2 Spain2 https://central.example.org no -",
        "2 nodes.",
    ]
    assert not [line for line in answer.output.splitlines() if line != line.rstrip()]


def test_lists_the_clouds_in_json() -> None:
    mordor = make_registered("Mordor", registered_by="mordor-operator")
    assert shell("list_infrastructures", "--json").document == [
        {
            "name": "Mordor",
            "region": "Mordor",
            "keystone_url": "https://keystone.mordor.example.org/v3",
            "nova_url": "",
            "credentials": True,
            "operators": [],
            "registered_by": "mordor-operator",
            "created_at": mordor.created_at.isoformat(),
        }
    ]


def test_lists_nothing_where_there_is_nothing() -> None:
    assert shell("list_infrastructures").output == "0 nodes.\n"
    assert shell("list_infrastructures", "--json").document == []
