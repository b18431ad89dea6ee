"""Local accounts as a model and in the admin site."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.core.management import call_command

from identity.models import User
from testing.accounts import make_account


def test_local_accounts_are_djangos_users() -> None:
    assert get_user_model() is User
    assert isinstance(admin.site.get_model_admin(User), UserAdmin)


@pytest.mark.django_db
def test_are_listed_by_name() -> None:
    for username in ("b", "c", "a"):
        make_account(username)
    assert [user.username for user in User.objects.all()] == ["a", "b", "c"]


@pytest.mark.django_db
def test_the_migrations_are_complete() -> None:
    call_command("makemigrations", "identity", check=True, dry_run=True, verbosity=0)
