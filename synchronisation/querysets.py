"""Filters of the synchronisation runs, named as people say them."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from infrastructures.models import Infrastructure

if TYPE_CHECKING:
    from synchronisation.models import SyncNode, SyncOutcome, SyncRun  # noqa: F401


class SyncRunQuerySet(models.QuerySet["SyncRun"]):
    """The synchronisation runs."""

    def open(self) -> Self:
        """Return those that wait or run."""
        return self.filter(finished_at=None)

    def ended(self) -> Self:
        """Return those that have come to an end."""
        return self.filter(finished_at__isnull=False)


class SyncNodeQuerySet(models.QuerySet["SyncNode"]):
    """The nodes' parts of the synchronisation runs."""

    def unfinished(self) -> Self:
        """Return those that a run has still to work on."""
        return self.filter(finished_at=None)

    def unclaimed(self) -> Self:
        """Return those that wait for a crew."""
        return self.unfinished().filter(state=self.model.State.WAITING, crew="")

    def claimed(self) -> Self:
        """Return those that a crew works on, or has worked on until it died."""
        return self.unfinished().exclude(state=self.model.State.WAITING, crew="")

    def free(self) -> Self:
        """Return those that a crew may begin with by now."""
        may_begin = models.Q(not_before=None) | models.Q(not_before__lte=timezone.now())
        return self.unclaimed().filter(may_begin)

    def with_outcomes(self) -> Self:
        """Fetch what was found in each, and what it was compared with: two more queries, however many."""
        return self.prefetch_related("outcomes", "compared_with")


class SyncOutcomeQuerySet(models.QuerySet["SyncOutcome"]):
    """What runs have found that was not in sync, and what came of it: the history of flavors and nodes."""

    def latest_first(self) -> Self:
        """Return them with their nodes and runs, the newest first."""
        return self.select_related("node__run").order_by("-pk")

    def of_flavor(self, flavorid: str) -> Self:
        """Return those of the catalogue's flavor with this id, whichever nodes they are in."""
        return self.filter(flavorid=flavorid)

    def of_node(self, infrastructure: Infrastructure) -> Self:
        """Return those in this node, of whichever flavors."""
        return self.filter(node__infrastructure=infrastructure)
