"""The catalogue in the admin site."""

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from flavors.models import Flavor, Installation


class InstallationInline(admin.TabularInline):
    """Where a flavor is installed; Nova is changed elsewhere."""

    model = Installation
    extra = 0
    can_delete = False
    readonly_fields = ["infrastructure", "flavorid", "installed_at"]

    def has_add_permission(self, request: HttpRequest, obj: Flavor | None = None) -> bool:
        """Refuse: a row here says what is in Nova, and does not make it so."""
        return False


@admin.register(Flavor)
class FlavorAdmin(admin.ModelAdmin):
    """The flavors of the catalogue."""

    list_display = ["name", "vcpus", "ram", "disk", "swap", "promoted", "public", "installed_in"]
    list_filter = ["promoted", "public"]
    search_fields = ["name", "flavorid"]
    readonly_fields = ["created_at", "updated_at"]
    inlines = [InstallationInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flavor]:
        """Count the nodes of each in the same query."""
        flavors: QuerySet[Flavor] = super().get_queryset(request)
        return flavors.annotate(node_count=Count("installations"))

    @admin.display(description="nodes", ordering="node_count")
    def installed_in(self, flavor: Flavor) -> int:
        """Return in how many nodes it is installed."""
        return flavor.node_count  # type: ignore[attr-defined,no-any-return]
