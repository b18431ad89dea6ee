"""The clouds in the admin site."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Count, Model, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from flavorsync_project.moments import column, moment
from infrastructures.models import Check, Infrastructure, Replacement
from infrastructures.own_nodes import OwnNodePages, operates
from infrastructures.readiness import check_and_keep
from infrastructures.registration import REGISTER


class OffersActions(admin.ModelAdmin):
    """The admin of a model that also offers its actions on the page of each row."""

    change_form_template = "admin/change_form_with_actions.html"

    def offered(self, request: HttpRequest, row: Model) -> list[tuple[str, str]]:
        """Return the name and label of each action that the user may carry out on a row."""
        without = {"delete_selected", *self.pointless_actions(row)}
        choices = self.get_action_choices(request, default_choices=[])
        return [(name, label) for name, label in choices if name not in without]

    def pointless_actions(self, row: Any) -> Collection[str]:
        """Return the actions that would change nothing about a row."""
        return ()

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show the form, with the actions as buttons."""
        row: Model | None = kwargs.get("obj")
        context["offered"] = self.offered(request, row) if row else []
        return super().render_change_form(request, context, *args, **kwargs)


class KeptByInstallations(admin.ModelAdmin):
    """The admin of rows that cannot be deleted while they have installations."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return the installations that prevent the deletion or, without any, what Django finds.

        Django would query the flavor and node of each installation. Cost: three more queries.
        """
        objs = list(objs)
        prefetch_related_objects(objs, "installations__flavor", "installations__infrastructure")
        kept = [f"Installation: {installation}" for each in objs for installation in each.installations.all()]
        return ([], {}, set(), kept) if kept else super().get_deleted_objects(objs, request)


def origin(request: HttpRequest) -> str:
    """Return the page of this site to which a form asks to return, or ""."""
    url = request.POST.get("next", "")
    return url if url_has_allowed_host_and_scheme(url, None) else ""


class InfrastructureForm(forms.ModelForm):
    """A cloud; its password can be set, but is never shown."""

    password = forms.CharField(
        required=False,
        strip=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="The password of our account there. Leave empty to keep the stored one, which is never shown.",
    )
    clear_password = forms.BooleanField(
        required=False,
        label="Forget our account there",
        help_text="The user name, the password and the tenant. The cloud's users then reach it only with their own "
        "Keystone tokens.",
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
        """Set the model's password; its constraint then checks that the credentials are complete."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        password, cleared = values.pop("password", ""), values.get("clear_password")
        if password and cleared:
            raise ValidationError({"clear_password": "Give a new password or forget the stored one, not both."})
        if self._leads_elsewhere(values) and self.instance.has_credentials and not (password or cleared):
            raise ValidationError({"password": "Give it again: a stored password is not sent to another address."})
        if password or cleared:
            self.instance.set_password(password)
        if cleared:
            values |= {"username": "", "tenant": ""}
        if not self.instance.has_credentials and (values.get("username") or values.get("tenant")):
            raise ValidationError({"password": "Give one, too: credentials are complete, or there are none."})
        return values

    def _leads_elsewhere(self, values: dict[str, Any]) -> bool:
        """Say whether a URL has changed, which must not reveal the stored password to another address."""
        return any(member in self.changed_data and values.get(member) for member in ("keystone_url", "nova_url"))


class NodeList(ChangeList):
    """The list of the nodes, with each name linked to the node's page."""

    def url_for_result(self, result: Any) -> str:
        """Return the URL of a node's page."""
        return reverse("node", args=[result.pk])


@admin.register(Infrastructure)
class InfrastructureAdmin(OwnNodePages, KeptByInstallations, OffersActions):
    """The clouds, and the credentials with which we enter them. Operators register their own, the staff any."""

    form = InfrastructureForm
    change_form_template = "admin/infrastructures/infrastructure/change_form.html"
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
                    "password",
                    "clear_password",
                ],
                "description": "Fill in all of it, and a Keystone URL, or nothing.",
            },
        ),
        ("Connection check", {"fields": ["connection", "last_check"]}),
        ("What is installed there", {"fields": ["installed"]}),
        ("Registration", {"fields": ["registered_by", "created_at"]}),
    ]

    def get_urls(self) -> list[URLResolver | URLPattern]:  # type: ignore[override]
        """Add the pages for operators."""
        return [*self.own_node_urls(), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with a link to registration for operators."""
        may_register = request.user.has_perm(REGISTER)
        return super().changelist_view(request, {"may_register": may_register, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a cloud, with a link for its operators to unregister it."""
        context = {"may_unregister": operates(request, object_id), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list that links to the nodes' pages, which link to the forms."""
        return NodeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Infrastructure]:
        """Count each cloud's flavors in the same query, and fetch all operators in one more.

        Operators see only their own clouds.
        """
        infrastructures: Any = super().get_queryset(request)
        if not super().has_view_permission(request):
            infrastructures = infrastructures.operated_by(request.user)
        counted: QuerySet[Infrastructure] = infrastructures.annotate(flavor_count=Count("installations"))
        return counted.prefetch_related("operators")

    def has_view_permission(self, request: HttpRequest, obj: Infrastructure | None = None) -> bool:
        """Let operators view their own clouds; `get_queryset` returns no others to them."""
        return super().has_view_permission(request, obj) or request.user.has_perm(REGISTER)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the clouds on the index page to users who may view some."""
        return super().has_module_permission(request) or request.user.has_perm(REGISTER)

    def save_model(
        self, request: HttpRequest, obj: Infrastructure, form: forms.ModelForm[Infrastructure], change: bool
    ) -> None:
        """Record who registers the cloud."""
        if not change:
            obj.registered_by = str(request.user)
        super().save_model(request, obj, form, change)

    @admin.action(description="Check connection", permissions=["change"])
    def check_connections(self, request: HttpRequest, queryset: QuerySet[Infrastructure]) -> HttpResponse | None:
        """Try to enter the clouds, and store and show the outcome. Changes nothing there."""
        for check in check_and_keep(queryset):
            if check.problem:
                messages.error(request, check.problem)
            else:
                messages.success(request, f"{check.infrastructure}: we can enter it and manage flavors there.")
        return HttpResponseRedirect(origin(request)) if origin(request) else None

    @admin.display(description="connection", ordering="check_result__problem")
    def connection(self, infrastructure: Infrastructure) -> str:
        """Show the outcome and time of the last check."""
        check = _last_check(infrastructure)
        if check is None:
            return format_html('<span class="badge unknown">{}</span>', "never checked")
        look, text = ("differs", "✕ trouble") if check.problem else ("good", "✓ ready")
        return format_html(
            '<span class="badge {}">{}</span> <span class="moment">{}</span>', look, text, moment(check.checked_at)
        )

    @admin.display(description="last check")
    def last_check(self, infrastructure: Infrastructure) -> str:
        """Show everything that the last check found."""
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
        """Return the number of the catalogue's flavors that are installed there, with a link to them."""
        url = reverse("admin:flavors_flavor_changelist")
        return format_html(
            '<a href="{}?installations__infrastructure__id__exact={}">{}</a>',
            url,
            infrastructure.pk,
            infrastructure.flavor_count,
        )

    @admin.display(description="flavors of the catalogue")
    def installed(self, infrastructure: Infrastructure) -> str:
        """Return the catalogue's flavors that are installed there, with links to each and to the coverage map."""
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
        """Say whether we hold credentials for it."""
        return infrastructure.has_credentials


def _last_check(infrastructure: Infrastructure) -> Check | None:
    return getattr(infrastructure, "check_result", None)


def linked(node: Infrastructure) -> str:
    """Return a node's name, with a link to its page."""
    return format_html('<a href="{}">{}</a>', reverse("node", args=[node.pk]), node.name)


@admin.register(Replacement)
class ReplacementAdmin(admin.ModelAdmin):
    """Changes that are under way, were cut short or are watched; read-only, since the next contact settles them."""

    list_display = [
        "flavorid",
        "node",
        "state",
        column("unsure_until", "unsure until"),
        "requested_by",
        column("created_at", "begun"),
        "last_error",
    ]
    list_select_related = ["infrastructure"]
    list_filter = ["infrastructure", "goal", "is_met"]
    search_fields = ["flavorid", "infrastructure__name"]

    @admin.display(description="node", ordering="infrastructure__name")
    def node(self, replacement: Replacement) -> str:
        """Return the node's name, with a link to its page."""
        return linked(replacement.infrastructure)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: only the service creates them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Replacement | None = None) -> bool:
        """Refuse: only the service settles them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Replacement | None = None) -> bool:
        """Refuse: it may be the only copy of a flavor."""
        return False
