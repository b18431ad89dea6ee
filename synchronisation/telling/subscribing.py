"""Adding, changing and removing subscribers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from rest_framework.exceptions import NotFound

from infrastructures.models import Infrastructure
from synchronisation.telling.models import Subscriber

# Where its events go, one of the two
WAYS = ("url", "email")
# What no longer holds when they go somewhere else
HEALTHY: Mapping[str, Any] = {"failures": 0, "last_error": "", "waits_until": None}


@dataclass(frozen=True, kw_only=True)
class Written:
    """A subscriber as it is now; `secret` is the new one of its webhook, which is never shown again, or ""."""

    subscriber: Subscriber
    is_new: bool
    secret: str


def set_subscriber(
    *,
    name: str,
    values: Mapping[str, Any],
    nodes: Collection[Infrastructure] | None = None,
    renews_secret: bool = False,
) -> Written:
    """Add a subscriber, or change what is given of the one with this name.

    Args:
        values: by member; a new `url` or `email` takes the place of the other.
        nodes: those that it is told of, none for all; None leaves them as they are.
        renews_secret: whether its webhook gets a new secret, even if it has one.

    Raises:
        ValidationError: a value is refused, or it has no webhook whose secret could be renewed.

    Cost: some six queries, in one transaction.
    """
    with transaction.atomic():
        found = Subscriber.objects.select_for_update().filter(name=name).first()
        subscriber = found or Subscriber(name=name)
        changed = _changed(subscriber, values)
        for member, value in changed.items():
            setattr(subscriber, member, value)
        secret = _secret(subscriber, renews=renews_secret)
        subscriber.full_clean()
        # Whatever else is in the row, a worker may just be writing.
        subscriber.save(update_fields=[*changed, "encrypted_secret"] if found else None)
        if nodes is not None:
            subscriber.nodes.set(nodes)
    return Written(subscriber=subscriber, is_new=found is None, secret=secret)


def _changed(subscriber: Subscriber, values: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(values)
    if any(values.get(way) for way in WAYS):
        changed = {**dict.fromkeys(WAYS, ""), **changed}
    if any(changed.get(way, "") != getattr(subscriber, way) for way in WAYS if way in changed):
        changed |= HEALTHY
    return changed


def _secret(subscriber: Subscriber, *, renews: bool) -> str:
    if not subscriber.url and renews:
        raise ValidationError("Only a webhook has a secret.")
    return subscriber.renew_secret() if renews or subscriber.lacks_secret else ""


def remove_subscriber(*, name: str) -> int:
    """Remove a subscriber, and return how many events it had yet to be told.

    Raises:
        NotFound: there is none with this name.

    Cost: some five queries, in one transaction.
    """
    with transaction.atomic():
        subscriber = Subscriber.objects.select_for_update().filter(name=name).first()
        if subscriber is None:
            raise NotFound(f"There is no subscriber {name}.")
        pending = subscriber.deliveries.count()
        subscriber.delete()
    return pending
