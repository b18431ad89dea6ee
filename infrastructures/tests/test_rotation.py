"""`rotate_encryption_keys`: every password by the newest key, or none."""

import io

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from infrastructures.models import Infrastructure
from testing.infrastructures import make_infrastructure, make_registered

pytestmark = [pytest.mark.django_db, pytest.mark.database]

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


def rotate() -> str:
    output = io.StringIO()
    call_command("rotate_encryption_keys", stdout=output)
    return output.getvalue()


def stored() -> dict[str, str]:
    return dict(Infrastructure.objects.values_list("name", "encrypted_password"))


@pytest.fixture(autouse=True)
def _three_clouds(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    make_registered("Mordor", password="mordors")
    make_registered("Spain2", password="spains")
    make_infrastructure("Without")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]


def test_every_password_is_encrypted_by_the_first_key(settings: Settings) -> None:
    assert rotate() == "2 passwords encrypted anew.\n"
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    passwords = {infrastructure.name: infrastructure.get_password() for infrastructure in Infrastructure.objects.all()}
    assert passwords == {"Mordor": "mordors", "Spain2": "spains", "Without": ""}


def test_it_takes_a_query_for_each() -> None:
    with CaptureQueriesContext(
        connection,
    ) as two:
        rotate()
    make_registered("Third")
    with CaptureQueriesContext(connection) as three:
        rotate()
    assert len(three) == len(two) + 1


def test_a_lost_key_changes_nothing(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [LOST]
    make_registered("Rohan")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    before = stored()
    with pytest.raises(CommandError) as caught:
        rotate()
    assert str(caught.value) == "None of the keys decrypts a stored password. Nothing was changed."
    assert stored() == before


def test_without_passwords_there_is_nothing_to_do() -> None:
    Infrastructure.objects.with_credentials().delete()
    assert rotate() == "0 passwords encrypted anew.\n"
