"""What a token proves: roles, owned nodes and permissions."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from pytest_django import DjangoAssertNumQueries

from identity.keyrock import user_of
from identity.principals import TokenUser
from identity.roles import Role
from testing.accounts import make_answer, make_organization, make_role

MANAGER, OWNER = Role.INFRASTRUCTURE_MANAGER.value, Role.INFRASTRUCTURE_OWNER.value


def make_user(**overrides: object) -> TokenUser:
    return user_of(make_answer(**overrides))


def test_a_basic_user_has_a_name_and_no_role() -> None:
    user = make_user()
    assert (user.id, user.username, user.email) == (
        "b6a5f0de-3c3b-4a52-9f3e-3a1b7b7a0001",
        "basic",
        "basic@example.org",
    )
    assert user.roles == frozenset()
    assert user.owned_nodes == frozenset()
    assert str(user) == "basic"


def test_looks_like_a_user_of_django_without_being_stored_or_staff() -> None:
    user = make_user()
    assert user.pk is None
    assert (user.is_authenticated, user.is_active, user.is_anonymous) == (True, True, False)
    assert (user.is_staff, user.is_superuser) == (False, False)
    with pytest.raises(FrozenInstanceError):
        user.roles = frozenset({MANAGER})  # type: ignore[misc]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"roles": [make_role(MANAGER)]}, id="top level"),
        pytest.param({"organizations": [make_organization("Any", MANAGER)]}, id="organization"),
        pytest.param({"roles": [make_role("Other"), make_role(MANAGER)]}, id="among others"),
    ],
)
def test_a_manager_is_one_wherever_the_role_is_given(document: dict[str, Any]) -> None:
    user = make_user(**document)
    assert user.roles == {MANAGER}
    assert user.owned_nodes == frozenset()


@pytest.mark.parametrize(
    ("organization", "node"),
    [
        ("Spain2 FIDASH", "Spain2"),
        ("Spain2", "Spain2"),
        ("Spain2 FIDASH FIDASH", "Spain2 FIDASH"),
        ("Spain2FIDASH", "Spain2FIDASH"),
        ("Spain2 fidash", "Spain2 fidash"),
    ],
)
def test_an_owner_owns_the_node_of_the_organization(organization: str, node: str) -> None:
    user = make_user(organizations=[make_organization(organization, OWNER)])
    assert user.roles == {OWNER}
    assert user.owned_nodes == {node}


def test_owns_the_nodes_of_several_organizations_but_not_where_a_mere_member() -> None:
    user = make_user(
        organizations=[
            make_organization("Spain2 FIDASH", OWNER),
            make_organization("Mordor", OWNER, MANAGER),
            make_organization("Lannion2 FIDASH", "Member"),
        ]
    )
    assert user.owned_nodes == {"Spain2", "Mordor"}
    assert user.roles == {OWNER, MANAGER}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"roles": [make_role(OWNER)]}, id="owner at top level"),
        pytest.param({"organizations": [make_organization(" FIDASH", OWNER)]}, id="no node left of the name"),
        pytest.param({"organizations": [make_organization("", OWNER)]}, id="organization without a name"),
        pytest.param({"organizations": [make_organization(7, OWNER)]}, id="name is a number"),
        pytest.param({"roles": [make_role("Administrators")]}, id="another group's name"),
        pytest.param({"roles": [make_role("infrastructuremanager")]}, id="another case"),
        pytest.param({"roles": None}, id="roles null"),
        pytest.param({"roles": MANAGER}, id="roles a string"),
        pytest.param({"roles": {"name": MANAGER}}, id="roles an object"),
        pytest.param({"roles": [MANAGER]}, id="role a string"),
        pytest.param({"roles": [[make_role(MANAGER)]]}, id="role a list"),
        pytest.param({"roles": [None, 1, True]}, id="roles nothing of the kind"),
        pytest.param({"roles": [{"id": MANAGER}]}, id="role without a name"),
        pytest.param({"roles": [make_role([MANAGER])]}, id="name a list"),
        pytest.param({"roles": [make_role({MANAGER: 1})]}, id="name an object"),
        pytest.param({"organizations": None}, id="organizations null"),
        pytest.param({"organizations": "Spain2"}, id="organizations a string"),
        pytest.param({"organizations": ["Spain2", None, 3]}, id="organization a string"),
        pytest.param({"organizations": [{"name": "Spain2"}]}, id="organization without roles"),
        pytest.param({"organizations": [{"name": "Spain2", "roles": OWNER}]}, id="its roles a string"),
    ],
)
def test_whatever_else_is_listed_grants_nothing(document: dict[str, Any]) -> None:
    user = make_user(**document)
    assert user.roles == frozenset()
    assert user.owned_nodes == frozenset()


def test_lists_may_be_missing() -> None:
    user = user_of({"id": "1"})
    assert (user.id, user.username, user.email) == ("1", "", "")
    assert user.roles == frozenset()


@pytest.mark.django_db
def test_has_the_permissions_of_the_groups_named_like_the_roles(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    Group.objects.get(name=MANAGER).permissions.add(Permission.objects.get(codename="add_user"))
    Group.objects.get(name=OWNER).permissions.add(Permission.objects.get(codename="view_user"))
    user = make_user(roles=[make_role(MANAGER)])
    with django_assert_num_queries(1):
        assert user.has_perm("identity.add_user")
        assert not user.has_perm("identity.view_user")
        assert not user.has_perm("auth.add_user")
        assert not user.has_perm("add_user")
    assert not user.has_perm("identity.add_user", object())


@pytest.mark.django_db
def test_without_a_role_nothing_is_asked(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert not make_user().has_perm("identity.add_user")


@pytest.mark.parametrize(
    ("username", "shown"),
    [
        ("Frodo Baggins", "Frodo Baggins"),
        ("Éowyn 🐎", "Éowyn 🐎"),
        ("x" * 300, "x" * 255),
        ("half \ud800", "half \ufffd"),
        ("two\nlines\0", "two\ufffdlines\ufffd"),
    ],
)
def test_a_name_is_one_that_can_be_stored_and_shown(username: str, shown: str) -> None:
    assert str(make_user(username=username)) == shown


def test_half_a_character_names_no_node() -> None:
    user = make_user(organizations=[make_organization("Spain\ud8002", OWNER), make_organization("Mordor", OWNER)])
    assert user.owned_nodes == {"Mordor"}
