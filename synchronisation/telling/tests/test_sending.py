"""Telling subscribers: signed, in order, at least once, never to this machine, more rarely where nobody answers."""

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import requests
import requests_mock
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cryptography.fernet import Fernet
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from synchronisation.telling import sending
from synchronisation.telling.models import Delivery, Event, Kind, Subscriber
from synchronisation.telling.outbox import announce

pytestmark = pytest.mark.django_db

URL = "https://chat.example.org/hooks/1?key=a-secret-of-theirs"


@pytest.fixture
def http() -> Iterator[requests_mock.Mocker]:
    """Whatever is sent by HTTP."""
    with requests_mock.Mocker() as mocker:
        yield mocker


@pytest.fixture
def secret() -> str:
    """The secret of the subscriber "chat"."""
    subscriber = Subscriber(name="chat", url=URL)
    secret = subscriber.renew_secret()
    subscriber.save()
    return secret


def happened(*subjects: str) -> list[Event]:
    events = [Event(kind=Kind.NODE_GONE, subject=subject, data={"error": "It is down."}) for subject in subjects]
    announce(events)
    return events


def tell() -> Subscriber:
    subscriber = Subscriber.objects.get(name="chat")
    sending.tell(subscriber.pk)
    subscriber.refresh_from_db()
    return subscriber


def test_an_event_is_a_signed_cloud_event(secret: str, http: requests_mock.Mocker) -> None:
    http.post(URL, status_code=204)
    (event,) = happened("Mordor")
    tell()
    (request,) = http.request_history
    assert Webhook(secret).verify(request.text, dict(request.headers)) == json.loads(request.text)
    received = from_http_event(HTTPMessage(headers=dict(request.headers), body=request.text.encode()))
    assert received.get_id() == request.headers["webhook-id"] == str(event.pk)
    assert (received.get_type(), received.get_source(), received.get_subject()) == (
        "flavor-sync.node.gone", "/flavor-sync", "Mordor",
    )  # fmt: skip
    assert received.get_data() == {"error": "It is down."}
    assert not Delivery.objects.exists()


def test_another_secret_is_another_signature(secret: str, http: requests_mock.Mocker) -> None:
    http.post(URL)
    happened("Mordor")
    tell()
    (request,) = http.request_history
    with pytest.raises(WebhookVerificationError):
        Webhook(Subscriber().renew_secret()).verify(request.text, dict(request.headers))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status_code": 500}, "It answers 500."),
        ({"status_code": 302, "headers": {"Location": "http://127.0.0.1/"}}, "It answers 302."),
        ({"exc": requests.ConnectTimeout}, "It does not answer (ConnectTimeout)."),
    ],
)
def test_what_is_not_taken_is_kept_and_sent_again_in_order(
    secret: str, http: requests_mock.Mocker, answer: dict[str, Any], said: str
) -> None:
    http.post(URL, [{"status_code": 200}, answer, {"status_code": 200}, {"status_code": 200}])
    events = happened("A", "B", "C")
    subscriber = tell()
    assert (subscriber.failures, subscriber.last_error) == (1, said)
    assert subscriber.waits_until
    assert subscriber.waits_until > timezone.now()
    assert sending.send_due() == 0, "it is left alone for a while"
    subscriber = tell()
    assert (subscriber.failures, subscriber.last_error, subscriber.waits_until) == (0, "", None)
    sent = [request.headers["webhook-id"] for request in http.request_history]
    assert sent == [str(events[number].pk) for number in (0, 1, 1, 2)]


def test_it_waits_longer_each_time_up_to_an_hour(secret: str, http: requests_mock.Mocker) -> None:
    http.post(URL, status_code=503)
    happened("A")
    waits = []
    for _ in range(12):
        began = timezone.now()
        until = tell().waits_until
        assert until
        waits.append((until - began).total_seconds())
    assert 5 <= waits[0] <= 11
    assert all(late > early for early, late in zip(waits[:6:2], waits[2:8:2], strict=True))
    assert 1800 <= waits[-1] <= 3601


def test_after_days_it_is_given_up(secret: str, http: requests_mock.Mocker, caplog: pytest.LogCaptureFixture) -> None:
    http.post(URL)
    happened("A", "B")
    Event.objects.filter(subject="A").update(created_at=timezone.now() - timedelta(days=3, minutes=1))
    tell()
    assert [json.loads(request.text)["subject"] for request in http.request_history] == ["B"]
    assert "was not told of 1 events" in caplog.text


def test_two_schedulers_start_one_task(secret: str, http: requests_mock.Mocker) -> None:
    http.post(URL, status_code=200)
    happened("A")
    assert [sending.send_due(), sending.send_due()] == [1, 0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://169.254.169.254/latest", "https://localhost/hook"])
def test_nobody_here_is_told(url: str, settings: Settings) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []
    with pytest.raises(ValidationError, match="must not lead to this machine"):
        Subscriber(name="here", url=url).full_clean()


def test_a_name_that_leads_here_is_not_followed(
    secret: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []

    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    happened("A")
    assert tell().last_error == "Its host leads to this machine or its link."


def test_a_host_that_the_list_no_longer_allows_is_not_told(
    secret: str, http: requests_mock.Mocker, settings: Settings
) -> None:
    http.post(URL)
    happened("A")
    settings.INFRASTRUCTURE_URL_ALLOWLIST = [".example.com"]
    subscriber = tell()
    assert subscriber.last_error == (
        "Its URL names a host that INFRASTRUCTURE_URL_ALLOWLIST does not allow. Change the URL, or that list."
    )
    assert sending.send_due() == 0, "it is left alone for a while"
    with pytest.raises(sending.NotTaken, match="INFRASTRUCTURE_URL_ALLOWLIST"):
        sending.send_test(subscriber)
    assert not http.request_history

    settings.INFRASTRUCTURE_URL_ALLOWLIST = [".example.org"]
    assert tell().last_error == ""
    assert len(http.request_history) == 1


def test_what_is_for_a_host_that_is_not_allowed_is_given_up_like_all_that_is_not_taken(
    secret: str, http: requests_mock.Mocker, settings: Settings
) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = [".example.com"]
    happened("A")
    Event.objects.update(created_at=timezone.now() - timedelta(days=3, minutes=1))
    tell()
    assert not Delivery.objects.exists()
    assert sending.send_due() == 0
    assert not http.request_history


@pytest.mark.parametrize("values", [{}, {"url": URL, "email": "a@example.org"}])
def test_there_is_one_way_to_each(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="one of the two"):
        Subscriber(name="both", **values).full_clean()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"must be a list of drift\.found"):
        Subscriber(name="who", email="a@example.org", kinds=["rain"]).full_clean()


def test_an_e_mail_tells_all_at_once() -> None:
    Subscriber.objects.create(name="chat", email="operators@example.org")
    happened("Mordor", "Rohan")
    tell()
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["operators@example.org"], "Flavor Sync: 2 events")
    assert "Mordor: node does not answer\n  It is down.\n" in message.body
    assert not Delivery.objects.exists()


def test_the_secret_is_encrypted_and_not_shown(secret: str) -> None:
    subscriber = Subscriber.objects.get(name="chat")
    assert secret not in subscriber.encrypted_secret
    assert secret not in repr(vars(subscriber))


def test_the_secret_moves_to_a_new_key_with_the_clouds_passwords(secret: str, settings: Settings) -> None:
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    Subscriber.objects.create(name="mail", email="operators@example.org")
    out = StringIO()
    call_command("rotate_encryption_keys", stdout=out)
    assert out.getvalue() == "1 password encrypted anew.\n"
    settings.FIELD_ENCRYPTION_KEYS = [new]
    now = timezone.now()
    assert Subscriber.objects.get(name="chat").webhook.sign("1", now, "") == Webhook(secret).sign("1", now, "")
