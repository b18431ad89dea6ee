"""Subscribers to events, in the admin site."""

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
    """The form of a subscriber, with a check box for each kind of event."""

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
    """Receivers of webhooks and e-mail addresses. A webhook's secret is shown only once, when it is created."""

    form = SubscriberForm
    list_display = ["name", "target", "active", "pending", "health"]
    search_fields = ["name", "url", "email"]
    filter_horizontal = ["nodes"]
    readonly_fields = ["health"]
    actions = ["send_test_event", "make_new_secret"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        """Count each subscriber's pending events in the same query."""
        subscribers: QuerySet[Subscriber] = super().get_queryset(request)
        return subscribers.annotate(pending_count=Count("deliveries"))

    def save_model(
        self, request: HttpRequest, obj: Subscriber, form: forms.ModelForm[Subscriber], change: bool
    ) -> None:
        """Create the secret of a new webhook, and show it this once."""
        if obj.lacks_secret:
            self._show_secret(request, obj)
        super().save_model(request, obj, form, change)

    @admin.display(description="to")
    def target(self, subscriber: Subscriber) -> str:
        """Return the e-mail address, or the URL without its query, which may hold a secret."""
        return subscriber.email or subscriber.url.partition("?")[0]

    @admin.display(description="still to be told", ordering="pending_count")
    def pending(self, subscriber: Any) -> int:
        """Return the number of pending events."""
        count: int = subscriber.pending_count
        return count

    @admin.display(description="health")
    def health(self, subscriber: Subscriber) -> str:
        """Say whether it accepts its events and, if not, why and when it is tried again."""
        if not subscriber.failures:
            return "fine"
        waits = subscriber.waits_until
        until = f" Tried again at {date_format(localtime(waits), 'DATETIME_FORMAT')}." if waits else ""
        return f"{subscriber.last_error} Failed {subscriber.failures} times in a row.{until}"

    @admin.action(description="Send a test event", permissions=["change"])
    def send_test_event(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        """Send each a test event, and report the result."""
        for subscriber in queryset:
            try:
                sending.send_test(subscriber)
            except sending.NotTaken as error:
                self.message_user(request, f"{subscriber}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"{subscriber} has taken a test event.", messages.SUCCESS)

    @admin.action(description="Make a new secret", permissions=["change"])
    def make_new_secret(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        """Replace the secret of each webhook, and show the new one this once."""
        for subscriber in queryset.exclude(url=""):
            self._show_secret(request, subscriber)
            subscriber.save(update_fields=["encrypted_secret"])

    def _show_secret(self, request: HttpRequest, subscriber: Subscriber) -> None:
        secret = subscriber.renew_secret()
        self.message_user(request, f"The secret of {subscriber}'s webhook, shown this once: {secret}", messages.WARNING)
