"""Sending events to subscribers: to each in order, at least once, and with back-off while a subscriber fails."""

import json
import logging
import random
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from smtplib import SMTPException
from typing import Any

import requests
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.utils import timezone
from django_tasks import task

from flavorsync_project.encryption import Undecryptable
from flavorsync_project.telemetry.request_id import traced
from infrastructures.locks import Locked, exclusive
from infrastructures.openstack.calls import LeadsHere
from infrastructures.openstack.sessions import CloudSession
from synchronisation.telling.models import Delivery, Event, Subscriber

logger = logging.getLogger(__name__)

# A task that has not ended by then is taken to have died with its worker.
LEASE = timedelta(minutes=10)
FIRST_BACK_OFF, LONGEST_BACK_OFF = timedelta(seconds=10), timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=3)
AT_ONCE = 100
"""The most events that one task sends to a subscriber, and that one e-mail contains."""
MESSAGE_LENGTH = 500
SOURCE = "/flavor-sync"


class NotTaken(Exception):
    """A subscriber has not accepted an event; the message says why."""


def send_due() -> int:
    """Put a task into the queue for each subscriber with events to send; return how many.

    Cost: two queries; two for each of these.
    """
    now = timezone.now()
    due = Subscriber.objects.active().filter(deliveries__isnull=False).distinct()
    count = 0
    for subscriber in due.exclude(waits_until__gt=now):
        claimed = Subscriber.objects.filter(pk=subscriber.pk, waits_until=subscriber.waits_until)
        if claimed.update(waits_until=now + LEASE):
            send_to.enqueue(subscriber.pk)
            count += 1
    return count


@task()
def send_to(subscriber_id: int) -> None:
    """Send a subscriber its pending events, in a worker."""
    with traced():
        tell(subscriber_id)


def tell(subscriber_id: int) -> None:
    """Send a subscriber up to `AT_ONCE` pending events, oldest first, until it does not accept one.

    Cost: some five queries, and one request for each event, or one e-mail for all.
    """
    try:
        with exclusive(f"subscriber:{subscriber_id}"):
            subscriber = Subscriber.objects.active().filter(pk=subscriber_id).first()
            if subscriber:
                _tell(subscriber)
    except Locked:
        return  # another worker is doing it


def send_test(subscriber: Subscriber) -> None:
    """Send a subscriber a test event.

    Raises:
        NotTaken: it does not accept the event.
    """
    _send(subscriber, [Event(kind="test", subject="test", data={"message": "Flavor Sync can reach you."})])


def _tell(subscriber: Subscriber) -> None:
    _give_up_old(subscriber)
    deliveries = list(subscriber.deliveries.select_related("event")[:AT_ONCE])
    size = 1 if subscriber.url else AT_ONCE
    try:
        for start in range(0, len(deliveries), size):
            batch = deliveries[start : start + size]
            _send(subscriber, [delivery.event for delivery in batch])
            Delivery.objects.filter(pk__in=[delivery.pk for delivery in batch]).delete()
    except NotTaken as error:
        subscriber.failures += 1
        subscriber.last_error = str(error)
        subscriber.waits_until = timezone.now() + _back_off(subscriber.failures)
        logger.warning("The subscriber %s does not take what it is told: %s", subscriber, error)
    else:
        subscriber.failures, subscriber.last_error, subscriber.waits_until = 0, "", None
    subscriber.save(update_fields=["failures", "last_error", "waits_until"])


def _give_up_old(subscriber: Subscriber) -> None:
    old = subscriber.deliveries.filter(event__created_at__lt=timezone.now() - GIVEN_UP_AFTER)
    count, _ = old.delete()
    if count:
        logger.error("The subscriber %s was not told of %s events: it took none for days", subscriber, count)


def _back_off(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: twice as long each time, with random jitter."""
    longest: timedelta = min(FIRST_BACK_OFF * 2 ** min(failures - 1, 20), LONGEST_BACK_OFF)
    return longest * random.uniform(0.5, 1)  # noqa: S311 — no secret


def _send(subscriber: Subscriber, events: Sequence[Event]) -> None:
    if subscriber.email:
        _mail(subscriber, events)
    else:
        for event in events:
            _post(subscriber, event)


def _post(subscriber: Subscriber, event: Event) -> None:
    """Send one event. Source: CloudEvents 1.0, "HTTP Protocol Binding", structured mode; Standard Webhooks 1.0."""
    body, now = json.dumps(as_cloud_event(event)), timezone.now()
    try:
        subscriber.require_allowed_url()
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": "flavor-sync",
            "webhook-id": str(event.pk),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": subscriber.webhook.sign(str(event.pk), now, body),
        }
        with CloudSession() as session:
            answer = session.post(
                subscriber.url,
                data=body,
                headers=headers,
                timeout=settings.OPENSTACK_TIMEOUT,
                verify=settings.OPENSTACK_VERIFY,
                allow_redirects=False,
            )
    except ValidationError as error:
        raise NotTaken(f"Its URL {' '.join(error.messages)}. Change the URL, or that list.") from None
    except Undecryptable:
        raise NotTaken("Its secret cannot be decrypted any more: make a new one.") from None
    except LeadsHere:
        raise NotTaken("Its host leads to this machine or its link.") from None
    except requests.RequestException as error:
        raise NotTaken(f"It does not answer ({type(error).__name__}).") from None
    if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        raise NotTaken(f"It answers {answer.status_code}.")


def as_cloud_event(event: Event) -> dict[str, Any]:
    """Return an event as JSON. Source: CloudEvents 1.0, "JSON Event Format"."""
    return {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": SOURCE,
        "type": f"flavor-sync.{event.kind}",
        "subject": event.subject,
        "time": event.created_at.isoformat(),
        "datacontenttype": "application/json",
        "data": event.data,
    }


def _mail(subscriber: Subscriber, events: Sequence[Event]) -> None:
    subject = str(events[0]) if len(events) == 1 else f"{len(events)} events"
    try:
        send_mail(f"Flavor Sync: {subject}", "\n\n".join(map(_in_words, events)) + "\n", None, [subscriber.email])
    except (SMTPException, OSError) as error:
        raise NotTaken(f"The mail server does not take it: {error}"[:MESSAGE_LENGTH]) from None


def _in_words(event: Event) -> str:
    lines = [f"{event.created_at:%Y-%m-%d %H:%M} UTC  {event.subject}: {event.get_kind_display()}"]
    lines += [f"  {flavor['name']}: {flavor['reason'] or flavor['state']}" for flavor in event.data.get("flavors", [])]
    if message := event.data.get("error") or event.data.get("message"):
        lines.append(f"  {message}")
    return "\n".join(lines)
