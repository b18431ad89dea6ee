"""Leaving alone for a while the nodes that have not answered in time: each costs a periodic run a whole time-out."""

import random
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from synchronisation.models import LastComparison, SyncNode

LONGEST = timedelta(hours=1)
# Of what it would be: nodes that went together do not all come to be asked in one run
LEAST_SHARE = 0.75


def back_off(silences: int) -> timedelta:
    """Return how long to leave a node alone that has not answered so often in a row: two periods, four, up to an hour.

    The last quarter is left to chance.
    """
    period = timedelta(minutes=settings.SYNC_INTERVAL_MINUTES)
    longest: timedelta = min(LONGEST, period * 2 ** min(silences, 12))
    share = random.uniform(LEAST_SHARE, 1)  # noqa: S311 — no secret
    return longest * share


def left_alone(nodes: Collection[SyncNode]) -> dict[SyncNode, str]:
    """Return those nodes that periodic runs are not to ask yet, and what there is to say of each. One query."""
    by_key = {node.infrastructure_id: node for node in nodes}
    waiting = LastComparison.objects.filter(infrastructure__in=by_key, ask_again_at__gt=timezone.now())
    return {by_key[last.infrastructure_id]: last.error for last in waiting}
