"""The roles that migrations have made, for every test: a plugin of pytest.

After a test with real transactions all tables are empty, and whichever test a worker runs next has no roles.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

Roles = dict[str, Sequence[tuple[str, ...]]]
"""The permissions of each role, by natural keys."""


@pytest.fixture(scope="session")
def _roles_of_migrations(django_db_setup: None, django_db_blocker: Any) -> Roles:
    with django_db_blocker.unblock():
        return {group.name: [each.natural_key() for each in group.permissions.all()] for group in Group.objects.all()}


@pytest.fixture(autouse=True)
def _roles(request: pytest.FixtureRequest) -> None:
    """Make the roles again where they have gone. One query when they are there."""
    wants = {"db", "transactional_db", "live_server", "admin_client", "admin_user"} & set(request.fixturenames)
    if not (wants or request.node.get_closest_marker("django_db")):
        return
    roles = request.getfixturevalue("_roles_of_migrations")
    request.getfixturevalue("_django_db_helper")
    if not Group.objects.exists():
        for name, permissions in roles.items():
            group = Group.objects.create(name=name)
            group.permissions.set([Permission.objects.get_by_natural_key(*key) for key in permissions])
