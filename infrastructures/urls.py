"""The infrastructures' routes."""

from flavorsync_project.api.routers import OptionalSlashRouter
from infrastructures.views import InfrastructureViewSet

router = OptionalSlashRouter()
router.register("infrastructures", InfrastructureViewSet, basename="infrastructure")

urlpatterns = router.urls
