"""What the staff does with flavors in the admin site: confirmed, reported, in the history, and within permissions."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from flavors.admin.confirming import CHANGED
from flavors.models import Flavor
from flavors.tests.test_admin import VALUES, member_of_staff
from infrastructures.models import Infrastructure
from testing.cloud import Federation, flavor_document, registered_clouds
from testing.flavors import document_of, make_flavor, make_installation
from testing.infrastructures import make_registered

pytestmark = pytest.mark.django_db

LIST = reverse("admin:flavors_flavor_changelist")


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Two clouds without a flavor, whose credentials we hold."""
    with registered_clouds("Mordor", "Spain2") as federation:
        yield federation


def act(client: Client, action: str, *flavors: Flavor, confirmed: bool = True, **values: Any) -> list[str]:
    """Do something with flavors and return what the next page says."""
    chosen = {"action": action, "_selected_action": [flavor.pk for flavor in flavors], **values}
    answer = client.post(LIST, chosen)
    if confirmed:
        answer = client.post(LIST, chosen | plan_of(answer))
        assert answer.status_code == 302
    return said(answer)


def plan_of(answer: Any) -> dict[str, str]:
    """Return the form data that confirms what a page has shown."""
    assert answer.status_code == 200
    return {"confirmed": "yes", "plan": answer.context["digest"]}


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def confirmation(client: Client, action: str, *flavors: Flavor) -> Any:
    answer = client.post(LIST, {"action": action, "_selected_action": [flavor.pk for flavor in flavors]})
    assert answer.status_code == 200
    return answer


def nodes(*names: str) -> dict[str, Any]:
    return {"nodes": list(Infrastructure.objects.filter(name__in=names).values_list("pk", flat=True))}


def history(flavor: Flavor) -> list[tuple[str, str]]:
    entries = LogEntry.objects.filter(object_id=str(flavor.pk)).order_by("pk")
    return [(entry.user.get_username(), entry.get_change_message()) for entry in entries]


def test_flavors_are_promoted_once_that_is_confirmed(admin_client: Client) -> None:
    plain, promoted = make_flavor(name="plain", promoted=False), make_flavor(name="promoted")
    draft = make_flavor(name="draft", promoted=False, public=False)
    answer = confirmation(admin_client, "promote_flavors", plain, promoted, draft)
    assert [(flavor.name, applies) for flavor, applies, _ in answer.context["prospects"]] == [
        ("draft", False),
        ("plain", True),
        ("promoted", False),
    ]
    assert not Flavor.objects.get(pk=plain.pk).promoted
    assert act(admin_client, "promote_flavors", plain, promoted, draft) == [
        "plain: promoted",
        "promoted: is already promoted",
        "draft: is not public: publish it first",
    ]
    assert [flavor.name for flavor in Flavor.objects.promoted()] == ["plain", "promoted"]
    assert (history(plain), history(promoted)) == ([("admin", "promoted")], [])


def test_a_draft_is_published(admin_client: Client) -> None:
    draft = make_flavor(name="draft", promoted=False, public=False)
    assert "everybody will see it" in confirmation(admin_client, "publish_flavors", draft).text
    assert act(admin_client, "publish_flavors", draft) == ["draft: published"]
    assert "is already public" in confirmation(admin_client, "publish_flavors", draft).text
    draft.refresh_from_db()
    assert (draft.public, history(draft)) == (True, [("admin", "published")])


def test_flavors_are_installed_in_nodes(admin_client: Client, federation: Federation) -> None:
    small = make_flavor(name="small", flavorid="1", extra_specs={"quota:vif": "1"})
    large = make_installation(make_flavor(name="large", flavorid="2"), "Spain2").flavor
    federation.clouds["Spain2"].flavors["2"] = document_of(large)
    answer = confirmation(admin_client, "install_flavors", small, large)
    assert [node.name for node in answer.context["form"]["nodes"].field.queryset] == ["Mordor", "Spain2"]
    assert federation.calls() == {}
    said = act(admin_client, "install_flavors", small, large, **nodes("Mordor", "Spain2"))
    assert said == ["large: installed in Mordor", "small: installed in Mordor, Spain2"]
    assert {name: sorted(cloud.flavors) for name, cloud in federation.clouds.items()} == {
        "Mordor": ["1", "2"],
        "Spain2": ["1", "2"],
    }
    assert federation.clouds["Spain2"].flavors["1"]["extra_specs"] == {"quota:vif": "1"}
    assert sorted(small.nodes) == sorted(large.nodes) == ["Mordor", "Spain2"]
    assert history(small) == [("admin", "installed in Mordor, Spain2")]


def test_what_fails_is_said_and_the_rest_is_done(admin_client: Client, federation: Federation) -> None:
    federation.clouds["Mordor"].flavors["1"] = flavor_document(id="1", name="small", vcpus=64)
    small, large = make_flavor(name="small", flavorid="1"), make_flavor(name="large", flavorid="2")
    said = act(admin_client, "install_flavors", small, large, **nodes("Mordor", "Spain2"))
    assert said[:2] == ["large: installed in Mordor, Spain2", "small: installed in Spain2"]
    assert said[2].startswith("small: Mordor: ")
    assert len(said) == 3
    assert small.nodes == ["Spain2"]
    reason = said[2].removeprefix("small: ")
    assert history(small) == [("admin", f"Installed in Spain2, but not in Mordor. {reason}")]


def test_each_node_that_failed_is_said_and_no_name_is_capitalised(admin_client: Client) -> None:
    for name in ("Isengard", "Lannion2"):
        make_registered(name)
    with Federation():  # in which nobody answers
        flavor = make_flavor(name="m1.small", flavorid="1")
        chosen = {"action": "install_flavors", "_selected_action": [flavor.pk], **nodes("Isengard", "Lannion2")}
        page = admin_client.post(LIST, chosen | plan_of(admin_client.post(LIST, chosen)), follow=True).text
    told = re.findall(r'<li class="error">(.*?)</li>', page)
    assert told == [f"m1.small: {node}: its Keystone could not be reached." for node in ("Isengard", "Lannion2")]


def test_what_is_so_already_is_no_failure(admin_client: Client) -> None:
    """As it is none for the command."""
    flavor = make_flavor(name="m1.small")
    for action, what in (("promote_flavors", "promoted"), ("publish_flavors", "public")):
        chosen = {"action": action, "_selected_action": [flavor.pk]}
        page = admin_client.post(LIST, chosen | plan_of(admin_client.post(LIST, chosen)), follow=True).text
        assert re.findall(r'<li class="(.*?)">(.*?)</li>', page) == [("success", f"m1.small: is already {what}")]


def test_installing_takes_a_node(admin_client: Client, federation: Federation) -> None:
    flavor = make_flavor()
    chosen = {"action": "install_flavors", "_selected_action": [flavor.pk]}
    answer = admin_client.post(LIST, chosen | plan_of(confirmation(admin_client, "install_flavors", flavor)))
    assert "Choose at least one node." in answer.text
    assert federation.calls() == {}


def test_nothing_is_done_that_was_not_shown(admin_client: Client, federation: Federation) -> None:
    flavor = make_flavor(name="m1.small", flavorid="1", ram=512)
    chosen = {"action": "install_flavors", "_selected_action": [flavor.pk], **nodes("Mordor")}
    assert admin_client.post(LIST, chosen | {"confirmed": "yes"}).status_code == 200
    shown = plan_of(admin_client.post(LIST, chosen))
    flavor.ram = 1024
    flavor.save()
    again = admin_client.post(LIST, chosen | shown)
    assert said(again) == [CHANGED]
    assert "1 GiB" in again.text
    assert federation.calls() == {}
    assert said(admin_client.post(LIST, chosen | plan_of(again)))[-1] == "m1.small: installed in Mordor"


# Who may do what


@pytest.mark.parametrize("permissions", [["view_flavor"], ["view_flavor", "change_flavor", "add_flavor"]])
def test_promoting_is_not_offered_and_cannot_be_forced(client: Client, permissions: list[str]) -> None:
    flavor = make_flavor(promoted=False)
    client.force_login(member_of_staff(*permissions))
    assert "promote_flavors" not in client.get(LIST).text
    change = reverse("admin:flavors_flavor_change", args=[flavor.pk])
    assert "promote_flavors" not in client.get(change).text
    act(client, "promote_flavors", flavor, confirmed=False)
    client.post(LIST, {"action": "promote_flavors", "_selected_action": [flavor.pk], "confirmed": "yes"})
    form = {"flavorid": flavor.flavorid, "name": "x", "vcpus": 1, "ram": 1, "disk": 1, "swap": 0, "ephemeral": 0}
    form |= {"rxtx_factor": 1.0, "extra_specs": "{}", "public": "on", "promoted": "on"}
    form |= {"installations-TOTAL_FORMS": "0", "installations-INITIAL_FORMS": "0"}
    client.post(change, form)
    client.post(reverse("admin:flavors_flavor_add"), form | {"flavorid": "new", "name": "new"})
    assert not Flavor.objects.promoted().exists()


@pytest.mark.parametrize("promoted", [True, False])
def test_a_published_flavor_is_changed_and_deleted_by_those_alone_who_may_promote(
    client: Client, promoted: bool
) -> None:
    flavor = make_flavor(promoted=promoted)
    client.force_login(member_of_staff("view_flavor", "change_flavor", "delete_flavor"))
    change = reverse("admin:flavors_flavor_change", args=[flavor.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {"name": "x"}).status_code == 403
    assert client.post(reverse("admin:flavors_flavor_delete", args=[flavor.pk]), {"post": "yes"}).status_code == 403
    client.post(LIST, {"action": "delete_selected", "_selected_action": [flavor.pk], "post": "yes"})
    assert Flavor.objects.filter(pk=flavor.pk).exists()


@pytest.mark.parametrize("permissions", [(), ("promote_flavor",)])
def test_a_draft_is_changed_in_the_form_and_published_and_promoted_elsewhere(
    client: Client, permissions: tuple[str, ...]
) -> None:
    draft = make_flavor(promoted=False, public=False)
    client.force_login(member_of_staff("view_flavor", "change_flavor", *permissions))
    change = reverse("admin:flavors_flavor_change", args=[draft.pk])
    form = VALUES | {"flavorid": draft.flavorid, "name": "x", "public": "on", "promoted": "on"}
    assert client.post(change, form).status_code == 302
    draft.refresh_from_db()
    assert (draft.name, draft.public, draft.promoted) == ("x", False, False)


@pytest.mark.parametrize("promoted", [True, False])
def test_what_is_published_or_promoted_stays_so(admin_client: Client, promoted: bool) -> None:
    flavor = make_flavor(promoted=promoted)
    change = reverse("admin:flavors_flavor_change", args=[flavor.pk])
    page = admin_client.get(change).text
    assert 'name="promoted"' not in page
    assert 'name="public"' not in page
    assert admin_client.post(change, VALUES | {"flavorid": flavor.flavorid, "name": "x"}).status_code == 302
    flavor.refresh_from_db()
    assert (flavor.name, flavor.public, flavor.promoted) == ("x", True, promoted)


def test_who_may_promote_needs_no_other_permission_for_it(client: Client) -> None:
    flavor = make_flavor(promoted=False)
    client.force_login(member_of_staff("view_flavor", "promote_flavor"))
    text = client.get(LIST).text
    assert "promote_flavors" in text
    assert "install_flavors" not in text
    assert act(client, "promote_flavors", flavor) == ["TestNano: promoted"]


def test_a_viewer_installs_nothing(client: Client, federation: Federation) -> None:
    flavor = make_flavor()
    client.force_login(member_of_staff("view_flavor"))
    client.post(
        LIST,
        {"action": "install_flavors", "_selected_action": [flavor.pk], "confirmed": "yes", **nodes("Spain2")},
    )
    assert (federation.calls(), flavor.nodes) == ({}, [])


def test_an_operator_installs_in_their_own_nodes_alone(client: Client, federation: Federation) -> None:
    flavor = make_flavor(flavorid="1")
    operator = member_of_staff("view_flavor", "change_flavor", "promote_flavor")
    operator.infrastructures.set(Infrastructure.objects.filter(name="Spain2"))
    client.force_login(operator)
    answer = confirmation(client, "install_flavors", flavor)
    assert [node.name for node in answer.context["form"]["nodes"].field.queryset] == ["Spain2"]
    forced = {"action": "install_flavors", "_selected_action": [flavor.pk], **nodes("Mordor"), **plan_of(answer)}
    assert "is not one of the available choices" in client.post(LIST, forced).text
    assert act(client, "install_flavors", flavor, **nodes("Spain2")) == ["TestNano: installed in Spain2"]
    assert federation.clouds["Mordor"].flavors == {}


def test_one_goes_back_where_one_came_from_but_nowhere_else(admin_client: Client) -> None:
    for next_url, location in [
        ("/admin/x/", "/admin/x/"),
        ("https://evil.example.org/", LIST),
        ("//evil.example", LIST),
    ]:
        flavor = make_flavor(name=next_url, promoted=False)
        chosen = {"action": "promote_flavors", "_selected_action": [flavor.pk], "next": next_url}
        answer = admin_client.post(LIST, chosen | plan_of(admin_client.post(LIST, chosen)))
        assert answer["Location"] == location
