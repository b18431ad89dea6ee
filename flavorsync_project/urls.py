"""All routes: the catalogue's page at /, the API under /v1 and /api/v1, the admin site under /admin.

The OpenStack face is under /compute, unless COMPUTE_API is false.
"""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from compute.views import VersionsView
from flavors import pages
from flavorsync_project import monitoring
from flavorsync_project.api.views import DescriptionView, IndexView
from identity import schema  # noqa: F401 — what the API's description says of credentials
from identity.pages import sign_out
from pages.views import public_flavor_page

admin.autodiscover()  # here, so that no command waits for pages that it does not show

api: list[URLPattern | URLResolver] = [
    path("", include("infrastructures.urls")),
    path("", include("flavors.urls")),
    path("", include("synchronisation.urls")),
    path("", include("regions.urls")),
    re_path(r"^schema/?$", DescriptionView.as_view(), name="schema"),
    re_path(r"^docs/?$", SpectacularSwaggerSplitView.as_view(), name="docs"),
]

index = IndexView.as_view(collections=("flavors", "promotedflavors", "infrastructures", "regions", "sync/runs"))

urlpatterns = [
    path("", pages.catalogue, name="catalogue"),
    path("flavors/<path:flavorid>", public_flavor_page, name="public_flavor"),
    # The runs' pages in the release before
    path("admin/flavors/syncrun/<path:rest>", RedirectView.as_view(url="/admin/synchronisation/syncrun/%(rest)s")),
    path("admin/flavors/syncrun/", RedirectView.as_view(pattern_name="admin:synchronisation_syncrun_changelist")),
    path("admin/logout/", sign_out),  # which ends tokens, too
    path("admin/", include("pages.urls")),
    path("admin/", admin.site.urls),
    path("sign-in/", include("identity.urls")),
    path("health/live", monitoring.live, name="live"),
    path("health/ready", monitoring.ready, name="ready"),
    path("metrics", monitoring.metrics, name="metrics"),
    re_path(r"^v1/?$", index, name="index"),
    re_path(r"^api/v1/?$", index),
    path("api/v1/", include(api)),
    path("v1/", include(api)),
]
if settings.COMPUTE_API:
    urlpatterns += [
        re_path(r"^compute/?$", VersionsView.as_view(), name="compute"),
        path("compute/", include("compute.urls")),
    ]

handler400 = "flavorsync_project.api.handlers.bad_request"
handler403 = "flavorsync_project.api.handlers.forbidden"
handler404 = "flavorsync_project.api.handlers.not_found"
handler500 = "flavorsync_project.api.handlers.server_error"
