"""Synchronisation runs, their nodes and outcomes."""

from dataclasses import dataclass

from django.db import models

from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from synchronisation.querysets import SyncNodeQuerySet, SyncOutcomeQuerySet, SyncRunQuerySet


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How much of a run is done; a flavor counts once for each node."""

    nodes: int
    nodes_done: int
    flavors: int
    flavors_done: int


# What a run finds that is no difference: of nodes that could not be asked nothing is known
NO_DRIFT = (Sighting.State.IN_SYNC.value, Sighting.State.IGNORED.value, Sighting.State.UNREACHABLE.value)


def _count() -> "models.PositiveIntegerField[int, int]":
    # A database default, because the previous version's INSERT omits the column
    return models.PositiveIntegerField(default=0, db_default=0, editable=False)


class FlavorList(models.Model):
    """Flavors that nodes were compared with, `[id, name]` each, by name and id: equal lists are stored once."""

    digest = models.CharField(max_length=32)
    flavors = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["digest"], name="flavorlist_once")]

    def __str__(self) -> str:
        return f"{len(self.flavors)} flavors"


class NodeList(models.Model):
    """The nodes of a run: stored once for all runs over the same nodes, so that successive runs share a list."""

    digest = models.CharField(max_length=32)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["digest"], name="nodelist_once")]

    def __str__(self) -> str:
        return f"List {self.pk}"


class ListedNode(models.Model):
    """A node of a `NodeList`; it outlives the node's registration."""

    list = models.ForeignKey(NodeList, on_delete=models.CASCADE, related_name="members")
    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=255)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["list", "name"], name="listednode_once")]

    def __str__(self) -> str:
        return self.name


class SyncRun(models.Model):
    """One comparison of the catalogue with what nodes have and, when it `repairs`, the repair.

    Without `flavorids` it covers every promoted flavor. `replaces` lets it replace flavors whose numbers differ,
    `exact` lets it remove extra specs that the catalogue does not name.

    `found` says, once it has ended, how many flavors were in which state, each counted once for each node; it is null
    for runs from before this was kept.

    An ended run keeps a `SyncNode` only where something happened. Its other `listed` nodes had every flavor of
    `compared_with` as it should be. `synchronisation.history` reads both.
    """

    class State(models.TextChoices):
        """How far the run is or how it ended; PARTLY_DONE is when some of it failed, but not all.

        CANCELLED is when somebody stopped it before it was done in all of its nodes.
        """

        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        IN_SYNC = "in_sync", "in sync"
        DRIFT = "drift", "drift found"
        PARTLY_DONE = "partly_done", "partly done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    requested_by = models.CharField(max_length=255, blank=True)
    repairs = models.BooleanField(default=False)
    replaces = models.BooleanField(default=False)
    exact = models.BooleanField(default=False)
    flavorids = models.JSONField("flavor ids", default=list, blank=True)
    # The fingerprints of the replacements and changes that were confirmed, the only ones it makes; null permits all
    confirmed = models.JSONField(null=True, blank=True, editable=False)
    periodic = models.BooleanField(default=False)
    state = models.CharField(max_length=11, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    task_id = models.CharField(max_length=64, blank=True, editable=False)
    listed = models.ForeignKey(NodeList, on_delete=models.PROTECT, null=True, editable=False, related_name="runs")
    compared_with = models.ForeignKey(
        FlavorList, on_delete=models.PROTECT, null=True, editable=False, related_name="runs"
    )
    # The progress; `nodes_compared` includes nodes that ended uncompared. A flavor counts once for each node.
    node_count = _count()
    nodes_compared = _count()
    nodes_ended = _count()
    flavor_count = _count()
    flavors_done = _count()
    found = models.JSONField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = SyncRunQuerySet.as_manager()

    class Meta:
        db_table = "flavors_syncrun"
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "running"], finished_at=None)
                | ~models.Q(state__in=["waiting", "running"]) & models.Q(finished_at__isnull=False),
                name="syncrun_finished_when_ended",
                violation_error_message="A run has an end when it is neither waiting nor running.",
            ),
        ]
        indexes = [models.Index(fields=["state", "created_at"], name="syncrun_by_state")]
        verbose_name = "synchronisation run"

    def __str__(self) -> str:
        return f"Run {self.pk} of {self.created_at:%Y-%m-%d %H:%M} UTC"

    @property
    def progress(self) -> Progress:
        """The progress in all of its nodes, as of when the row was read.

        A node that is not compared yet counts with the flavors promoted now: one query while there is such a node.
        """
        to_come = self.node_count - self.nodes_compared
        return Progress(
            nodes=self.node_count,
            nodes_done=self.nodes_ended,
            flavors=self.flavor_count + (to_come * self.expected_flavors() if to_come else 0),
            flavors_done=self.flavors_done,
        )

    @property
    def drift(self) -> int | None:
        """The number of flavors found otherwise than in the catalogue, each once for each node; None if not known."""
        if self.found is None:
            return None
        return sum(int(count) for state, count in self.found.items() if state not in NO_DRIFT)

    def expected_flavors(self) -> int:
        """Return how many flavors it would compare a node with now. One query if it covers all promoted ones."""
        return len(self.flavorids) or Flavor.objects.wanted_in_nodes().count()


class SyncNode(models.Model):
    """A node's part of a synchronisation run; it outlives the node's registration.

    Flavors of `compared_with` without an outcome were as they should be or, if the node was `unreachable`, could not be
    compared. Runs from before these lists existed have an outcome for each flavor.
    """

    class State(models.TextChoices):
        """How far the run is in this node; FAILED when it ended there with an error."""

        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="nodes")
    infrastructure = models.ForeignKey(
        Infrastructure, on_delete=models.SET_NULL, null=True, related_name="synchronisations"
    )
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error = models.TextField(blank=True)
    # Which crew works on it (`claiming`), how often that was begun, and when it may be again; with database defaults,
    # because the previous version's INSERT omits these columns
    crew = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    not_before = models.DateTimeField(null=True, blank=True, editable=False)
    # Whether it could not be asked at all; the previous version's INSERT omits the column
    unreachable = models.BooleanField(default=False, db_default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    compared_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    compared_with = models.ForeignKey(
        FlavorList, on_delete=models.PROTECT, null=True, editable=False, related_name="nodes"
    )
    flavor_count = _count()
    flavors_done = _count()

    objects = SyncNodeQuerySet.as_manager()

    class Meta:
        db_table = "flavors_syncnode"
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "name"],
                name="syncnode_once_per_run",
                violation_error_message="The node is in this run already.",
            ),
        ]
        indexes = [models.Index(fields=["infrastructure", "compared_at"], name="syncnode_by_age")]
        verbose_name = "node of a synchronisation run"
        verbose_name_plural = "nodes of synchronisation runs"

    def __str__(self) -> str:
        return f"{self.name} in run {self.run_id}"

    @property
    def is_kept(self) -> bool:
        """Whether it has a row: once a run has ended, nodes in which nothing happened have none."""
        return not self._state.adding


class SyncOutcome(models.Model):
    """What a run found of one flavor in one node that was not in sync, what it planned, and what came of it.

    `differences` is a list of objects with the keys `member` (a member of `NovaFlavor`; an extra
    spec is `extra_specs.KEY`), `node` and `catalogue`; null where that side has no such extra spec. A `cause` says what
    has changed since we last applied the value there, where that is known: see `flavors.catalogue.comparison.cause_of`.
    `servers` is how many servers in the node use the flavor, counted before it is replaced.
    """

    State = Sighting.State

    class Action(models.TextChoices):
        """What brings the node in sync; CANNOT when only a person can."""

        NOTHING = "nothing", "nothing"
        CREATE = "create", "create"
        UPDATE = "update", "update in place"
        REPLACE = "replace", "replace"
        ADOPT = "adopt", "adopt"
        CANNOT = "cannot", "cannot"

    class Result(models.TextChoices):
        """The result of the action."""

        NONE = "", "nothing to do"
        PLANNED = "planned", "planned"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    node = models.ForeignKey(SyncNode, on_delete=models.CASCADE, related_name="outcomes")
    flavorid = models.CharField("flavor id", max_length=255)
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=11, choices=State.choices)
    differences = models.JSONField(default=list, blank=True)
    action = models.CharField(max_length=7, choices=Action.choices)
    reason = models.TextField(blank=True)
    servers = models.PositiveIntegerField(null=True, blank=True)
    result = models.CharField(max_length=7, choices=Result.choices, default=Result.NONE, blank=True)
    seconds = models.FloatField(null=True, blank=True)

    objects = SyncOutcomeQuerySet.as_manager()

    class Meta:
        db_table = "flavors_syncoutcome"
        ordering = ["name", "flavorid", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "flavorid"],
                name="syncoutcome_once_per_node",
                violation_error_message="The flavor has an outcome in this node already.",
            ),
        ]
        indexes = [models.Index(fields=["flavorid", "id"], name="syncoutcome_by_flavor")]
        verbose_name = "outcome of a synchronisation run"
        verbose_name_plural = "outcomes of synchronisation runs"

    def __str__(self) -> str:
        return f"{self.name}: {self.get_state_display()}"
