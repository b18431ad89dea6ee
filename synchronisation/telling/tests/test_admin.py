"""Subscribers in the admin site, and by command."""

from collections.abc import Iterator
from io import StringIO

import pytest
import requests_mock
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook

from synchronisation.telling.models import Event, Kind, Subscriber
from synchronisation.telling.outbox import announce

pytestmark = pytest.mark.django_db

URL = "https://chat.example.org/hooks/1"
ADD = reverse("admin:telling_subscriber_add")
LIST = reverse("admin:telling_subscriber_changelist")


@pytest.fixture
def http() -> Iterator[requests_mock.Mocker]:
    """Whatever is sent by HTTP."""
    with requests_mock.Mocker() as mocker:
        yield mocker


def shown_secret(page: str) -> str:
    (_, _, rest) = page.partition("shown this once: ")
    return rest.split("<")[0].strip()


def test_the_secret_is_shown_once_and_signs(admin_client: Client, http: requests_mock.Mocker) -> None:
    http.post(URL)
    values = {"name": "chat", "url": URL, "email": "", "kinds": [Kind.NODE_GONE], "active": "on"}
    page = admin_client.post(ADD, values, follow=True).content.decode()
    secret = shown_secret(page)
    subscriber = Subscriber.objects.get()
    assert (subscriber.name, subscriber.kinds) == ("chat", ["node.gone"])
    change = reverse("admin:telling_subscriber_change", args=[subscriber.pk])
    assert secret not in admin_client.get(change).content.decode()
    chosen = {"action": "send_test_event", "_selected_action": [subscriber.pk]}
    assert "chat has taken a test event." in admin_client.post(LIST, chosen, follow=True).content.decode()
    (request,) = http.request_history
    Webhook(secret).verify(request.text, dict(request.headers))
    admin_client.post(LIST, {"action": "make_new_secret", "_selected_action": [subscriber.pk]}, follow=True)
    subscriber.refresh_from_db()
    now = timezone.now()
    assert subscriber.webhook.sign("1", now, "") != Webhook(secret).sign("1", now, "")
    admin_client.post(change, {**values, "name": "other"}, follow=True)
    assert Subscriber.objects.get().name == "other"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": "http://127.0.0.1/"}, "must not lead to this machine"),
        ({"url": URL, "email": "a@example.org"}, "one of the two"),
        ({"url": ""}, "one of the two"),
        ({"url": "ftp://example.org"}, "must be an http or https URL"),
        ({"email": "nobody"}, "Enter a valid email address."),
    ],
)
def test_what_cannot_be_told_is_refused(
    admin_client: Client, settings: Settings, values: dict[str, str], said: str
) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []
    page = admin_client.post(ADD, {"name": "chat", "active": "on", **values}).content.decode()
    assert said in page
    assert not Subscriber.objects.exists()


def test_the_list_says_how_it_goes_and_no_secret_part_of_a_url(admin_client: Client) -> None:
    Subscriber.objects.create(name="chat", url=f"{URL}?key=sesame", failures=2, last_error="It answers 500.")
    announce([Event(kind=Kind.NODE_GONE, subject="Mordor"), Event(kind=Kind.NODE_BACK, subject="Mordor")])
    page = admin_client.get(LIST).content.decode()
    assert "sesame" not in page
    assert "It answers 500. Failed 2 times in a row." in page
    assert 'class="field-pending">2</td>' in page


def test_the_command_lists_and_tests(http: requests_mock.Mocker) -> None:
    subscriber = Subscriber(name="chat", url=URL)
    subscriber.renew_secret()
    subscriber.save()
    out = StringIO()
    call_command("list_subscribers", stdout=out)
    assert out.getvalue() == "chat (webhook): 0 events to be told, fine\n"
    http.post(URL, [{"status_code": 204}, {"status_code": 500}])
    call_command("list_subscribers", "chat", "--test", stdout=out)
    with pytest.raises(CommandError, match=r"chat: It answers 500\."):
        call_command("list_subscribers", "--test", stdout=out)
    with pytest.raises(CommandError, match="There is no subscriber nobody"):
        call_command("list_subscribers", "nobody")
