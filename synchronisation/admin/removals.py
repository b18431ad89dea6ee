"""What was deleted from the catalogue and is still in nodes, and why it is there yet."""

from django.contrib import admin
from django.http import HttpRequest

from flavors.admin.staff import PROMOTE
from synchronisation.models import Removal


@admin.register(Removal)
class RemovalAdmin(admin.ModelAdmin):
    """The flavors that are to go from nodes, to look at: runs take them out, and forget them then."""

    list_display = ["flavorid", "name", "infrastructure", "reason", "requested_by", "created_at"]
    list_filter = ["infrastructure"]
    list_select_related = ["infrastructure"]
    search_fields = ["flavorid", "requested_by"]
    fields = ["flavorid", "name", "infrastructure", "reason", "requested_by", "created_at", "was"]

    @admin.display(description="name")
    def name(self, removal: Removal) -> str:
        """Return what it is called there."""
        return str(removal.was.get("name", ""))

    def has_view_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        """Let those look, too, who may delete promoted flavors."""
        return super().has_view_permission(request, obj) or request.user.has_perm(PROMOTE)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: they come of deletions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        """Refuse: the machine writes them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        """Refuse: they go when the flavor has gone."""
        return False
