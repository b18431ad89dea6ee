"""Local accounts as a model and in the admin site."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import Settings

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


@pytest.mark.django_db
@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
def test_whoever_is_known_elsewhere_has_no_rights_of_their_own(right: str) -> None:
    user = User(username="frodo", password="!", external_id="keystone:c0ffee", **{right: True})
    with pytest.raises(ValidationError, match="has the rights that it gives"):
        user.full_clean()
    with pytest.raises(IntegrityError, match="identity_user_known_elsewhere_has_no_rights_here"), transaction.atomic():
        user.save()


@pytest.mark.django_db
def test_the_form_of_accounts_says_so(admin_client: Client, settings: Settings) -> None:
    settings.ROOT_URLCONF = "flavorsync_project.urls"
    user = User.objects.create(username="frodo", password="!", external_id="keystone:c0ffee")
    form = {"username": "frodo", "is_active": "on", "is_staff": "on", "email": ""}
    page = admin_client.post(f"/admin/identity/user/{user.pk}/change/", form)
    assert "has the rights that it gives, no others" in page.content.decode()
    user.refresh_from_db()
    assert not user.is_staff


@pytest.mark.django_db
def test_local_accounts_are_known_nowhere_else() -> None:
    for name in ("one", "two"):
        assert make_account(name).external_id is None
