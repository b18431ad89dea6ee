"""What `manage.py prepare` does to a database, and what it leaves alone."""

from io import StringIO
from typing import NoReturn

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def prepare(**options: object) -> tuple[str, str]:
    """Return what the command printed, and its complaints."""
    output, complaints = StringIO(), StringIO()
    call_command("prepare", stdout=output, stderr=complaints, **options)
    return output.getvalue(), complaints.getvalue()


def test_the_first_administrator_can_log_in_with_the_password_printed() -> None:
    printed, _ = prepare()
    lines = dict(line.split(": ", 1) for line in printed.splitlines())
    password = lines["Password"].split()[0]
    administrator = authenticate(username=lines["Administrator"], password=password)
    assert administrator is not None
    assert administrator.is_superuser
    assert administrator.is_staff


def test_a_second_time_nothing_is_printed_or_written() -> None:
    prepare()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert prepare() == ("", "")
    written = [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE", "CREATE"))]
    assert written == []
    assert len(queries) <= 4


def test_an_administrator_of_another_name_is_enough() -> None:
    get_user_model().objects.create_superuser("root", password="x")
    assert prepare() == ("", "")
    assert get_user_model().objects.count() == 1


def test_an_account_that_happens_to_be_called_admin_does_not_become_more() -> None:
    get_user_model().objects.create_user("admin", password="x")
    printed, complaints = prepare()
    assert printed == ""
    assert "createsuperuser" in complaints
    assert not get_user_model().objects.get().is_superuser


def test_a_dry_run_only_tells() -> None:
    assert prepare(dry_run=True) == ("An administrator to make: admin\n", "")
    assert not get_user_model().objects.exists()


@pytest.mark.django_db(transaction=True)
def test_pending_migrations_are_told_and_applied() -> None:
    call_command("migrate", "sessions", "zero", verbosity=0)
    assert prepare(dry_run=True)[0] == "1 migration to apply\n"
    assert prepare()[0].startswith("1 migration to apply\n")
    assert "django_session" in connection.introspection.table_names()


def test_a_database_that_does_not_answer_is_one_line() -> None:
    def refuse(*_: object) -> NoReturn:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse), pytest.raises(CommandError) as raised:
        prepare()
    assert str(raised.value) == "The database could not be made ready: connection refused"
