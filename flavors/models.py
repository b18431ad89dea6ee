"""The catalogue: flavors that are shared between clouds, where each is installed, and how it was synchronised."""

import json
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from flavors.querysets import FlavorQuerySet, SyncNodeQuerySet, SyncRunQuerySet
from flavors.validators import validate_extra_specs, validate_flavorid, validate_name, validate_rxtx_factor
from flavorsync_project.api.serializers import MAX_INTEGER
from infrastructures.models import Infrastructure
from infrastructures.openstack.records import NovaFlavor

# The members that a flavor has alike here and in a cloud's Nova
NOVA_MEMBERS = ("name", "vcpus", "ram", "disk", "swap", "ephemeral", "rxtx_factor", "description", "is_public")

# All that a cloud's Nova shall have of a flavor
DIGESTED = ("flavorid", *NOVA_MEMBERS, "extra_specs")


def digest_of(values: Iterable[object]) -> str:
    """Return the digest of a flavor whose members `DIGESTED` have these values."""
    # A number is written as it is stored, before that, too.
    texts = [float(value) if member == "rxtx_factor" else value for member, value in zip(DIGESTED, values, strict=True)]  # type: ignore[arg-type]
    return blake2b(json.dumps(texts, sort_keys=True).encode(), digest_size=16).hexdigest()


def new_flavorid() -> str:
    """Return an id for a flavor that was given none: a random UUID, as Nova makes them."""
    return str(uuid.uuid4())


def _size(minimum: int, **options: object) -> "models.PositiveIntegerField[int, int]":
    return models.PositiveIntegerField(
        validators=[MinValueValidator(minimum), MaxValueValidator(MAX_INTEGER)],
        **options,  # type: ignore[arg-type]
    )


def _within(field: str, minimum: int) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__gte": minimum, f"{field}__lte": MAX_INTEGER}),
        name=f"flavor_{field}_within_nova_limits",
        violation_error_message=f"{field}: must be between {minimum} and {MAX_INTEGER}.",
    )


class Flavor(models.Model):
    """A flavor of the catalogue, with all that Nova keeps of one.

    `ram` and `swap` are in MiB, `disk` and `ephemeral` in GiB. `public` and `promoted` are Flavor
    Sync's own: everybody sees a public flavor, and a promoted one should exist in every node.
    `is_public` is Nova's: whether every project of a cloud may use it there.
    """

    flavorid = models.CharField(
        "id",
        max_length=255,
        default=new_flavorid,
        validators=[validate_flavorid],
    )
    name = models.CharField(max_length=255, validators=[validate_name])
    # Nova's on MySQL takes names that differ in case for the same, so a flavor that shall exist in
    # every node needs a name that is free in any case.
    name_key = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=255), db_persist=False
    )
    vcpus = _size(1, verbose_name="vCPUs")
    ram = _size(1, verbose_name="RAM (MiB)")
    disk = _size(0, verbose_name="disk (GiB)")
    swap = _size(0, verbose_name="swap (MiB)", default=0)
    ephemeral = _size(0, verbose_name="ephemeral disk (GiB)", default=0)
    rxtx_factor = models.FloatField("RX/TX factor", default=1.0, validators=[validate_rxtx_factor])
    description = models.TextField(blank=True)
    is_public = models.BooleanField("open to every project of a cloud", default=True)
    extra_specs = models.JSONField(default=dict, blank=True, validators=[validate_extra_specs])
    public = models.BooleanField(default=False)
    promoted = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = FlavorQuerySet.as_manager()

    class Meta:
        ordering = ["name", "flavorid"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavorid"],
                name="flavor_id_unique",
                violation_error_message="There is already a flavor of this id in the catalogue.",
            ),
            models.UniqueConstraint(
                fields=["name_key"],
                name="flavor_name_unique",
                violation_error_message="There is already a flavor of this name in the catalogue.",
            ),
            models.CheckConstraint(
                condition=models.Q(promoted=False) | models.Q(public=True),
                name="flavor_promoted_is_public",
                violation_error_message="A promoted flavor is public.",
            ),
            _within("vcpus", 1),
            _within("ram", 1),
            _within("disk", 0),
            _within("swap", 0),
            _within("ephemeral", 0),
        ]
        indexes = [models.Index(fields=["name", "flavorid"], name="flavor_by_name_and_id")]
        permissions = [("promote_flavor", "Can promote flavors, and make, change and delete promoted ones")]

    def __str__(self) -> str:
        return self.name

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the name in any case wherever the name is checked: forms leave generated fields out."""
        excluded = set(exclude or ())
        if "name" not in excluded:
            excluded.discard("name_key")
        super().validate_constraints(exclude=excluded)

    @property
    def marker(self) -> str:
        """Return what it is found by in a list that holds private flavors, too."""
        return self.flavorid

    @classmethod
    def from_nova(cls, flavor: NovaFlavor, **members: Any) -> Self:
        """Return the flavor of the catalogue, not saved, that has a Nova's values; *members* are our own."""
        values = {member: getattr(flavor, member) for member in NOVA_MEMBERS}
        return cls(flavorid=flavor.id, extra_specs=dict(flavor.extra_specs or {}), **values, **members)

    def as_nova(self, flavorid: str = "") -> NovaFlavor:
        """Return it as a cloud's Nova shall have it, there under the id *flavorid* when that is another one."""
        values = {member: getattr(self, member) for member in NOVA_MEMBERS}
        return NovaFlavor(id=flavorid or self.flavorid, extra_specs=self.extra_specs, **values)

    @property
    def digest(self) -> str:
        """Return what is another one as soon as any of the values is that a cloud's Nova shall have."""
        return digest_of([getattr(self, member) for member in DIGESTED])

    @property
    def nodes(self) -> list[str]:
        """Return the names of the nodes that have it, as they were last seen, in the order of installation.

        No query after `with_nodes()`, else one.
        """
        return [installation.infrastructure.name for installation in self.installations.all()]


class Installation(models.Model):
    """A flavor of the catalogue that a cloud's Nova has, as it was last seen, under the id `flavorid` there.

    It goes when the flavor is seen to be missing, and comes back when it is there again: see `Sighting`.
    """

    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="installations")
    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.PROTECT, related_name="installations")
    flavorid = models.CharField("id there", max_length=255)
    installed_at = models.DateTimeField(default=timezone.now)
    # Whether a synchronisation has created it there, and not found it; the old version's INSERT does not name it
    made = models.BooleanField("made by a synchronisation", default=False, db_default=False)

    class Meta:
        ordering = ["installed_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavor", "infrastructure"],
                name="installation_once_per_node",
                violation_error_message="The flavor is already installed in this node.",
            ),
            models.UniqueConstraint(
                fields=["infrastructure", "flavorid"],
                name="installation_one_flavor_per_id",
                violation_error_message="Another flavor of the catalogue has this id in this node.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavor} in {self.infrastructure}"


class CatalogueRevision(models.Model):
    """The one row that tells whether the catalogue has changed; the database itself writes it.

    See `flavors.lists.revision`.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.CharField(max_length=36)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How much of a run is done; a flavor counts once for each node."""

    nodes: int
    nodes_done: int
    flavors: int
    flavors_done: int


class SyncRun(models.Model):
    """One comparison of the catalogue with what nodes have and, when it `repairs`, the repair.

    Without `flavorids` it is about every promoted flavor. `replaces` lets it replace flavors whose
    numbers differ, `exact` takes extra specs away that the catalogue does not name.
    """

    class State(models.TextChoices):
        """How far it has come, and what the nodes are like in the end; PARTLY_DONE is when not all of it failed."""

        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        IN_SYNC = "in_sync", "in sync"
        DRIFT = "drift", "drift found"
        PARTLY_DONE = "partly_done", "partly done"
        FAILED = "failed", "failed"

    requested_by = models.CharField(max_length=255, blank=True)
    repairs = models.BooleanField(default=False)
    replaces = models.BooleanField(default=False)
    exact = models.BooleanField(default=False)
    flavorids = models.JSONField("flavor ids", default=list, blank=True)
    # The fingerprints of what was shown before it was started, beside which it changes nothing; null: nobody was asked
    confirmed = models.JSONField(null=True, blank=True, editable=False)
    periodic = models.BooleanField(default=False)
    state = models.CharField(max_length=11, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    task_id = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = SyncRunQuerySet.as_manager()

    class Meta:
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
        """Return how much is done in its nodes, or in those that `in_full()` has fetched.

        Until a node is compared, its flavors are those that are promoted now. One query while there
        is such a node; without `in_full()` one more, and one for each node.
        """
        nodes = list(self.nodes.all())
        found = [(node, list(node.outcomes.all())) for node in nodes]
        expected = sum(1 for node, outcomes in found if not (outcomes or node.compared_at or node.finished_at))
        if expected:
            expected *= len(self.flavorids) or Flavor.objects.promoted().count()
        return Progress(
            nodes=len(nodes),
            nodes_done=sum(1 for node in nodes if node.finished_at),
            flavors=expected + sum(len(outcomes) for _, outcomes in found),
            flavors_done=sum(
                1
                for node, outcomes in found
                for outcome in outcomes
                if node.finished_at or not (self.repairs and outcome.result == SyncOutcome.Result.PLANNED)
            ),
        )


class SyncNode(models.Model):
    """A node's part of a synchronisation run; it outlives the node's registration."""

    class State(models.TextChoices):
        """How far the run has come in this node; FAILED when the node could not be compared."""

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
    # Whether it could not be asked at all; the old version's INSERT does not name it
    unreachable = models.BooleanField(default=False, db_default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    compared_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = SyncNodeQuerySet.as_manager()

    class Meta:
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


class SyncOutcome(models.Model):
    """What a run found of one flavor in one node, what it planned, and what came of it.

    `differences` is a list of objects with the keys `member` (a member of `NovaFlavor`; an extra
    spec is `extra_specs.KEY`), `node` and `catalogue`; null where that one has no such extra spec.
    `servers` is how many servers in the node use the flavor, counted before it is replaced.
    """

    class State(models.TextChoices):
        """What the node has, compared with the catalogue."""

        IN_SYNC = "in_sync", "in sync"
        MISSING = "missing", "missing"
        DIFFERENT = "different", "different"
        OTHER_ID = "other_id", "under another id"
        NAME_TAKEN = "name_taken", "name taken"
        UNREACHABLE = "unreachable", "unreachable"

    class Action(models.TextChoices):
        """What brings the node in sync; CANNOT when only a person can."""

        NOTHING = "nothing", "nothing"
        CREATE = "create", "create"
        UPDATE = "update", "update in place"
        REPLACE = "replace", "replace"
        ADOPT = "adopt", "adopt"
        CANNOT = "cannot", "cannot"

    class Result(models.TextChoices):
        """What came of the action."""

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

    class Meta:
        ordering = ["name", "flavorid", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "flavorid"],
                name="syncoutcome_once_per_node",
                violation_error_message="The flavor has an outcome in this node already.",
            ),
        ]
        verbose_name = "outcome of a synchronisation run"
        verbose_name_plural = "outcomes of synchronisation runs"

    def __str__(self) -> str:
        return f"{self.name}: {self.get_state_display()}"


class Sighting(models.Model):
    """What was last seen of a flavor of the catalogue in a node: one row for each two, written when it changes.

    All that tells what a node has is told by it; `flavors.catalogue.sightings` writes it, with the `Installation`.
    `flavorid` is the id there by which the catalogue knows the flavor, also while it is missing; "" when it does
    not. `differences` are as in a `SyncOutcome`, and `digest` is of the catalogue's flavor as it was then: what was
    seen of another one holds no longer. A comparison that finds nothing new leaves `seen_at` as it is.
    """

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="sightings")
    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.CASCADE, related_name="sightings")
    state = models.CharField(max_length=11, choices=SyncOutcome.State.choices)
    differences = models.JSONField(default=list, blank=True)
    digest = models.CharField(max_length=32, blank=True)
    flavorid = models.CharField("id there", max_length=255, blank=True)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["flavor", "infrastructure"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavor", "infrastructure"],
                name="sighting_once_per_node",
                violation_error_message="There is already a sighting of this flavor in this node.",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="unreachable"),
                name="sighting_of_what_was_reached",
                violation_error_message="Of a node that does not answer nothing is seen.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} since {self.since:%Y-%m-%d %H:%M} UTC"


class DroppedSpec(models.Model):
    """A value that an extra spec of a flavor had in the catalogue, and has no longer.

    It tells, in a node, what came from the catalogue and is to go, from what the node's operator has set.
    """

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="dropped_specs")
    key = models.CharField(max_length=255)
    value = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["key", "value"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavor", "key", "value"],
                name="droppedspec_once",
                violation_error_message="It is known already that the catalogue has dropped this value.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavor}: {self.key}={self.value}"


class WrittenFlavor(models.Model):
    """A flavor that was written and is to be brought to the nodes; `flavorid` may be that of a deleted one.

    Once a `run` was started over it, it stays until that has ended well; a write since then has taken the run away.
    """

    flavorid = models.CharField("id", max_length=255)
    written_by = models.CharField(max_length=255, blank=True)
    written_at = models.DateTimeField()
    run = models.ForeignKey(SyncRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="written_flavors")
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
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
    """A flavor that was deleted from the catalogue and is to go from a node, where a synchronisation has made it.

    `was` is the flavor as the node had it from us (`NovaFlavor.as_json`), and `dropped` the extra specs besides that
    it may still have from before. `reason` is why it is there yet.
    """

    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.CASCADE, related_name="removals")
    flavorid = models.CharField("id there", max_length=255)
    was = models.JSONField()
    dropped = models.JSONField(default=list, blank=True)
    requested_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(blank=True)

    class Meta:
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


class Grant(models.Model):
    """A project that may use a flavor which is not open to every project, by its id in the central Keystone.

    A grant that is `revoked` is remembered: it is what tells, in a node, our grant from one of its operator's own.
    """

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="grants")
    project = models.CharField(max_length=255)
    revoked = models.BooleanField(default=False)

    class Meta:
        ordering = ["project"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavor", "project"],
                name="grant_once_per_project",
                violation_error_message="The project is on the flavor's access list already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavor} for {self.project}"
