"""What is known and wanted of nodes between runs: comparisons, written flavors, removals, exceptions, days."""

from django.db import models
from django.utils import timezone

from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.models.runs import SyncRun


class LastComparison(models.Model):
    """When runs last compared a node: one row for each node, so that nobody has to search the runs for it.

    `whole_at` is the time of the last comparison with all promoted flavors. `parts` has the later comparisons with only
    some of them: the last time of each, by the flavors' ids. `unreachable_at` is when the node could not be asked, null
    if it responded the last time.
    """

    infrastructure = models.OneToOneField(Infrastructure, on_delete=models.CASCADE, related_name="last_comparison")
    whole_at = models.DateTimeField(null=True, blank=True)
    parts = models.JSONField(default=dict, blank=True)
    unreachable_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    # How often in a row it has timed out, and until when periodic runs leave it alone for that
    silences = models.PositiveSmallIntegerField(default=0, db_default=0)
    ask_again_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["infrastructure"]

    def __str__(self) -> str:
        return f"Of {self.infrastructure_id}"


class WrittenFlavor(models.Model):
    """A written flavor that a run has yet to apply to the nodes; `flavorid` may be that of a deleted one.

    The run starts `settle_seconds` after the last write.

    The row stays until its `run` has ended well; another write clears `run`.
    """

    flavorid = models.CharField("id", max_length=255)
    written_by = models.CharField(max_length=255, blank=True)
    written_at = models.DateTimeField()
    settle_seconds = models.FloatField(default=5, db_default=5)
    run = models.ForeignKey(SyncRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="written_flavors")
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "flavors_writtenflavor"
        ordering = ["written_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavorid"],
                name="writtenflavor_once",
                violation_error_message="It is known already that this flavor was written.",
            ),
        ]

    def __str__(self) -> str:
        return self.flavorid


class Removal(models.Model):
    """A flavor that was deleted from the catalogue, to be removed from a node where a synchronisation created it.

    `was` is the flavor as the node had it from us (`NovaFlavor.as_json`), and `dropped` are earlier extra specs that it
    may still have. `reason` is why it is still there.
    """

    infrastructure = models.ForeignKey(
        Infrastructure, on_delete=models.CASCADE, related_name="removals", verbose_name="node"
    )
    flavorid = models.CharField("id there", max_length=255)
    was = models.JSONField()
    dropped = models.JSONField(default=list, blank=True)
    requested_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(blank=True)

    class Meta:
        db_table = "flavors_removal"
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["infrastructure", "flavorid"],
                name="removal_once_per_node",
                violation_error_message="The flavor is to go from this node already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavorid} from {self.infrastructure}"


class IgnoredFlavor(models.Model):
    """A promoted flavor that the synchronisation leaves alone in one node, because somebody has said so.

    It is compared there all the same, so that people see what the node has.
    """

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="ignored_in")
    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.CASCADE, related_name="ignored_flavors")
    reason = models.TextField()
    ignored_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["infrastructure", "flavor"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavor", "infrastructure"],
                name="ignoredflavor_once_per_node",
                violation_error_message="The flavor is ignored in this node already.",
            ),
            models.CheckConstraint(
                condition=~models.Q(reason=""),
                name="ignoredflavor_has_reason",
                violation_error_message="Say why the flavor is to be ignored.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavor} in {self.infrastructure}"


class NodeDay(models.Model):
    """The state of a node on a day (UTC), for the trend: written by the scheduler, every ten minutes.

    `flavors` and `in_sync` are the last values of the day: the number of promoted flavors whose state in the node is
    known, none while the node cannot be asked, and the number of those in sync. `looks` counts the scheduler's looks,
    `looks_away` those when the node could not be asked.
    """

    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    flavors = models.PositiveIntegerField(default=0)
    in_sync = models.PositiveIntegerField(default=0)
    looks = models.PositiveIntegerField(default=0)
    looks_away = models.PositiveIntegerField(default=0)
    noted_at = models.DateTimeField()

    class Meta:
        ordering = ["day", "infrastructure"]
        constraints = [
            models.UniqueConstraint(
                fields=["infrastructure", "day"],
                name="nodeday_once",
                violation_error_message="This day of the node is written down already.",
            ),
        ]
        # All that `synchronisation.trend` sums up
        indexes = [
            models.Index(fields=["day", "flavors", "in_sync", "looks", "looks_away"], name="nodeday_sums_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.infrastructure_id} on {self.day}"
