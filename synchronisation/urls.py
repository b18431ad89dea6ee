"""The routes of the synchronisation."""

from django.urls import re_path

from flavorsync_project.api.routers import OptionalSlashRouter
from synchronisation.views import SyncRunViewSet, SyncStatusView

router = OptionalSlashRouter()
router.register("sync/runs", SyncRunViewSet, basename="sync-run")

urlpatterns = [*router.urls, re_path(r"^sync/status/?$", SyncStatusView.as_view(), name="sync-status")]
