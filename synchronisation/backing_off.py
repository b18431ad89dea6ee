"""Backing off from nodes that have timed out: each would cost every periodic run a whole time-out."""

import random
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from synchronisation.models import LastComparison, SyncNode

LONGEST = timedelta(hours=1)
# The random share of a pause, so that nodes that failed together are not all asked again in one run
LEAST_SHARE = 0.75


def back_off(silences: int) -> timedelta:
    """Return how long to leave a node alone after so many time-outs in a row: two periods, four, up to an hour.

    Up to a quarter of it is left out at random.
    """
    period = timedelta(minutes=settings.SYNC_INTERVAL_MINUTES)
    longest: timedelta = min(LONGEST, period * 2 ** min(silences, 12))
    share = random.uniform(LEAST_SHARE, 1)  # noqa: S311 — no secret
    return longest * share


def left_alone(nodes: Collection[SyncNode]) -> dict[SyncNode, str]:
    """Return the nodes that periodic runs should not ask yet, each with its last error. One query."""
    by_key = {node.infrastructure_id: node for node in nodes}
    waiting = LastComparison.objects.filter(infrastructure__in=by_key, ask_again_at__gt=timezone.now())
    return {by_key[last.infrastructure_id]: last.error for last in waiting}
