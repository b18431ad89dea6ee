"""Subscribers, the events that happened, and the deliveries that are still pending."""

from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import models
from django.utils import timezone
from standardwebhooks import Webhook

from flavorsync_project.encryption import decrypt, encrypt
from infrastructures.models import Infrastructure
from infrastructures.validators import validate_cloud_url
from synchronisation.models import SyncRun
from synchronisation.telling.secrets import new_secret

if TYPE_CHECKING:
    from collections.abc import Iterable


NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"


class Kind(models.TextChoices):
    """The kinds of events."""

    DRIFT_FOUND = "drift.found", "drift found"
    DRIFT_REPAIRED = "drift.repaired", "drift repaired"
    REPAIR_FAILED = "repair.failed", "repair failed"
    NODE_GONE = "node.gone", "node does not answer"
    NODE_BACK = "node.back", "node answers again"
    FLAVOR_PROMOTED = "flavor.promoted", "flavor promoted"
    FLAVOR_CHANGED = "flavor.changed", "promoted flavor changed"
    FLAVOR_RETIRED = "flavor.retired", "promoted flavor gone from the catalogue"


def _validate_kinds(kinds: object) -> None:
    if not isinstance(kinds, list) or (unknown := [kind for kind in kinds if kind not in Kind.values]):
        raise ValidationError(
            f"must be a list of {', '.join(Kind.values)}", code="unknown", params={"unknown": unknown}
        )


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    """Named filters of the subscribers."""

    def active(self) -> "SubscriberQuerySet":
        """Return those that are sent events."""
        return self.filter(active=True)


class Subscriber(models.Model):
    """A receiver of webhooks, or an e-mail address, that is sent events.

    Without `kinds` it is sent every kind of event, and without `nodes` those of every node. Nothing is sent to it
    before `waits_until`; `failures` counts the failures in a row.
    """

    name = models.CharField(max_length=255)
    url = models.CharField("webhook URL", max_length=2000, blank=True)
    email = models.CharField("e-mail address", max_length=254, blank=True, validators=[EmailValidator()])
    encrypted_secret = models.TextField(blank=True, editable=False)
    kinds = models.JSONField(default=list, blank=True, validators=[_validate_kinds])
    nodes = models.ManyToManyField(Infrastructure, blank=True, related_name="subscribers")
    active = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, editable=False)
    waits_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                name="subscriber_named_once",
                violation_error_message="There is already a subscriber of this name.",
            ),
            models.CheckConstraint(
                condition=models.Q(url="") ^ models.Q(email=""),
                name="subscriber_by_one_way",
                violation_error_message="Give a webhook URL or an e-mail address, one of the two.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check that we can and may send there.

        Raises:
            ValidationError: INFRASTRUCTURE_URL_ALLOWLIST refuses the URL, or there is no mail server.
        """
        if self.email and settings.EMAIL_BACKEND == NO_MAIL:
            raise ValidationError({"email": "No mail is sent from here until EMAIL_URL is set."})
        if self.url:
            try:
                self.require_allowed_url()
            except ValidationError as error:
                raise ValidationError({"url": error.messages}) from error

    def require_allowed_url(self) -> None:
        """Check its webhook's URL, which a list that has changed since may no longer allow.

        Raises:
            ValidationError: INFRASTRUCTURE_URL_ALLOWLIST refuses the URL.
        """
        validate_cloud_url(self.url.partition("?")[0])

    @property
    def lacks_secret(self) -> bool:
        """Whether it is a webhook whose events could not be signed yet."""
        return bool(self.url) and not self.encrypted_secret

    def renew_secret(self) -> str:
        """Create a new secret for the signatures, and return it; it is never shown again."""
        secret = new_secret()
        self.encrypted_secret = encrypt(secret)
        return secret

    @property
    def webhook(self) -> Webhook:
        """The signer of its webhooks.

        Raises:
            Undecryptable: the key that its secret was encrypted with is gone.
        """
        return Webhook(decrypt(self.encrypted_secret))

    def wants(self, event: "Event", nodes: "Iterable[int]") -> bool:
        """Say whether it is sent an event; *nodes* are the keys of its nodes."""
        of_node = not nodes or event.infrastructure_id is None or event.infrastructure_id in nodes
        return of_node and (not self.kinds or event.kind in self.kinds)


class Event(models.Model):
    """Something that happened in a node or to a promoted flavor; `data` has the details."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    infrastructure = models.ForeignKey(Infrastructure, on_delete=models.SET_NULL, null=True, related_name="+")
    # The name of the node or, without a node, of the flavor; it outlives both
    subject = models.CharField(max_length=255)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["created_at"], name="event_by_age")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"


class Delivery(models.Model):
    """An event that has yet to be sent to a subscriber; the row is deleted once it has been."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber", "event"],
                name="delivery_once",
                violation_error_message="The subscriber is told of this event already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.subscriber}"


class AnnouncedRun(models.Model):
    """An ended run whose events and deliveries are recorded."""

    run = models.OneToOneField(SyncRun, on_delete=models.CASCADE, primary_key=True, related_name="announced")

    class Meta:
        ordering = ["run"]

    def __str__(self) -> str:
        return f"Run {self.run_id}"


class AwayNode(models.Model):
    """A node that could not be asked when it was last compared, and whose absence was announced."""

    infrastructure = models.OneToOneField(Infrastructure, on_delete=models.CASCADE, related_name="away")
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["infrastructure"]

    def __str__(self) -> str:
        return f"{self.infrastructure} since {self.since:%Y-%m-%d %H:%M} UTC"


class NoticedFlavor(models.Model):
    """A promoted flavor as it was when the catalogue was last examined for changes."""

    flavorid = models.CharField("id", max_length=255)
    name = models.CharField(max_length=255)
    digest = models.CharField(max_length=32)

    class Meta:
        ordering = ["flavorid"]
        constraints = [
            models.UniqueConstraint(
                fields=["flavorid"],
                name="noticedflavor_once",
                violation_error_message="This flavor has been noticed already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
