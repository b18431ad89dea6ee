"""Named filters of the synchronisation runs, their nodes and outcomes."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from flavors.models import Flavor
from infrastructures.models import Infrastructure

if TYPE_CHECKING:
    from synchronisation.models import SyncNode, SyncOutcome, SyncRun  # noqa: F401


class SyncRunQuerySet(models.QuerySet["SyncRun"]):
    """The synchronisation runs."""

    def open(self) -> Self:
        """Return those that are waiting or running."""
        return self.filter(finished_at=None)

    def ended(self) -> Self:
        """Return those that have ended."""
        return self.filter(finished_at__isnull=False)


class SyncNodeQuerySet(models.QuerySet["SyncNode"]):
    """The nodes' parts of the synchronisation runs."""

    def unfinished(self) -> Self:
        """Return those that a run has yet to finish."""
        return self.filter(finished_at=None)

    def unclaimed(self) -> Self:
        """Return those that wait for a crew."""
        return self.unfinished().filter(state=self.model.State.WAITING, crew="")

    def claimed(self) -> Self:
        """Return those that a crew works on, or worked on until it died."""
        return self.unfinished().exclude(state=self.model.State.WAITING, crew="")

    def free(self) -> Self:
        """Return those that a crew may begin now."""
        may_begin = models.Q(not_before=None) | models.Q(not_before__lte=timezone.now())
        return self.unclaimed().filter(may_begin)

    def with_outcomes(self) -> Self:
        """Prefetch the outcomes, and the flavors compared with: two more queries, however many nodes."""
        return self.prefetch_related("outcomes", "compared_with")


class SyncOutcomeQuerySet(models.QuerySet["SyncOutcome"]):
    """The outcomes of runs, which are the history of flavors and nodes."""

    def latest_first(self) -> Self:
        """Return them with their nodes and runs, the newest first."""
        return self.select_related("node__run").order_by("-pk")

    def with_flavors(self) -> Self:
        """Annotate each with the key of its `flavor`, None if that is no longer in the catalogue."""
        same = Flavor.objects.order_by().filter(flavorid=models.OuterRef("flavorid"))
        return self.annotate(flavor=models.Subquery(same.values("pk")[:1]))

    def of_flavor(self, flavorid: str) -> Self:
        """Return those of the catalogue's flavor with this id, in any node."""
        return self.filter(flavorid=flavorid)

    def of_node(self, infrastructure: Infrastructure) -> Self:
        """Return those in this node, of any flavor."""
        return self.filter(node__infrastructure=infrastructure)
