"""The catalogue in the admin site, with the pages and actions to compare and synchronise it."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from flavors.admin import FlavorAdmin
from flavors.models import Flavor
from synchronisation.admin import actions
from synchronisation.admin.cells import CellPages
from synchronisation.admin.compare import ComparisonPages
from synchronisation.admin.coverage import CoveragePages
from synchronisation.admin.many_cells import ManyCellsPages
from synchronisation.admin.own_flavors import OwnFlavorPages
from synchronisation.admin.scs import ScsPages
from synchronisation.delivery import note_written
from synchronisation.permissions import may_synchronise

admin.site.unregister(Flavor)


@admin.register(Flavor)
class SynchronisedFlavorAdmin(
    CoveragePages, CellPages, ManyCellsPages, ComparisonPages, OwnFlavorPages, ScsPages, FlavorAdmin
):
    """The flavors of the catalogue, and their synchronisation with the nodes."""

    actions = [*FlavorAdmin.actions, "synchronise_flavors"]

    def get_urls(self) -> list[URLResolver | URLPattern]:  # type: ignore[override]
        """Add our own pages."""
        own = (
            self.coverage_urls,
            self.cell_urls,
            self.many_cells_urls,
            self.comparison_urls,
            self.own_flavor_urls,
            self.scs_urls,
        )
        return [*(route for routes in own for route in routes()), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Flavor, form: Any, change: bool) -> None:
        """Save the flavor; projects that have changed are brought to the nodes like any other change."""
        super().save_model(request, obj, form, change)
        if settings.SYNC_ON_CHANGE_SECONDS and obj.promoted and "access" in form.changed_data:
            note_written(obj.flavorid, written_by=str(request.user), seconds=settings.SYNC_ON_CHANGE_SECONDS)

    def has_synchronise_permission(self, request: HttpRequest) -> bool:
        """Say whether the user may synchronise any node."""
        return may_synchronise(request.user)

    @admin.action(description="Synchronise…", permissions=["synchronise"])
    def synchronise_flavors(self, request: HttpRequest, queryset: QuerySet[Flavor]) -> HttpResponse | None:
        """Synchronise promoted flavors in nodes, in the background."""
        return actions.confirm_or_synchronise(self, request, queryset)
