"""Filters of the synchronisation runs, named as people say them."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Max, Prefetch

from identity.callers import Caller
from infrastructures.models import Infrastructure

if TYPE_CHECKING:
    from synchronisation.models import SyncNode, SyncRun  # noqa: F401


class SyncRunQuerySet(models.QuerySet["SyncRun"]):
    """The synchronisation runs."""

    def open(self) -> Self:
        """Return those that wait or run."""
        return self.filter(finished_at=None)

    def ended(self) -> Self:
        """Return those that have come to an end."""
        return self.filter(finished_at__isnull=False)

    def visible_to(self, user: Caller, *, manages: bool) -> Self:
        """Return all to whoever *manages* the promoted flavors, and to operators those about a node of theirs."""
        if manages:
            return self
        operated = Infrastructure.objects.operated_by(user)
        return self.filter(nodes__infrastructure__in=operated).distinct()

    def in_full(self, nodes: "SyncNodeQuerySet") -> Self:
        """Fetch those *nodes* that belong to each, with their outcomes: two more queries, however many."""
        return self.prefetch_related(Prefetch("nodes", nodes.prefetch_related("outcomes")))


class SyncNodeQuerySet(models.QuerySet["SyncNode"]):
    """The nodes' parts of the synchronisation runs."""

    def visible_to(self, user: Caller, *, manages: bool) -> Self:
        """Return all to whoever *manages* the promoted flavors, and to operators those of their own nodes."""
        return self if manages else self.filter(infrastructure__in=Infrastructure.objects.operated_by(user))

    def unfinished(self) -> Self:
        """Return those that a run has still to work on."""
        return self.filter(finished_at=None)

    def whole(self) -> Self:
        """Return those of runs over all promoted flavors, and not over some alone."""
        return self.filter(run__flavorids=[])

    def latest_of_each_node(self) -> Self:
        """Return, for each node that is still registered, the last one in which it was compared."""
        compared = self.filter(compared_at__isnull=False, infrastructure__isnull=False)
        latest = compared.order_by().values("infrastructure").annotate(latest=Max("pk")).values("latest")
        return self.filter(pk__in=latest)
