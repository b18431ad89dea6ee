"""The clouds that Flavor Sync knows, and what is being done in them."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from flavorsync_project.encryption import decrypt, encrypt
from infrastructures.openstack.records import NovaFlavor
from infrastructures.querysets import InfrastructureQuerySet, ReplacementQuerySet
from infrastructures.validators import validate_cloud_url

# Of more earlier flavors the oldest are dropped: their requests are the first that can no longer be carried out.
MOST_EARLIER = 20


class Infrastructure(models.Model):
    """A cloud: one region of one Keystone, called a node or a region by its users.

    Without `keystone_url` it belongs to the central Keystone (the setting KEYSTONE_URL). Without
    `region` it has the same name in its Keystone's catalogue as here, or is the only one there.
    With credentials we can enter it; without, its users reach it with their own tokens.
    """

    name = models.CharField(
        max_length=255,
        help_text="As the API calls the node, e.g. Spain2.",
        validators=[
            RegexValidator(
                r"\A(?!\.{1,2}\Z)[^\s/]([^/]*[^\s/])?\Z",
                "A name has no slash and no space at either end, and is not . or ..",
            ),
        ],
    )
    # Spain2 and spain2 are the same to people, and to clients that write either
    name_key = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=255), db_persist=False
    )
    region = models.CharField(
        max_length=255,
        blank=True,
        help_text="The region's name in the Keystone catalogue, when it is not the node's name.",
    )
    keystone_url = models.CharField(
        "Keystone URL",
        max_length=255,
        blank=True,
        validators=[validate_cloud_url],
        help_text="The cloud's own Keystone; leave empty for the federation's central one.",
    )
    nova_url = models.CharField(
        "Nova URL",
        max_length=255,
        blank=True,
        validators=[validate_cloud_url],
        help_text="Where its Nova is, for us; leave empty for what the Keystone catalogue says.",
    )
    tenant = models.CharField(max_length=255, blank=True, help_text="The project that our credentials are for.")
    username = models.CharField(max_length=255, blank=True)
    encrypted_password = models.TextField(blank=True, editable=False)
    user_domain = models.CharField(max_length=255, default="Default")
    project_domain = models.CharField(max_length=255, default="Default")
    operators = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="infrastructures",
        help_text="Local accounts that operate it. Owners in the IdM do so by the name of their organization.",
    )
    registered_by = models.CharField(max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    replaced = models.PositiveBigIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="How many replacements have come to an end: a list that was read meanwhile may lack a flavor.",
    )

    objects = InfrastructureQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = "node"
        constraints = [
            models.UniqueConstraint(
                fields=["name_key"],
                name="infrastructure_name_unique",
                violation_error_message="There is already a node of this name.",
            ),
            models.CheckConstraint(
                condition=~models.Q(name=""),
                name="infrastructure_name_not_empty",
                violation_error_message="A node needs a name.",
            ),
            models.CheckConstraint(
                condition=models.Q(encrypted_password="")
                | ~models.Q(username="") & ~models.Q(tenant="") & ~models.Q(keystone_url=""),
                name="infrastructure_credentials_whole",
                violation_error_message="Credentials are a Keystone URL, a user name, a password and a tenant.",
            ),
        ]
        indexes = [models.Index(fields=["name"], name="infrastructure_by_name")]
        permissions = [
            ("register_infrastructure", "Can register, unregister and use nodes of their own"),
        ]

    def __str__(self) -> str:
        return self.name

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the unique name, ignoring case, and complete credentials whenever name and user name are checked.

        Forms would exclude both constraints, since they exclude generated fields and the stored password.
        """
        excluded = set(exclude or ())
        if "name" not in excluded:
            excluded.discard("name_key")
        if "username" not in excluded:
            excluded.discard("encrypted_password")
        super().validate_constraints(exclude=excluded)

    @property
    def region_name(self) -> str:
        """Return the region's name in the Keystone catalogue."""
        return self.region or self.name

    @property
    def effective_keystone_url(self) -> str:
        """Return the URL of the Keystone whose tokens open this region, or "" if none is set."""
        return self.keystone_url or settings.KEYSTONE_URL

    @property
    def has_credentials(self) -> bool:
        """Say whether we hold credentials for it."""
        return bool(self.encrypted_password)

    def set_password(self, password: str) -> None:
        """Set *password*, encrypted; an empty one means none. The caller saves."""
        self.encrypted_password = encrypt(password) if password else ""

    def get_password(self) -> str:
        """Return the password of our account there, or "".

        Raises:
            Undecryptable: the key that it was encrypted with is gone.
        """
        return decrypt(self.encrypted_password) if self.encrypted_password else ""


class Check(models.Model):
    """The outcome of the last check of a cloud: a `readiness.Readiness`, kept."""

    infrastructure = models.OneToOneField(
        Infrastructure, on_delete=models.CASCADE, primary_key=True, related_name="check_result"
    )
    checked_at = models.DateTimeField()
    authenticated = models.BooleanField(default=False)
    compute_endpoint = models.TextField(blank=True)
    microversion = models.CharField(max_length=16, blank=True)
    may_create_flavors = models.BooleanField(null=True)
    may_delete_flavors = models.BooleanField(null=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["infrastructure"]
        verbose_name = "check of a connection"

    def __str__(self) -> str:
        return f"{self.infrastructure}: {self.problem or 'ready'}"


class Replacement(models.Model):
    """A change of a flavor in a cloud's Nova, recorded before it is made and deleted when it can have no more effect.

    Nova cannot change a flavor's numbers, so the flavor is deleted and created again under the same id. The row then
    holds both whole flavors, as returned by `NovaFlavor.as_json`, and `goal` names the one that Nova should have. A
    single creation has its flavor in `new`, a single deletion has none. Neither has a goal: a failed one is not
    repeated.

    A change whose response is lost may still be carried out, long after we gave up on it. Until `unsure_until` the row
    stays, and its flavor is watched: once Nova has been seen to have the wanted flavor (`is_met`), it must keep it.
    """

    class Goal(models.TextChoices):
        """The flavor that Nova should have in the end."""

        NEW = "new", "finish the replacement"
        OLD = "old", "put the old flavor back"
        NONE = "nil", "nothing is wanted"

    infrastructure = models.ForeignKey(
        Infrastructure, on_delete=models.PROTECT, related_name="replacements", verbose_name="node"
    )
    flavorid = models.CharField("flavor id", max_length=255)
    old = models.JSONField(null=True, blank=True)
    new = models.JSONField(null=True, blank=True)
    # Null means none: the previous version, which may still run during the migration, does not know this column.
    earlier = models.JSONField(
        null=True, blank=True, help_text="Flavors that were wanted before, and may still be made by a late request."
    )
    goal = models.CharField(max_length=3, choices=Goal.choices, default=Goal.NEW)
    unsure_until = models.DateTimeField(
        "watched until",
        null=True,
        blank=True,
        help_text="Until when a change that was sent may still be carried out; empty when all are answered.",
    )
    is_met = models.BooleanField(
        "seen in Nova", default=False, db_default=False, help_text="Whether Nova has been seen to have what is wanted."
    )
    requested_by = models.CharField(max_length=255, blank=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReplacementQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["infrastructure", "flavorid"],
                name="replacement_one_per_flavor",
                violation_error_message="This flavor is already being replaced.",
            ),
            models.CheckConstraint(
                condition=models.Q(goal="nil")
                | models.Q(goal="new", new__isnull=False)
                | models.Q(goal="old", old__isnull=False),
                name="replacement_has_what_it_wants",
                violation_error_message="A flavor that is wanted has to be written down.",
            ),
            models.CheckConstraint(
                condition=~models.Q(goal="nil") | models.Q(old__isnull=True, unsure_until__isnull=False, is_met=False),
                name="replacement_wants_nothing_for_a_while",
                violation_error_message="What wants nothing has no old flavor, and goes when all is answered.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flavorid} in {self.infrastructure}"

    @property
    def wanted(self) -> NovaFlavor | None:
        """Return the whole flavor that Nova should have, or None if there is no goal."""
        stored = {self.Goal.NEW: self.new, self.Goal.OLD: self.old}.get(self.Goal(self.goal))
        return None if stored is None else NovaFlavor.from_json(stored)

    @property
    def other(self) -> NovaFlavor | None:
        """Return the flavor that Nova may have but should not: the other of two, or a failed creation's."""
        stored = self.old if self.goal == self.Goal.NEW else self.new
        return None if stored is None else NovaFlavor.from_json(stored)

    @property
    def others(self) -> list[NovaFlavor]:
        """Return all flavors that Nova may have but should not: `other`, and those of earlier requests."""
        other = self.other
        return [*([other] if other else []), *map(NovaFlavor.from_json, self.earlier or ())]

    @property
    def versions(self) -> list[dict[str, Any]]:
        """Return all flavors of this row, as stored."""
        return [stored for stored in (self.new, self.old, *(self.earlier or ())) if stored]

    @property
    def is_half_way(self) -> bool:
        """Say whether Nova may have something other than what is wanted, or nothing."""
        return self.goal != self.Goal.NONE and not self.is_met

    @property
    def is_over(self) -> bool:
        """Say whether no request that was sent can be carried out any more."""
        return self.unsure_until is None or self.unsure_until <= timezone.now()

    @property
    def is_fresh(self) -> bool:
        """Say whether it was written so recently that its writer may still be at work."""
        bound = timedelta(seconds=settings.LOST_ANSWER_SECONDS)
        return self.unsure_until is not None and self.unsure_until > timezone.now() + bound

    @property
    def names(self) -> set[str]:
        """Return the names, in lower case, that no other flavor may take for now."""
        flavors = [self.wanted, self.other if self.is_half_way else None] if self.goal != self.Goal.NONE else []
        return {flavor.name.lower() for flavor in flavors if flavor}

    @property
    def state(self) -> str:
        """Describe what will happen to it."""
        if self.is_half_way:
            return str(self.get_goal_display())
        return "watched" if self.is_met else "nothing is wanted"

    def want(self, flavor: NovaFlavor) -> None:
        """Make another flavor the wanted one. The caller saves."""
        wanted = self.wanted
        if wanted and wanted.row != flavor.row:
            self.earlier = [wanted.as_json(), *(self.earlier or ())][:MOST_EARLIER]
        setattr(self, "new" if self.goal == self.Goal.NEW else "old", flavor.as_json())
