"""The clouds in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from infrastructures.models import Infrastructure, Replacement


class InfrastructureForm(forms.ModelForm):
    """A cloud, whose password goes in and never comes out again."""

    password = forms.CharField(
        required=False,
        strip=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Of our account there. Leave empty to keep the one that is stored; it is never shown.",
    )
    clear_password = forms.BooleanField(
        required=False,
        label="Forget the stored password",
        help_text="Then its users reach the cloud with their own Keystone tokens alone.",
    )

    class Meta:
        model = Infrastructure
        fields = [
            "name",
            "region",
            "keystone_url",
            "nova_url",
            "tenant",
            "username",
            "user_domain",
            "project_domain",
            "operators",
        ]

    def clean(self) -> dict[str, Any]:
        """Give the password to the model, whose constraint then says what credentials take besides."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        password, cleared = values.pop("password", ""), values.get("clear_password")
        if password and cleared:
            raise ValidationError({"clear_password": "Give a new password or forget the stored one, not both."})
        if self._leads_elsewhere(values) and self.instance.has_credentials and not (password or cleared):
            raise ValidationError({"password": "Give it anew: what was stored for one place is not sent to another."})
        if password or cleared:
            self.instance.set_password(password)
        return values

    def _leads_elsewhere(self, values: dict[str, Any]) -> bool:
        """Say whether a URL has changed: whoever may write one must not learn the password by it."""
        return any(member in self.changed_data and values.get(member) for member in ("keystone_url", "nova_url"))


@admin.register(Infrastructure)
class InfrastructureAdmin(admin.ModelAdmin):
    """The regions, and the credentials with which we enter them, which a Fiware operator registers here."""

    form = InfrastructureForm
    list_display = ["name", "region", "keystone_url", "credentials", "registered_by", "created_at"]
    search_fields = ["name", "region", "keystone_url"]
    readonly_fields = ["credentials", "registered_by", "created_at"]
    autocomplete_fields = ["operators"]
    fieldsets = [
        (None, {"fields": ["name", "operators"]}),
        ("Where it is", {"fields": ["region", "keystone_url", "nova_url"]}),
        (
            "How we enter it",
            {
                "fields": [
                    "credentials",
                    ("tenant", "project_domain"),
                    ("username", "user_domain"),
                    ("password", "clear_password"),
                ],
                "description": "All of it, and a Keystone URL, or no password at all.",
            },
        ),
        ("Registration", {"fields": ["registered_by", "created_at"]}),
    ]

    @admin.display(boolean=True, description="credentials stored")
    def credentials(self, infrastructure: Infrastructure) -> bool:
        """Say whether we can enter it by ourselves."""
        return infrastructure.has_credentials


@admin.register(Replacement)
class ReplacementAdmin(admin.ModelAdmin):
    """The replacements that were cut short, to look at: the next contact with the region settles them."""

    list_display = ["flavorid", "infrastructure", "goal", "requested_by", "created_at", "last_error"]
    list_select_related = ["infrastructure"]
    list_filter = ["infrastructure", "goal"]
    search_fields = ["flavorid", "infrastructure__name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the machine alone makes them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Replacement | None = None) -> bool:
        """Refuse: the machine alone settles them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Replacement | None = None) -> bool:
        """Refuse: it may be the only copy of a flavor."""
        return False
