"""The catalogue's routes."""

from django.urls import re_path

from flavors.sync_views import SyncRunViewSet, SyncStatusView
from flavors.views import FlavorViewSet, PromotedFlavorViewSet
from flavorsync_project.api.routers import OptionalSlashRouter

router = OptionalSlashRouter()
router.register("flavors", FlavorViewSet, basename="flavor")
router.register("promotedflavors", PromotedFlavorViewSet, basename="promoted-flavor")
router.register("sync/runs", SyncRunViewSet, basename="sync-run")

urlpatterns = [*router.urls, re_path(r"^sync/status/?$", SyncStatusView.as_view(), name="sync-status")]
