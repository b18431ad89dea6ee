"""The catalogue's routes."""

from flavors.views import FlavorViewSet, PromotedFlavorViewSet
from flavorsync_project.api.routers import OptionalSlashRouter

router = OptionalSlashRouter()
router.register("flavors", FlavorViewSet, basename="flavor")
router.register("promotedflavors", PromotedFlavorViewSet, basename="promoted-flavor")

urlpatterns = router.urls
