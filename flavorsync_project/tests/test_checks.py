"""The system checks of the settings that no app owns, each passing and failing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.checks import registry, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from pytest_django import Settings

from flavorsync_project import checks

ALL = [
    checks.check_collation,
    checks.check_secret_key,
    checks.check_encryption_keys_named,
    checks.check_allowed_hosts,
    checks.check_proxies,
]


def test_every_check_is_registered() -> None:
    assert {value for name, value in vars(checks).items() if name.startswith("check_")} == set(ALL)
    assert set(ALL) <= set(registry.registry.get_checks(include_deployment_checks=True))


def test_the_settings_of_the_tests_pass() -> None:
    assert run_checks() == []


@pytest.mark.parametrize(
    ("kept", "used", "ids"),
    [(None, "a", []), ("a", "b", []), ("a", "a", ["flavorsync.W001"])],
    ids=["none generated", "another named", "the generated one"],
)
def test_the_secret_key_of_development_is_not_for_deployment(
    settings: Settings, tmp_path: Path, kept: str | None, used: str, ids: list[str]
) -> None:
    settings.DATA_FOLDER = tmp_path
    settings.SECRET_KEY = used
    if kept:
        (tmp_path / ".secret_key").write_text(kept)
    messages = checks.check_secret_key()
    assert [message.id for message in messages] == ids
    assert not [message for message in messages if used in (message.hint or "").split()]


# The keys of the clouds' passwords

KEY, ANOTHER = (Fernet.generate_key().decode() for _ in range(2))


@pytest.mark.parametrize(
    ("kept", "keys", "ids"),
    [
        (None, [KEY], []),
        (ANOTHER, [KEY], []),
        (KEY, [KEY], ["flavorsync.E005"]),
        (KEY, [KEY, ANOTHER], ["flavorsync.E005"]),
        (KEY, [ANOTHER, KEY], []),
    ],
    ids=["none generated", "another named", "the generated one", "the generated one first", "on its way out"],
)
def test_the_key_of_development_is_not_for_deployment(
    settings: Settings, tmp_path: Path, kept: str | None, keys: list[str], ids: list[str]
) -> None:
    settings.DATA_FOLDER = tmp_path
    settings.FIELD_ENCRYPTION_KEYS = keys
    if kept:
        (tmp_path / ".encryption_key").write_text(kept)
    messages = checks.check_encryption_keys_named()
    assert [message.id for message in messages] == ids
    assert not [message for message in messages if KEY in str(message) or not message.is_serious()]


def test_the_deployment_check_asks_for_keys_and_others_do_not(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_FOLDER = tmp_path
    (tmp_path / ".encryption_key").write_text(KEY)
    settings.FIELD_ENCRYPTION_KEYS = [KEY]
    assert "flavorsync.E005" not in [message.id for message in run_checks()]
    assert "flavorsync.E005" in [message.id for message in run_checks(include_deployment_checks=True)]


# The database


@pytest.fixture
def other_collation() -> Iterator[None]:
    """The tests' database, for a while with a collation that takes other letters for the same."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")


@pytest.mark.django_db
def test_the_collation_of_the_tests_database_passes() -> None:
    assert checks.check_collation(databases=["default"]) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite compares by code point, always")
@pytest.mark.usefixtures("other_collation")
def test_another_collation_is_an_error() -> None:
    (message,) = checks.check_collation(databases=["default"])
    assert (message.id, message.is_serious()) == ("flavorsync.E003", True)
    assert "utf8mb4_general_ci" in message.msg
    assert checks.check_collation() == []  # which is not asked to look at any database


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite compares by code point, always")
@pytest.mark.usefixtures("other_collation")
def test_nothing_is_migrated_with_another_collation() -> None:
    with pytest.raises(SystemCheckError, match=r"flavorsync\.E003"):
        call_command("migrate", verbosity=0, skip_checks=False)


# What a proxy in front changes


@pytest.mark.parametrize(
    ("hosts", "ids"), [(["flavors.example.org"], []), (["*"], ["flavorsync.W002"]), (["a", "*"], ["flavorsync.W002"])]
)
def test_answering_to_every_name_is_a_warning(settings: Settings, hosts: list[str], ids: list[str]) -> None:
    settings.ALLOWED_HOSTS = hosts
    assert [message.id for message in checks.check_allowed_hosts()] == ids


@pytest.mark.parametrize(
    ("https", "proxies", "ids"), [(False, 0, []), (True, 1, []), (True, 2, []), (True, 0, ["flavorsync.W003"])]
)
def test_a_proxy_that_is_not_counted_is_a_warning(
    settings: Settings, https: bool, proxies: int, ids: list[str]
) -> None:
    settings.HTTPS = https
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}
    assert [message.id for message in checks.check_proxies()] == ids
