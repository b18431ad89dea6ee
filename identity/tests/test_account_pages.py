"""Accounts and groups in the admin site."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from identity.models import User
from testing.accounts import make_account

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _pages(settings: Settings) -> None:
    settings.ROOT_URLCONF = "flavorsync_project.urls"


def test_an_account_is_given_groups_and_permissions_by_ticking_them(admin_client: Client) -> None:
    account = make_account("operator")
    change = reverse("admin:identity_user_change", args=[account.pk], urlconf="flavorsync_project.urls")
    group, permission = Group.objects.get(name="InfrastructureOwner"), Permission.objects.get(codename="promote_flavor")
    text = admin_client.get(change).text
    assert f'<input type="checkbox" name="groups" value="{group.pk}"' in text
    assert f'<input type="checkbox" name="user_permissions" value="{permission.pk}"' in text
    given = {"username": "operator", "is_active": "on", "is_staff": "on", "last_login_0": "2001-01-01"}
    given |= {"last_login_1": "00:00", "groups": str(group.pk), "user_permissions": str(permission.pk)}
    assert admin_client.post(change, given).status_code == 302
    joined = account.date_joined
    account.refresh_from_db()
    assert (list(account.groups.all()), list(account.user_permissions.all())) == ([group], [permission])
    # What the machine writes down is not for people to write.
    assert (account.last_login, account.date_joined) == (None, joined)


def test_a_groups_permissions_are_ticked(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    group = Group.objects.get(name="InfrastructureManager")
    change = reverse("admin:auth_group_change", args=[group.pk], urlconf="flavorsync_project.urls")
    (permission,) = group.permissions.all()[:1]
    with django_assert_max_num_queries(10):
        text = admin_client.get(change).text
    assert f'<input type="checkbox" name="permissions" value="{permission.pk}"' in text


def test_permissions_of_tables_that_no_page_shows_are_not_offered(admin_client: Client) -> None:
    for route in ("admin:identity_user_change", "admin:auth_group_add"):
        keys = [make_account("operator").pk] if "user" in route else []
        text = admin_client.get(reverse(route, args=keys, urlconf="flavorsync_project.urls")).text
        for offered in ("promote flavors", "Can view installation", "Can change node", "Can view synchronisation run"):
            assert offered in text
        for hidden in ("Task Result", "session", "content type", "Can add sighting", "Can add heartbeat"):
            assert hidden not in text


def test_no_page_promises_a_way_in_that_is_not_there(admin_client: Client) -> None:
    account = make_account("operator")
    urlconf = "flavorsync_project.urls"
    add = reverse("admin:identity_user_add", urlconf=urlconf)
    change_password = reverse("admin:auth_user_password_change", args=[account.pk], urlconf=urlconf)
    for url in (add, change_password):
        text = admin_client.get(url).text
        assert "LDAP" not in text
        assert "usable_password" not in text.replace("unusable_password_field", "")
    for url in (add, change_password):
        assert "This field is required." in admin_client.post(url, {"username": "new"}).text
    password = "a password of the tests"
    given = {"password1": password, "password2": password}
    assert admin_client.post(add, {"username": "new", **given}).status_code == 302
    assert admin_client.post(change_password, given).status_code == 302
    assert [User.objects.get(username=name).check_password(password) for name in ("new", "operator")] == [True, True]


def test_change_user_alone_is_as_much_as_all_permissions() -> None:
    """Django has it so, and docs/threat-model.md warns of it."""
    account = make_account("helpdesk", is_staff=True)
    account.user_permissions.add(Permission.objects.get(codename="change_user"))
    superuser = make_account("root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(account)
    urlconf = "flavorsync_project.urls"
    password = reverse("admin:auth_user_password_change", args=[superuser.pk], urlconf=urlconf)
    new = {"password1": "of-my-own-choice", "password2": "of-my-own-choice"}
    assert client.post(password, new).status_code == 302
    change = reverse("admin:identity_user_change", args=[account.pk], urlconf=urlconf)
    ticked = {"username": "helpdesk", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert client.post(change, ticked).status_code == 302
    superuser.refresh_from_db()
    account.refresh_from_db()
    assert superuser.check_password("of-my-own-choice")
    assert account.is_superuser
    history = LogEntry.objects.filter(user=account)
    assert set(history.values_list("object_repr", flat=True)) == {"helpdesk", "root"}
