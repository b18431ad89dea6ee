"""The groups of the roles, and how other apps' migrations give them permissions."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection

from identity.roles import Role, grant


def grant_reading() -> None:
    grant(
        apps,
        connection.schema_editor(),
        Role.INFRASTRUCTURE_MANAGER,
        app_label="library",
        model="book",
        codename="read_book",
        name="Can read books",
    )


@pytest.mark.django_db
def test_the_migration_makes_a_group_for_each_role() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= set(Role.values)


@pytest.mark.django_db
def test_a_migration_grants_a_permission_that_does_not_exist_yet() -> None:
    grant_reading()
    permission = Permission.objects.get(codename="read_book")
    assert (permission.name, permission.content_type.natural_key()) == ("Can read books", ("library", "book"))
    assert list(permission.group_set.values_list("name", flat=True)) == [Role.INFRASTRUCTURE_MANAGER]


@pytest.mark.django_db
def test_granting_twice_changes_nothing() -> None:
    grant_reading()
    before = Permission.objects.count(), Group.objects.count()
    grant_reading()
    assert (Permission.objects.count(), Group.objects.count()) == before
