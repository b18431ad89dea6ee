"""What pages say where there is nothing to show: what to do first, and where else to go."""

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from flavors.tests.test_admin import member_of_staff
from pages.templatetags.console import EMPTY
from testing.flavors import make_flavor, make_infrastructure

pytestmark = pytest.mark.django_db

MAP = reverse("admin:flavors_flavor_coverage")


@pytest.mark.parametrize("label", EMPTY)
def test_an_empty_list_says_what_to_do_first(admin_client: Client, label: str) -> None:
    model = apps.get_model(label)
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert EMPTY[label] in admin_client.get(url).text
    found = admin_client.get(f"{url}?q=nothing").text
    assert 'Nothing matches. <a href="?">Show all</a>' in found
    assert EMPTY[label] not in found


def test_an_empty_map_says_what_to_do_first(admin_client: Client) -> None:
    assert "No node is registered yet." in admin_client.get(MAP).text
    make_infrastructure("Crete")
    assert "No flavor is promoted yet." in admin_client.get(MAP).text
    assert "No flavor has been published yet." in admin_client.get(f"{MAP}?which=public").text
    make_flavor(name="a")
    assert "Nothing matches." in admin_client.get(f"{MAP}?flavor=b").text
    assert "Nothing matches." in admin_client.get(f"{MAP}?state=missing").text


def test_errors_keep_the_navigation(client: Client, admin_client: Client) -> None:
    missing = admin_client.get("/admin/nodes/0/")
    assert missing.status_code == 404
    assert f'<a href="{MAP}">Coverage</a>' in missing.text
    client.force_login(member_of_staff("view_flavor"))
    forbidden = client.get(reverse("admin:flavors_flavor_own"))
    assert forbidden.status_code == 403
    assert f'<a href="{MAP}">Coverage</a>' in forbidden.text
    for page in (client.get("/nowhere"), Client().get("/nowhere"), Client().get("/admin/nodes/0/x/", follow=True)):
        assert f'<a href="{MAP}">Coverage</a>' not in page.text
    assert '<a href="/v1/docs">API</a>' in client.get("/nowhere").text
