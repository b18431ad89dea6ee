"""The regions' routes, under each of their names."""

from flavorsync_project.api.routers import OptionalSlashRouter
from regions.views import RegionFlavorViewSet, RegionViewSet

router = OptionalSlashRouter()
for name in ("regions", "nodes"):
    router.register(name, RegionViewSet, basename=f"{name}-region")
for name in ("regions", "nodes", "region"):
    router.register(rf"{name}/(?P<region>[^/]+)/flavors", RegionFlavorViewSet, basename=f"{name}-flavor")

urlpatterns = router.urls
