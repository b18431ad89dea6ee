"""Recording events and their deliveries, in the transaction that notices them."""

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone

from synchronisation.telling.models import Delivery, Event, Subscriber


def is_anybody_listening() -> bool:
    """Say whether there is an active subscriber. Cost: one query."""
    return Subscriber.objects.active().exists()


def announce(events: Collection[Event]) -> None:
    """Record events for the subscribers who want them; call this in a transaction.

    An event that nobody wants is not kept.

    Cost: two queries; two more if anybody wants one of the events.
    """
    if not events:
        return
    subscribers = Subscriber.objects.active().prefetch_related("nodes")
    deliveries = [
        Delivery(subscriber=subscriber, event=event)
        for subscriber, nodes in [(each, {node.pk for node in each.nodes.all()}) for each in subscribers]
        for event in events
        if subscriber.wants(event, nodes)
    ]
    wanted = {delivery.event_id for delivery in deliveries}
    Event.objects.bulk_create(event for event in events if event.pk in wanted)
    Delivery.objects.bulk_create(deliveries)


def forget_old_events(days: int) -> int:
    """Delete events that are older than *days* days, and return how many; 0 keeps all. One query if there are none."""
    if not days:
        return 0
    oldest = timezone.now() - timedelta(days=days)
    return Event.objects.filter(created_at__lt=oldest).delete()[1].get(Event._meta.label, 0)
