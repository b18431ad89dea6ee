"""The catalogue: flavors that are shared between clouds, where each is installed, and how it was synchronised."""

import json
import uuid
from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from flavors.querysets import FlavorQuerySet
from flavors.validators import validate_extra_specs, validate_flavorid, validate_name, validate_rxtx_factor
from infrastructures.models import Infrastructure
from infrastructures.openstack.records import NovaFlavor
from infrastructures.openstack.rules import MAX_INTEGER

# The members that have the same names here and in a cloud's Nova
NOVA_MEMBERS = ("name", "vcpus", "ram", "disk", "swap", "ephemeral", "rxtx_factor", "description", "is_public")

# Everything that a cloud's Nova should have of a flavor
DIGESTED = ("flavorid", *NOVA_MEMBERS, "extra_specs")


def digest_of(values: Iterable[object]) -> str:
    """Return the digest of a flavor whose members `DIGESTED` have these values."""
    # A number is written as the database stores it, even before it is saved.
    texts = [float(value) if member == "rxtx_factor" else value for member, value in zip(DIGESTED, values, strict=True)]  # type: ignore[arg-type]
    return blake2b(json.dumps(texts, sort_keys=True).encode(), digest_size=16).hexdigest()


def new_flavorid() -> str:
    """Return an id for a flavor without one: a random UUID, as Nova makes them."""
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
    # To a Nova on MySQL, names that differ only in case are the same. A flavor for every node needs a name
    # that is free in any case.
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
        """Also check the name in any case where the name is checked: forms leave generated fields out."""
        excluded = set(exclude or ())
        if "name" not in excluded:
            excluded.discard("name_key")
        super().validate_constraints(exclude=excluded)

    @property
    def marker(self) -> str:
        """Return what identifies it in a list that also holds private flavors."""
        return self.flavorid

    @classmethod
    def from_nova(cls, flavor: NovaFlavor, **members: Any) -> Self:
        """Return an unsaved flavor of the catalogue with a Nova's values; *members* are our own."""
        values = {member: getattr(flavor, member) for member in NOVA_MEMBERS}
        return cls(flavorid=flavor.id, extra_specs=dict(flavor.extra_specs or {}), **values, **members)

    def as_nova(self, flavorid: str = "") -> NovaFlavor:
        """Return it as a cloud's Nova should have it, under the id *flavorid* if that differs there."""
        values = {member: getattr(self, member) for member in NOVA_MEMBERS}
        return NovaFlavor(id=flavorid or self.flavorid, extra_specs=self.extra_specs, **values)

    @property
    def digest(self) -> str:
        """Return a digest of all the values that a cloud's Nova should have."""
        return digest_of([getattr(self, member) for member in DIGESTED])

    @property
    def nodes(self) -> list[str]:
        """Return the names of the nodes that had it when last seen, in the order of installation.

        Cost: no query after `with_nodes()`, else one.
        """
        return [installation.infrastructure.name for installation in self.installations.all()]


class Installation(models.Model):
    """A flavor of the catalogue that a cloud's Nova had when last seen, under the id `flavorid` there.

    It goes when the flavor is found missing, and comes back when the flavor is there again: see `Sighting`.
    """

    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="installations")
    infrastructure = models.ForeignKey(
        Infrastructure, on_delete=models.PROTECT, related_name="installations", verbose_name="node"
    )
    flavorid = models.CharField("id there", max_length=255)
    installed_at = models.DateTimeField(default=timezone.now)
    # Whether a synchronisation created it there, rather than found it; the old version's INSERT does not name it
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
    """The one row that shows whether the catalogue has changed; the database itself writes it.

    See `flavors.lists.revision`.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.CharField(max_length=36)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.value


class Sighting(models.Model):
    """What was last seen of a flavor of the catalogue in a node: one row for each pair, written when it changes.

    Whatever shows what a node has, reads it here; `flavors.catalogue.sightings` writes it, with the `Installation`.
    `flavorid` is the id under which the catalogue records the flavor there, even while it is missing, or "".
    `differences` are as in a `SyncOutcome`. `digest` is that of the catalogue's flavor at the time: once the flavor
    has changed, the sighting no longer holds. A comparison that finds nothing new leaves `seen_at` as it is.

    `applied` are the values that we have last given it there, by member as in `differences`: all where we have made
    it, only those that we have changed where we have found it, none where we have changed nothing. It goes when the
    flavor does: what is there afterwards is not from us.

    `lacking_projects` are those that the flavor is open to and that the node does not have, as text; None is none.
    """

    class State(models.TextChoices):
        """What the node has, compared with the catalogue.

        IGNORED and UNREACHABLE are never a sighting's own: the former is an exception that somebody has made, the
        latter what is known of a node that did not answer.
        """

        IN_SYNC = "in_sync", "in sync"
        MISSING = "missing", "missing"
        DIFFERENT = "different", "different"
        OTHER_ID = "other_id", "under another id"
        NAME_TAKEN = "name_taken", "name taken"
        UNREACHABLE = "unreachable", "unreachable"
        IGNORED = "ignored", "ignored"

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="sightings")
    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.CASCADE, related_name="sightings")
    state = models.CharField(max_length=11, choices=State.choices)
    differences = models.JSONField(default=list, blank=True)
    digest = models.CharField(max_length=32, blank=True)
    flavorid = models.CharField("id there", max_length=255, blank=True)
    # The old version's INSERT does not name it
    applied = models.JSONField(null=True, blank=True)
    lacking_projects = models.JSONField(null=True, blank=True)
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
                violation_error_message="Nothing is seen in a node that does not answer.",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="ignored"),
                name="sighting_of_what_is_there",
                violation_error_message="What is ignored in a node is seen there all the same.",
            ),
        ]
        indexes = [
            # What `synchronisation.summary` counts, in an order in which it need not look at the rows themselves
            models.Index(fields=["infrastructure", "state", "digest", "flavor", "seen_at"], name="sighting_by_node"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} since {self.since:%Y-%m-%d %H:%M} UTC"


class DroppedSpec(models.Model):
    """A value that an extra spec of a flavor used to have in the catalogue.

    It tells apart, in a node, what came from the catalogue and should go, and what the node's operator has set.
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
                violation_error_message="This dropped value is already recorded.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavor}: {self.key}={self.value}"


class Grant(models.Model):
    """A project that may use a flavor which is not open to every project, by its id in the central Keystone.

    `name` and `domain` are what it and its domain are called there, once that was asked: clouds with a Keystone of
    their own know it by these. A `revoked` grant is remembered: it tells apart, in a node, our grants and those of its
    operator.
    """

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="grants")
    project = models.CharField(max_length=255)
    # The old version's INSERT names neither
    name = models.CharField(max_length=255, blank=True, default="", db_default="")
    domain = models.CharField(max_length=255, blank=True, default="", db_default="")
    revoked = models.BooleanField(default=False)

    class Meta:
        ordering = ["project"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavor", "project"],
                name="grant_once_per_project",
                violation_error_message="The project is already on the flavor's access list.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavor} for {self.project}"


class Retirement(models.Model):
    """A promoted flavor that is to leave the nodes and then the catalogue, from `retire_at` on.

    It has `begun_at` when it is no longer brought to nodes, and is taken out of them. `forced` has it go also where it
    was changed or servers use it.
    """

    flavor = models.OneToOneField(Flavor, on_delete=models.CASCADE, related_name="retirement")
    retire_at = models.DateTimeField(default=timezone.now)
    requested_by = models.CharField(max_length=255, blank=True)
    forced = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    begun_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["retire_at", "pk"]

    def __str__(self) -> str:
        return f"{self.flavor} from {self.retire_at:%Y-%m-%d %H:%M} UTC"
