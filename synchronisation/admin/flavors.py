"""The catalogue in the admin site, with what there is to compare and to bring in sync."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from flavors.admin import FlavorAdmin
from flavors.models import Flavor
from synchronisation.admin import actions
from synchronisation.admin.compare import ComparisonPages
from synchronisation.admin.coverage import CoveragePages
from synchronisation.admin.own_flavors import OwnFlavorPages
from synchronisation.permissions import may_synchronise

admin.site.unregister(Flavor)


@admin.register(Flavor)
class SynchronisedFlavorAdmin(CoveragePages, ComparisonPages, OwnFlavorPages, FlavorAdmin):
    """The flavors of the catalogue, in the nodes."""

    actions = [*FlavorAdmin.actions, "synchronise_flavors"]

    def get_urls(self) -> list[URLResolver | URLPattern]:  # type: ignore[override]
        """Add the pages of our own."""
        return [*self.coverage_urls(), *self.comparison_urls(), *self.own_flavor_urls(), *super().get_urls()]

    def has_synchronise_permission(self, request: HttpRequest) -> bool:
        """Say whether one may synchronise in some node."""
        return may_synchronise(request.user)

    @admin.action(description="Synchronise…", permissions=["synchronise"])
    def synchronise_flavors(self, request: HttpRequest, queryset: QuerySet[Flavor]) -> HttpResponse | None:
        """Bring promoted flavors in sync in nodes, in the background."""
        return actions.confirm_or_synchronise(self, request, queryset)
