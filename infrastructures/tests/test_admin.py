"""The clouds, the replacements and the accounts in the admin site."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from identity.models import User
from infrastructures.clouds import open_nova
from infrastructures.models import Check, Infrastructure
from infrastructures.openstack.errors import CredentialsRefused
from testing.cloud import Federation
from testing.infrastructures import PASSWORD, make_infrastructure, make_registered, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def make_user(number: int) -> None:
    User.objects.create(username=f"user-{number:02}", email=f"{number:02}@example.org")


def make_cloud(number: int) -> None:
    cloud = make_registered(f"Node {number:02}", keystone_url=f"https://{number:02}.example.org")
    cloud.operators.set([User.objects.create(username=f"operator-{number:02}")])
    Check.objects.create(infrastructure=cloud, checked_at=timezone.now())


def make_entry(number: int) -> None:
    LogEntry.objects.create(
        user=User.objects.create(username=f"user-{number:02}"),
        content_type=ContentType.objects.get_for_model(User),
        object_repr=f"thing {number:02}",
        action_flag=CHANGE,
    )


def make_open(number: int) -> None:
    make_replacement(infrastructure=make_infrastructure(f"Node {number:02}"), flavorid=f"flavor-{number:02}")


# The list, what makes a row, and what finds the first of them.
LISTS: list[tuple[str, Callable[[int], None], str]] = [
    ("infrastructures_infrastructure", make_cloud, "00.example.org"),
    ("infrastructures_replacement", make_open, "Node 00"),
    ("identity_user", make_user, "user-00"),
    ("admin_logentry", make_entry, "thing 00"),
]


@pytest.mark.parametrize(("model", "make", "found_by"), LISTS)
def test_a_list_can_be_searched(admin_client: Client, model: str, make: Callable[[int], None], found_by: str) -> None:
    for count in range(3):
        make(count)
    url = reverse(f"admin:{model}_changelist")
    assert admin_client.get(url, {"q": found_by}).context["cl"].result_count == 1
    assert admin_client.get(url, {"q": "nobody"}).context["cl"].result_count == 0


@pytest.mark.parametrize("model", [model for model, *_ in LISTS])
def test_a_member_of_the_staff_without_permissions_sees_nothing(client: Client, model: str) -> None:
    client.force_login(User.objects.create(username="staff", is_staff=True))
    assert client.get(reverse(f"admin:{model}_changelist")).status_code == 403
    assert b"Infrastructures" not in client.get(reverse("admin:index")).content


def test_replacements_are_neither_made_nor_changed_nor_deleted(admin_client: Client) -> None:
    record = make_replacement()
    change = reverse("admin:infrastructures_replacement_change", args=[record.pk])
    assert admin_client.get(reverse("admin:infrastructures_replacement_add")).status_code == 403
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"goal": "old", "_save": "Save"}).status_code == 403
    assert (
        admin_client.post(
            reverse("admin:infrastructures_replacement_delete", args=[record.pk]), {"post": "yes"}
        ).status_code
        == 403
    )
    record.refresh_from_db()
    assert record.goal == "new"


def test_replacements_are_shown_to_those_who_may_view_them(client: Client) -> None:
    user = User.objects.create(username="staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_replacement"))
    client.force_login(user)
    record = make_replacement()
    assert client.get(reverse("admin:infrastructures_replacement_changelist")).status_code == 200
    assert client.get(reverse("admin:infrastructures_replacement_delete", args=[record.pk])).status_code == 403


def test_a_malformed_infrastructure_is_said_on_its_form(admin_client: Client) -> None:
    make_infrastructure("Spain2")
    answer = admin_client.post(
        reverse("admin:infrastructures_infrastructure_add"),
        {"name": "Spain2", "keystone_url": "nowhere", "user_domain": "Default", "project_domain": "Default"},
    )
    assert answer.status_code == 200
    assert answer.context["adminform"].errors == {
        "__all__": ["There is already a node of this name."],
        "keystone_url": ["must be an http or https URL"],
    }


# Credentials

ADD = reverse("admin:infrastructures_infrastructure_add")
VALUES = {
    "name": "Spain2",
    "keystone_url": "https://keystone.spain2.example.org/v3",
    "tenant": "operators",
    "username": "spain2-operator",
    "user_domain": "Users",
    "project_domain": "Projects",
}


def change_url(infrastructure: Infrastructure, page: str = "change") -> str:
    return reverse(f"admin:infrastructures_infrastructure_{page}", args=[infrastructure.pk])


def errors_of(answer: Any) -> dict[str, list[str]]:
    """Return what the form finds fault with, having checked that it gives no password back."""
    assert answer.status_code == 200
    assert PASSWORD not in answer.text
    return {member: list(messages) for member, messages in answer.context["adminform"].errors.items()}


def test_a_cloud_is_registered_with_its_credentials(admin_client: Client) -> None:
    operator = User.objects.create(username="operator")
    values = VALUES | {"password": PASSWORD, "region": "RegionOne", "nova_url": "https://n", "operators": [operator.pk]}
    assert admin_client.post(ADD, values).status_code == 302
    stored = Infrastructure.objects.get()
    assert {member: getattr(stored, member) for member in VALUES} == VALUES
    assert (stored.region, stored.nova_url, stored.get_password()) == ("RegionOne", "https://n", PASSWORD)
    assert list(stored.operators.all()) == [operator]


def test_a_password_is_kept_to_the_letter(admin_client: Client) -> None:
    admin_client.post(ADD, VALUES | {"password": " pass wörd\t "})
    assert Infrastructure.objects.get().get_password() == " pass wörd\t "


@pytest.mark.parametrize(
    ("given", "then"),
    [({}, PASSWORD), ({"password": ""}, PASSWORD), ({"password": "new"}, "new"), ({"clear_password": "on"}, "")],
    ids=["nothing", "empty", "another", "cleared"],
)
def test_a_stored_password_is_kept_changed_or_cleared(admin_client: Client, given: dict[str, str], then: str) -> None:
    infrastructure = make_registered("Spain2")
    assert admin_client.post(change_url(infrastructure), VALUES | {"region": "RegionOne"} | given).status_code == 302
    infrastructure.refresh_from_db()
    assert (infrastructure.get_password(), infrastructure.region) == (then, "RegionOne")


@pytest.mark.parametrize("member", ["keystone_url", "nova_url"])
def test_a_stored_password_is_not_sent_elsewhere(admin_client: Client, member: str) -> None:
    infrastructure = make_registered("Spain2")
    elsewhere = VALUES | {member: "https://elsewhere.example.org"}
    answer = admin_client.post(change_url(infrastructure), elsewhere)
    assert errors_of(answer) == {"password": ["Give it again: a stored password is not sent to another address."]}
    assert admin_client.post(change_url(infrastructure), elsewhere | {"password": "new"}).status_code == 302
    infrastructure.refresh_from_db()
    assert (getattr(infrastructure, member), infrastructure.get_password()) == ("https://elsewhere.example.org", "new")


def test_a_password_is_not_set_and_cleared_at_once(admin_client: Client) -> None:
    infrastructure = make_registered("Spain2", password="the old one")
    answer = admin_client.post(change_url(infrastructure), VALUES | {"password": PASSWORD, "clear_password": "on"})
    assert errors_of(answer) == {"clear_password": ["Give a new password or forget the stored one, not both."]}
    infrastructure.refresh_from_db()
    assert infrastructure.get_password() == "the old one"


@pytest.mark.parametrize("missing", ["keystone_url", "tenant", "username"])
@pytest.mark.parametrize("is_stored", [True, False])
def test_credentials_are_whole(admin_client: Client, missing: str, is_stored: bool) -> None:
    url = change_url(make_registered("Spain2")) if is_stored else ADD
    given = {} if is_stored else {"password": PASSWORD}
    assert errors_of(admin_client.post(url, VALUES | given | {missing: ""})) == {
        "__all__": ["Credentials are a Keystone URL, a user name, a password and a tenant."]
    }
    assert Infrastructure.objects.count() == is_stored


@pytest.mark.parametrize("given", [{"username": ""}, {"tenant": ""}, {}])
def test_half_of_the_credentials_is_none(admin_client: Client, given: dict[str, str]) -> None:
    assert errors_of(admin_client.post(ADD, VALUES | given)) == {
        "password": ["Give one, too: credentials are complete, or there are none."]
    }
    assert not Infrastructure.objects.exists()


def test_what_is_forgotten_is_the_whole_account(admin_client: Client) -> None:
    infrastructure = make_registered("Spain2")
    admin_client.post(change_url(infrastructure), VALUES | {"clear_password": "on"})
    infrastructure.refresh_from_db()
    assert (infrastructure.username, infrastructure.tenant, infrastructure.has_credentials) == ("", "", False)


def test_a_name_is_taken_in_any_case(admin_client: Client) -> None:
    make_infrastructure("spain2")
    assert errors_of(
        admin_client.post(ADD, {"name": "Spain2", "user_domain": "Default", "project_domain": "Default"})
    ) == {"__all__": ["There is already a node of this name."]}


def test_who_registers_a_cloud_on_the_page_is_written_down(admin_client: Client) -> None:
    values = {"name": "Spain2", "user_domain": "Default", "project_domain": "Default"}
    admin_client.post(ADD, values)
    assert Infrastructure.objects.get().registered_by == "admin"
    Infrastructure.objects.update(registered_by="somebody")
    admin_client.post(change_url(Infrastructure.objects.get()), values)
    assert Infrastructure.objects.get().registered_by == "somebody"


def test_without_a_password_nothing_else_is_needed(admin_client: Client) -> None:
    values = {"name": "Spain2", "user_domain": "Default", "project_domain": "Default"}
    assert admin_client.post(ADD, values).status_code == 302
    assert not Infrastructure.objects.get().has_credentials


@pytest.mark.parametrize(
    ("member", "url"),
    [
        ("keystone_url", "file:///etc/passwd"),
        ("nova_url", "javascript:alert(1)"),
    ],
)
def test_urls_are_checked(admin_client: Client, member: str, url: str) -> None:
    answer = admin_client.post(ADD, VALUES | {"password": PASSWORD, member: url})
    assert errors_of(answer) == {member: ["must be an http or https URL"]}


def test_what_the_machine_owns_cannot_be_written(admin_client: Client) -> None:
    infrastructure = make_registered("Spain2", registered_by="somebody")
    admin_client.post(
        change_url(infrastructure),
        VALUES | {"registered_by": "me", "encrypted_password": "x", "created_at_0": "2001-01-01", "created_at": "x"},
    )
    before = infrastructure.created_at
    infrastructure.refresh_from_db()
    assert (infrastructure.registered_by, infrastructure.get_password()) == ("somebody", PASSWORD)
    assert infrastructure.created_at == before


def test_the_list_says_which_clouds_have_credentials(admin_client: Client) -> None:
    make_infrastructure("A without")
    make_registered("B with", registered_by="somebody")
    answer = admin_client.get(reverse("admin:infrastructures_infrastructure_changelist"))
    icons = [name for name in ("icon-no.svg", "icon-yes.svg") if name in answer.text]
    assert icons == ["icon-no.svg", "icon-yes.svg"]
    assert answer.text.index("icon-no.svg") < answer.text.index("icon-yes.svg")
    assert "somebody" in answer.text


def test_a_password_is_on_no_page(admin_client: Client) -> None:
    admin_client.post(ADD, VALUES | {"password": "the first one"})
    infrastructure = Infrastructure.objects.get()
    admin_client.post(change_url(infrastructure), VALUES | {"password": PASSWORD})
    pages = [reverse("admin:infrastructures_infrastructure_changelist"), reverse("admin:index"), ADD]
    pages += [change_url(infrastructure, page) for page in ("change", "history", "delete")]
    infrastructure.refresh_from_db()
    for page in pages:
        answer = admin_client.get(page)
        assert answer.status_code == 200
        for secret in (PASSWORD, "the first one", infrastructure.encrypted_password):
            assert secret not in answer.text
    assert "spain2-operator" in admin_client.get(change_url(infrastructure)).text
    assert "Changed password." in admin_client.get(change_url(infrastructure, "history")).text


def test_who_may_only_look_sees_no_password_and_changes_nothing(client: Client) -> None:
    user = User.objects.create(username="staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_infrastructure"))
    client.force_login(user)
    infrastructure = make_registered("Spain2")
    answer = client.get(change_url(infrastructure))
    assert answer.status_code == 200
    assert "spain2-operator" in answer.text
    assert PASSWORD not in answer.text
    assert infrastructure.encrypted_password not in answer.text
    assert client.post(change_url(infrastructure), VALUES | {"clear_password": "on"}).status_code == 403
    infrastructure.refresh_from_db()
    assert infrastructure.has_credentials


def test_a_changed_record_is_used_at_once(admin_client: Client) -> None:
    infrastructure = make_registered("Spain2", password="wrong")
    with Federation() as federation:
        cloud = federation.add("Spain2")
        with pytest.raises(CredentialsRefused):
            open_nova(infrastructure)
        admin_client.post(change_url(infrastructure), VALUES | {"password": PASSWORD})
        assert open_nova(Infrastructure.objects.get()).list_flavors() == []
        assert (cloud.authentications, cloud.calls) == (2, ["GET /flavors/detail"])


# Connections

CHECK = "check_connections"
LIST = reverse("admin:infrastructures_infrastructure_changelist")


def check(client: Client, *infrastructures: Infrastructure, **values: str) -> list[str]:
    chosen = {"action": CHECK, "_selected_action": [infrastructure.pk for infrastructure in infrastructures]}
    answer = client.post(LIST, chosen | values)
    assert answer.status_code == 302
    assert answer["Location"] == values.get("next", LIST)
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_connections_are_checked_and_what_came_of_it_is_kept(admin_client: Client) -> None:
    good, bad, without = make_registered("Good"), make_registered("Bad", password="wrong"), make_infrastructure("None")
    assert admin_client.get(LIST).text.count("never checked") == 3
    with Federation() as federation:
        for name in ("Good", "Bad"):
            federation.add(name)
        said = check(admin_client, good, bad, without)
    assert said[1] == "Good: we can enter it and manage flavors there."
    assert said[0].startswith("Bad: ")
    assert said[2].startswith("None: ")
    text = admin_client.get(LIST).text
    assert (text.count("✓ ready"), text.count("✕ trouble")) == (1, 2)
    good.refresh_from_db()
    assert (good.check_result.authenticated, good.check_result.microversion) == (True, "2.96")
    page = admin_client.get(change_url(good)).text
    assert "https://nova.good.example.org/v2.1" in page
    assert f"{good.check_result.checked_at:%Y-%m-%d %H:%M} UTC" in page
    assert PASSWORD not in page
    with Federation() as federation:
        federation.add("Bad").password = "wrong"
        assert check(admin_client, bad, next=change_url(bad)) == ["Bad: we can enter it and manage flavors there."]
    assert admin_client.get(LIST).text.count("✓ ready") == 2


def test_a_viewer_checks_no_connection(client: Client) -> None:
    user = User.objects.create(username="staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_infrastructure"))
    client.force_login(user)
    infrastructure = make_registered("Spain2")
    assert CHECK not in client.get(LIST).text
    client.post(LIST, {"action": CHECK, "_selected_action": [infrastructure.pk]})
    assert not Check.objects.exists()


def test_who_did_what_is_shown_and_cannot_be_changed(admin_client: Client) -> None:
    make_entry(1)
    (entry,) = LogEntry.objects.all()
    change = reverse("admin:admin_logentry_change", args=[entry.pk])
    assert "thing 01" in admin_client.get(reverse("admin:admin_logentry_changelist")).text
    assert admin_client.get(change).status_code == 200
    for page in ("change", "delete"):
        url = reverse(f"admin:admin_logentry_{page}", args=[entry.pk])
        assert admin_client.post(url, {"post": "yes"}).status_code == 403
    assert admin_client.get(reverse("admin:admin_logentry_add")).status_code == 403


def test_this_machine_is_no_cloud(admin_client: Client, settings: Settings) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []
    near = "must not lead to this machine or its link (INFRASTRUCTURE_URL_ALLOWLIST can name exceptions)"
    answer = admin_client.post(ADD, VALUES | {"password": PASSWORD, "nova_url": "http://169.254.169.254/v2.1"})
    assert errors_of(answer) == {"nova_url": [near]}
    assert not Infrastructure.objects.exists()
