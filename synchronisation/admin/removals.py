"""Flavors that were deleted from the catalogue and are still in nodes, and why."""

from django.contrib import admin
from django.http import HttpRequest

from flavors.admin.staff import PROMOTE
from flavorsync_project.moments import column
from infrastructures.admin import linked
from synchronisation.models import Removal


@admin.register(Removal)
class RemovalAdmin(admin.ModelAdmin):
    """The flavors to remove from nodes, read-only: runs remove them, and then delete these rows."""

    list_display = ["flavorid", "name", "node", "reason", "requested_by", column("created_at", "deleted")]
    list_filter = ["infrastructure"]
    list_select_related = ["infrastructure"]
    search_fields = ["flavorid", "requested_by"]
    fields = ["flavorid", "name", "infrastructure", "reason", "requested_by", "created_at", "was"]

    @admin.display(description="node", ordering="infrastructure__name")
    def node(self, removal: Removal) -> str:
        """Return the node's name, with a link to its page."""
        return linked(removal.infrastructure)

    @admin.display(description="name")
    def name(self, removal: Removal) -> str:
        """Return the flavor's name in the node."""
        return str(removal.was.get("name", ""))

    def has_view_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        """Also permit managers of the promoted flavors, who may delete these."""
        return super().has_view_permission(request, obj) or request.user.has_perm(PROMOTE)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: they result from deletions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        """Refuse: only the synchronisation writes them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Removal | None = None) -> bool:
        """Refuse: they are deleted when the flavor has left the node."""
        return False
