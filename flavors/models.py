"""The catalogue: flavors that are shared between clouds, and where each is installed."""

import uuid
from collections.abc import Collection

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from flavors.querysets import FlavorQuerySet
from flavors.validators import validate_extra_specs, validate_flavorid, validate_name, validate_rxtx_factor
from flavorsync_project.api.serializers import MAX_INTEGER
from infrastructures.models import Infrastructure


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

    @property
    def nodes(self) -> list[str]:
        """Return the names of the nodes that have it, in the order of installation.

        No query after `with_nodes()`, else one.
        """
        return [installation.infrastructure.name for installation in self.installations.all()]


class Installation(models.Model):
    """A flavor of the catalogue that exists in a cloud's Nova, under the id `flavorid` there."""

    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="installations")
    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.PROTECT, related_name="installations")
    flavorid = models.CharField("id there", max_length=255)
    installed_at = models.DateTimeField(default=timezone.now)

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
