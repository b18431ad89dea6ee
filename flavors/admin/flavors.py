"""The catalogue in the admin site."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, F, Func, IntegerField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime

from flavors.admin import actions
from flavors.admin.documents import DocumentPages, may_load
from flavors.admin.filters import CoverageFilter, RamFilter, VcpusFilter
from flavors.admin.forms import FlavorForm, access_in_lines, effect_of_saving
from flavors.admin.looks import LOOKS, address_of_cell
from flavors.admin.staff import ADD, CHANGE, PROMOTE, may_install
from flavors.catalogue.states import CHANGED, RECORDED, state_now
from flavors.models import Flavor, Installation, Sighting
from flavors.natural import NaturalPaginator
from flavors.units import readable_gib, readable_mib
from infrastructures.admin import KeptByInstallations, OffersActions
from infrastructures.models import Infrastructure


class InstallationInline(admin.TabularInline):
    """Where a flavor is installed; Nova is changed elsewhere."""

    model = Installation
    extra = 0
    can_delete = False
    readonly_fields = ["infrastructure", "flavorid", "installed_at", "made", "last_seen"]
    verbose_name_plural = "installed in"

    def has_add_permission(self, request: HttpRequest, obj: Flavor | None = None) -> bool:
        """Refuse: a row here only records what is in Nova."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Installation]:
        """Read a row's names, and what was last seen, in the same query."""
        installations: QuerySet[Installation] = super().get_queryset(request)
        seen = Sighting.objects.order_by().filter(flavor=OuterRef("flavor"), infrastructure=OuterRef("infrastructure"))
        last = {f"seen_{member}": Subquery(seen.values(member)) for member in ("state", "digest", "since")}
        return installations.select_related("flavor", "infrastructure").annotate(**last)

    @admin.display(description="last seen")
    def last_seen(self, installation: Any) -> str:
        """Return what was last seen of it there, with a link to the details."""
        state, since = RECORDED, ""
        if installation.seen_state:
            state = state_now(installation.seen_state, installation.seen_digest, installation.flavor.digest)
        if state not in (RECORDED, CHANGED):
            since = f" since {date_format(localtime(installation.seen_since), 'DATETIME_FORMAT')}"
        url = address_of_cell(installation.flavor.flavorid, installation.infrastructure.name)
        return format_html('<a href="{}">{}{}</a>', url, LOOKS[state].words, since)


class Catalogue(ChangeList):
    """The list of the flavors, whose names lead to all that there is to know of each."""

    def url_for_result(self, result: Any) -> str:
        """Return the address of a flavor's page."""
        return reverse("flavor", args=[result.pk])

    def get_results(self, request: HttpRequest) -> None:
        """Have a single page in the natural order, too: Django takes the queryset itself for it."""
        super().get_results(request)
        if isinstance(self.paginator, NaturalPaginator) and not self.multi_page:
            self.result_list = self.paginator.page(1).object_list


@admin.register(Flavor)
class FlavorAdmin(DocumentPages, KeptByInstallations, OffersActions):
    """The flavors of the catalogue."""

    form = FlavorForm
    change_form_template = "admin/flavors/flavor/change_form.html"

    class Media:
        """Extra specs as rows, and sizes in larger units."""

        js = [forms.Script("flavorsync/specs.js", type="module")]

    list_display = ["name", "vcpus", "readable_ram", "readable_disk", "promoted", "public", "installed_in"]
    list_filter = [
        "promoted",
        "public",
        VcpusFilter,
        RamFilter,
        CoverageFilter,
        ("installations__infrastructure", admin.RelatedFieldListFilter),
    ]
    search_fields = ["name", "flavorid"]
    readonly_fields = ["created_at", "updated_at"]
    inlines = [InstallationInline]
    actions = ["publish_flavors", "promote_flavors", "install_flavors", "retire_flavors", "keep_flavors"]
    fieldsets = [
        (None, {"fields": ["name", "flavorid", ("public", "promoted")]}),
        ("Sizes", {"fields": [("vcpus", "ram"), ("disk", "ephemeral"), ("swap", "rxtx_factor")]}),
        ("In the clouds", {"fields": ["description", "is_public", "access", "extra_specs"]}),
        ("Record", {"fields": [("created_at", "updated_at")]}),
    ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Have the names lead to the flavors' pages, which lead on to their forms."""
        return Catalogue

    def get_urls(self) -> list[URLResolver | URLPattern]:  # type: ignore[override]
        """Add the files of the catalogue."""
        return [*self.document_urls(), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, where those who may can load a document."""
        return super().changelist_view(request, {"may_load": may_load(request), **(extra_context or {})})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Say what saving sets off in the nodes."""
        flavor: Any = kwargs.get("obj")
        if flavor and self.has_change_permission(request, flavor):
            context["effect"] = effect_of_saving(flavor, nodes=flavor.node_total)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Flavor, form: Any, change: bool) -> None:
        """Save the flavor, and its access list."""
        super().save_model(request, obj, form, change)
        form.grant()

    def pointless_actions(self, row: Flavor) -> set[str]:
        """Return the actions that would not change a flavor as it is."""
        pointless = {"publish_flavors"} if row.public else set()
        pointless |= {"promote_flavors"} if row.promoted else {"synchronise_flavors", "retire_flavors", "keep_flavors"}
        return pointless if hasattr(row, "retirement") else pointless | {"keep_flavors"}

    @admin.display(description="projects")
    def access(self, flavor: Flavor) -> str:
        """Return the projects that may use it, for those who may not change them."""
        return access_in_lines(flavor) or "none by the catalogue"

    def get_paginator(self, request: HttpRequest, queryset: Any, per_page: int, *args: Any, **options: Any) -> Any:
        """Return pages in the natural order of names, unless the list is sorted by something else."""
        order = queryset.query.order_by[:1]
        if order in (("name",), ("-name",)):
            return NaturalPaginator(queryset, per_page, backwards=order == ("-name",))
        return super().get_paginator(request, queryset, per_page, *args, **options)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Show where a flavor is installed, if it is anywhere."""
        return super().get_inlines(request, obj) if obj and obj.node_count else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flavor]:
        """Count each flavor's nodes, and all nodes, in the same query. Only those who may change drafts see them."""
        flavors: QuerySet[Flavor] = super().get_queryset(request).select_related("retirement")
        if not any(request.user.has_perm(permission) for permission in (ADD, CHANGE)):
            flavors = flavors.filter(public=True)
        all_nodes = Infrastructure.objects.order_by().annotate(
            total=Func(F("pk"), function="COUNT", output_field=IntegerField())
        )
        return flavors.annotate(
            node_count=Count("installations", distinct=True), node_total=Subquery(all_nodes.values("total"))
        )

    @admin.display(description="RAM", ordering="ram")
    def readable_ram(self, flavor: Flavor) -> str:
        """Return its RAM, and its swap."""
        return _with_extra(readable_mib(flavor.ram), flavor.swap and f"{readable_mib(flavor.swap)} swap")

    @admin.display(description="disk", ordering="disk")
    def readable_disk(self, flavor: Flavor) -> str:
        """Return its disk, and its ephemeral one."""
        return _with_extra(
            readable_gib(flavor.disk), flavor.ephemeral and f"{readable_gib(flavor.ephemeral)} ephemeral"
        )

    @admin.display(description="nodes", ordering="node_count")
    def installed_in(self, flavor: Any) -> str:
        """Return how many nodes have it."""
        return f"in {flavor.node_count} of {flavor.node_total}"

    # Who may do what

    def has_promote_permission(self, request: HttpRequest) -> bool:
        """Say whether the user may promote."""
        return request.user.has_perm(PROMOTE)

    def has_install_permission(self, request: HttpRequest) -> bool:
        """Say whether the user may install in nodes."""
        return may_install(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Flavor | None = None) -> bool:
        """Say whether the user may change it. Changing a published one takes the right to promote."""
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Flavor | None = None) -> bool:
        """Say whether the user may delete it. Deleting a published one takes the right to promote."""
        return super().has_delete_permission(request, obj) and self._may_touch(request, obj)

    def _may_touch(self, request: HttpRequest, flavor: Flavor | None) -> bool:
        return flavor is None or not flavor.public or self.has_promote_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Flavor | None = None) -> list[str]:
        """Leave publishing and promoting to the actions, which first say what will happen, and that it is for good.

        A new flavor may be public from the start, and promoted if the user may promote.
        """
        readonly = list(super().get_readonly_fields(request, obj))
        if obj is not None:
            return [*readonly, "public", "promoted"]
        return readonly if self.has_promote_permission(request) else [*readonly, "promoted"]

    # Actions on several

    @admin.action(description="Publish…", permissions=["change"])
    def publish_flavors(self, request: HttpRequest, queryset: QuerySet[Flavor]) -> HttpResponse | None:
        """Put drafts into the catalogue."""
        return actions.confirm_or_carry_out(self, request, actions.PUBLISH, queryset)

    @admin.action(description="Promote…", permissions=["promote"])
    def promote_flavors(self, request: HttpRequest, queryset: QuerySet[Flavor]) -> HttpResponse | None:
        """Mark flavors as those that every node should have."""
        return actions.confirm_or_carry_out(self, request, actions.PROMOTE, queryset)

    @admin.action(description="Install in…", permissions=["install"])
    def install_flavors(self, request: HttpRequest, queryset: QuerySet[Flavor]) -> HttpResponse | None:
        """Create flavors in the Novas of nodes."""
        flavors = queryset.prefetch_related("installations__infrastructure")
        return actions.confirm_or_carry_out(self, request, actions.INSTALL, flavors)

    @admin.action(description="Retire…", permissions=["promote"])
    def retire_flavors(self, request: HttpRequest, queryset: QuerySet[Flavor]) -> HttpResponse | None:
        """Have flavors leave the nodes and then the catalogue."""
        flavors = queryset.prefetch_related("installations__infrastructure")
        return actions.confirm_or_carry_out(self, request, actions.RETIRE, flavors)

    @admin.action(description="Keep, not retire…", permissions=["promote"])
    def keep_flavors(self, request: HttpRequest, queryset: QuerySet[Flavor]) -> HttpResponse | None:
        """Have flavors stay that were to be retired."""
        return actions.confirm_or_carry_out(self, request, actions.KEEP, queryset.select_related("retirement"))


def _with_extra(size: str, extra: str | int) -> str:
    return format_html('{} <span class="quiet">+ {}</span>', size, extra) if extra else size
