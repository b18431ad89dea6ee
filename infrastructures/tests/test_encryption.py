"""Passwords at rest: which keys decrypt them, and what happens if none does."""

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from flavorsync_project.encryption import Undecryptable, decrypt, encrypt, rotate
from infrastructures.clouds import credentials_of, in_each_cloud, open_nova
from infrastructures.openstack.errors import CredentialsMissing
from testing.infrastructures import PASSWORD, a_registered, make_infrastructure, make_registered

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def _old_key(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]


@pytest.mark.parametrize("secret", [PASSWORD, "", " ", "pässwörd ✓", "x" * 10_000, 'a"b\\c\n'])
def test_what_is_encrypted_is_read_again_and_is_not_what_was_written(secret: str) -> None:
    stored = encrypt(secret)
    assert decrypt(stored) == secret
    assert secret.strip() == "" or secret not in stored
    assert encrypt(secret) != stored


@pytest.mark.parametrize(
    ("keys", "opens"),
    [([OLD], True), ([NEW, OLD], True), ([OLD, NEW], True), ([NEW], False), ([NEW, OTHER], False)],
    ids=["the same", "a new one first", "a new one last", "another", "two others"],
)
@pytest.mark.parametrize("read", [decrypt, rotate])
def test_any_of_the_keys_opens_it(settings: Settings, keys: list[str], opens: bool, read: Callable[[str], str]) -> None:
    stored = encrypt(PASSWORD)
    settings.FIELD_ENCRYPTION_KEYS = keys
    if opens:
        assert PASSWORD in (read(stored), decrypt(read(stored)) if read is rotate else "")
    else:
        with pytest.raises(Undecryptable):
            read(stored)


def test_the_first_key_encrypts(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    stored = encrypt(PASSWORD)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert decrypt(stored) == PASSWORD


def test_rotated_it_takes_the_first_key_alone(settings: Settings) -> None:
    stored = encrypt(PASSWORD)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    rotated = rotate(stored)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert decrypt(rotated) == PASSWORD
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    with pytest.raises(Undecryptable):
        decrypt(rotated)


@pytest.mark.parametrize("stored", ["x", "gAAAAA", "é", " "])
def test_what_never_was_encrypted_cannot_be_read(stored: str) -> None:
    with pytest.raises(Undecryptable):
        decrypt(stored)


@pytest.mark.django_db
def test_the_database_never_holds_the_password() -> None:
    make_registered("Spain2")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM infrastructures_infrastructure")
        (row,) = cursor.fetchall()
    assert "spain2-operator" in row
    assert not [column for column in row if PASSWORD in str(column)]
    assert [decrypt(column) for column in row if str(column).startswith("gAAAA")] == [PASSWORD]


@pytest.mark.django_db
def test_a_model_gives_its_password_to_those_who_ask_for_it() -> None:
    infrastructure = make_registered("Spain2")
    assert (infrastructure.has_credentials, infrastructure.get_password()) == (True, PASSWORD)
    infrastructure.set_password("")
    assert (infrastructure.has_credentials, infrastructure.get_password()) == (False, "")
    assert make_infrastructure("Mordor").get_password() == ""


def test_a_lost_key_is_missing_credentials(settings: Settings) -> None:
    infrastructure = a_registered("Spain2")
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    for use in (credentials_of, open_nova):
        with pytest.raises(CredentialsMissing) as caught:
            use(infrastructure)
        assert caught.value.status_code == 409
        assert str(caught.value.detail) == ("Spain2: its stored password cannot be read with FIELD_ENCRYPTION_KEYS.")
    (outcome,) = in_each_cloud([infrastructure], lambda nova: nova.list_flavors())
    assert isinstance(outcome.error, CredentialsMissing)


def test_no_credentials_are_missing_credentials() -> None:
    with pytest.raises(CredentialsMissing) as caught:
        credentials_of(a_registered("Spain2", password=""))
    assert (caught.value.status_code, str(caught.value.detail)) == (409, "Spain2: no credentials are stored for it.")
