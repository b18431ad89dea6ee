"""Who is told what happens, in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime

from infrastructures.admin import OffersActions
from synchronisation.telling import sending
from synchronisation.telling.models import Kind, Subscriber


class SubscriberForm(forms.ModelForm[Subscriber]):
    """A subscriber, whose kinds of events are ticked."""

    kinds = forms.MultipleChoiceField(
        choices=Kind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Of what it is told; of everything when none is ticked.",
    )

    class Meta:
        model = Subscriber
        fields = ["name", "url", "email", "kinds", "nodes", "active"]
        help_texts = {
            "url": "Where events are sent to by POST, as CloudEvents in JSON, signed as Standard Webhooks says.",
            "email": "Or the address that they are sent to.",
            "nodes": "The nodes that it is told of; all when none is chosen.",
        }


@admin.register(Subscriber)
class SubscriberAdmin(OffersActions):
    """Receivers of webhooks and e-mail addresses. The secret of a webhook is shown once, when it is made."""

    form = SubscriberForm
    list_display = ["name", "target", "active", "pending", "health"]
    search_fields = ["name", "url", "email"]
    filter_horizontal = ["nodes"]
    readonly_fields = ["health"]
    actions = ["send_test_event", "make_new_secret"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        """Count in the same query what each is still to be told."""
        subscribers: QuerySet[Subscriber] = super().get_queryset(request)
        return subscribers.annotate(pending_count=Count("deliveries"))

    def save_model(
        self, request: HttpRequest, obj: Subscriber, form: forms.ModelForm[Subscriber], change: bool
    ) -> None:
        """Make the secret of a new webhook, and show it this once."""
        if obj.url and not obj.encrypted_secret:
            self._show_secret(request, obj)
        super().save_model(request, obj, form, change)

    @admin.display(description="to")
    def target(self, subscriber: Subscriber) -> str:
        """Return where it is told; of a URL the part that cannot hold a secret."""
        return subscriber.email or subscriber.url.partition("?")[0]

    @admin.display(description="still to be told", ordering="pending_count")
    def pending(self, subscriber: Any) -> int:
        """Return of how many events it is still to be told."""
        count: int = subscriber.pending_count
        return count

    @admin.display(description="health")
    def health(self, subscriber: Subscriber) -> str:
        """Say whether it takes what it is told and, where not, why and until when nothing is sent."""
        if not subscriber.failures:
            return "fine"
        waits = subscriber.waits_until
        until = f" Tried again at {date_format(localtime(waits), 'DATETIME_FORMAT')}." if waits else ""
        return f"{subscriber.last_error} Failed {subscriber.failures} times in a row.{until}"

    @admin.action(description="Send a test event", permissions=["change"])
    def send_test_event(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        """Send each an event of no meaning, and say what came of it."""
        for subscriber in queryset:
            try:
                sending.send_test(subscriber)
            except sending.NotTaken as error:
                self.message_user(request, f"{subscriber}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"{subscriber} has taken a test event.", messages.SUCCESS)

    @admin.action(description="Make a new secret", permissions=["change"])
    def make_new_secret(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        """Make another secret for each webhook, and show it this once."""
        for subscriber in queryset.exclude(url=""):
            self._show_secret(request, subscriber)
            subscriber.save(update_fields=["encrypted_secret"])

    def _show_secret(self, request: HttpRequest, subscriber: Subscriber) -> None:
        secret = subscriber.renew_secret()
        self.message_user(request, f"The secret of {subscriber}'s webhook, shown this once: {secret}", messages.WARNING)
