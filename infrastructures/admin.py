"""The clouds in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.timezone import localtime

from infrastructures.models import Check, Infrastructure, Replacement
from infrastructures.readiness import check_and_keep


class OffersActions(admin.ModelAdmin):
    """The admin of a model whose actions on several rows are offered on the page of each row, too."""

    change_form_template = "admin/change_form_with_actions.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form, with the actions as buttons."""
        choices = self.get_action_choices(request, default_choices=[])
        offered = [(name, label) for name, label in choices if name != "delete_selected"]
        return super().change_view(request, object_id, form_url, {"offered": offered, **(extra_context or {})})


class KeptByInstallations(admin.ModelAdmin):
    """The admin of what is not deleted while it has installations."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return the installations that keep them from being deleted or, without any, what Django finds.

        Django would ask for the name of each one's flavor and node by itself. Cost: three queries more.
        """
        objs = list(objs)
        prefetch_related_objects(objs, "installations__flavor", "installations__infrastructure")
        kept = [f"Installation: {installation}" for each in objs for installation in each.installations.all()]
        return ([], {}, set(), kept) if kept else super().get_deleted_objects(objs, request)


def origin(request: HttpRequest) -> str:
    """Return the page of ours that a form names as the one to go back to, "" for none."""
    url = request.POST.get("next", "")
    return url if url_has_allowed_host_and_scheme(url, None) else ""


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
        label="Forget our account there",
        help_text="The user name, the password and the tenant. Then its users reach the cloud with their own Keystone "
        "tokens alone.",
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
        if cleared:
            values |= {"username": "", "tenant": ""}
        if not self.instance.has_credentials and (values.get("username") or values.get("tenant")):
            raise ValidationError({"password": "It is missing: credentials are whole, or there are none."})
        return values

    def _leads_elsewhere(self, values: dict[str, Any]) -> bool:
        """Say whether a URL has changed: whoever may write one must not learn the password by it."""
        return any(member in self.changed_data and values.get(member) for member in ("keystone_url", "nova_url"))


@admin.register(Infrastructure)
class InfrastructureAdmin(KeptByInstallations, OffersActions):
    """The regions, and the credentials with which we enter them, which a Fiware operator registers here."""

    form = InfrastructureForm
    list_display = ["name", "connection", "flavors", "keystone_url", "credentials", "operated_by", "registered_by"]
    search_fields = ["name", "region", "keystone_url"]
    readonly_fields = ["credentials", "connection", "last_check", "installed", "registered_by", "created_at"]
    list_select_related = ["check_result"]
    actions = ["check_connections"]
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
                "description": "All of it, and a Keystone URL, or nothing at all.",
            },
        ),
        ("Connection check", {"fields": ["connection", "last_check"]}),
        ("What is installed there", {"fields": ["installed"]}),
        ("Registration", {"fields": ["registered_by", "created_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Infrastructure]:
        """Count the flavors of each in the same query, and fetch the operators of all in one more."""
        infrastructures: QuerySet[Infrastructure] = super().get_queryset(request)
        return infrastructures.annotate(flavor_count=Count("installations")).prefetch_related("operators")

    def save_model(
        self, request: HttpRequest, obj: Infrastructure, form: forms.ModelForm[Infrastructure], change: bool
    ) -> None:
        """Write down who registers it."""
        if not change:
            obj.registered_by = str(request.user)
        super().save_model(request, obj, form, change)

    @admin.action(description="Check connection", permissions=["change"])
    def check_connections(self, request: HttpRequest, queryset: QuerySet[Infrastructure]) -> HttpResponse | None:
        """Try to enter the clouds; keep and show what came of it. Nothing is changed there."""
        for check in check_and_keep(queryset):
            if check.problem:
                messages.error(request, check.problem)
            else:
                messages.success(request, f"{check.infrastructure}: we can enter it and manage flavors there.")
        return HttpResponseRedirect(origin(request)) if origin(request) else None

    @admin.display(description="connection", ordering="check_result__problem")
    def connection(self, infrastructure: Infrastructure) -> str:
        """Say how the last check of it ended, and when."""
        check = _last_check(infrastructure)
        if check is None:
            return format_html('<span class="badge unknown">{}</span>', "never checked")
        look, text = ("differs", "✕ trouble") if check.problem else ("good", "✓ ready")
        return format_html(
            '<span class="badge {}">{}</span> <span class="moment">{}</span>', look, text, _moment(check)
        )

    @admin.display(description="last check")
    def last_check(self, infrastructure: Infrastructure) -> str:
        """Say all that the last check found."""
        check = _last_check(infrastructure)
        if check is None:
            return "none yet"
        known = {True: "yes", False: "no", None: "not known"}
        rows = [
            ("Signed in", known[check.authenticated]),
            ("Compute endpoint", check.compute_endpoint or "not known"),
            ("Microversion", check.microversion or "not known"),
            ("May create flavors", known[check.may_create_flavors]),
            ("May delete flavors", known[check.may_delete_flavors]),
            ("Trouble", check.problem or "none"),
        ]
        return format_html("<dl class='facts'>{}</dl>", format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))

    @admin.display(description="flavors", ordering="flavor_count")
    def flavors(self, infrastructure: Any) -> str:
        """Return how many flavors of the catalogue it has, with a link to them."""
        url = reverse("admin:flavors_flavor_changelist")
        return format_html(
            '<a href="{}?installations__infrastructure__id__exact={}">{}</a>',
            url,
            infrastructure.pk,
            infrastructure.flavor_count,
        )

    @admin.display(description="flavors of the catalogue")
    def installed(self, infrastructure: Infrastructure) -> str:
        """Return the flavors of the catalogue that it has, each with a link, and where it is told how each was seen."""
        names = infrastructure.installations.order_by("flavor__name").values_list("flavor_id", "flavor__name")
        links = [(reverse("admin:flavors_flavor_change", args=[key]), name) for key, name in names]
        return format_html(
            '{} (<a href="{}?{}">as they were last seen</a>)',
            format_html_join(", ", '<a href="{}">{}</a>', links) or "none",
            reverse("admin:flavors_flavor_coverage"),
            urlencode({"which": "public", "node": infrastructure.name}),
        )

    @admin.display(description="operators")
    def operated_by(self, infrastructure: Infrastructure) -> str:
        """Return the names of the local accounts that operate it."""
        return ", ".join(str(operator) for operator in infrastructure.operators.all())

    @admin.display(boolean=True, description="credentials stored")
    def credentials(self, infrastructure: Infrastructure) -> bool:
        """Say whether we can enter it by ourselves."""
        return infrastructure.has_credentials


def _last_check(infrastructure: Infrastructure) -> Check | None:
    return getattr(infrastructure, "check_result", None)


def _moment(check: Check) -> str:
    return date_format(localtime(check.checked_at), "DATETIME_FORMAT")


@admin.register(Replacement)
class ReplacementAdmin(admin.ModelAdmin):
    """What is being changed, was cut short or is watched, to look at: the next contact with the region settles it."""

    list_display = ["flavorid", "infrastructure", "state", "unsure_until", "requested_by", "created_at", "last_error"]
    list_select_related = ["infrastructure"]
    list_filter = ["infrastructure", "goal", "is_met"]
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
