"""The routes of Nova's API below `/compute/`; any other path gets Nova's 404."""

from django.urls import include, path, re_path

from compute.federation import surroundings
from compute.federation import views as federation
from compute.node.views import ForwardedView
from compute.views import VersionsView, VersionView
from compute.wire.links import VERSION
from compute.wire.views import NoRouteView

_flavors = [
    path("flavors", federation.FlavorsView.as_view()),
    path("flavors/detail", federation.FlavorsDetailView.as_view()),
    path("flavors/<str:id>", federation.FlavorView.as_view()),
    path("flavors/<str:id>/action", federation.ActionView.as_view()),
    path("flavors/<str:id>/os-extra_specs", federation.ExtraSpecsView.as_view()),
    path("flavors/<str:id>/os-extra_specs/<str:key>", federation.ExtraSpecView.as_view()),
    path("flavors/<str:id>/os-flavor-access", federation.AccessView.as_view()),
]
_besides = [
    path("extensions", surroundings.ExtensionsView.as_view()),
    path("limits", surroundings.LimitsView.as_view()),
    path("servers", surroundings.ServersView.as_view()),
    path("servers/detail", surroundings.ServersView.as_view()),
    path("os-services", surroundings.ServicesView.as_view()),
    path("os-availability-zone", surroundings.ZonesView.as_view()),
    path("os-availability-zone/detail", surroundings.ZonesDetailView.as_view()),
]

# A segment of a path, except `.` and `..`, which HTTP clients, ours too, resolve before they send it.
_PART = r"/(?!\.{1,2}(?:/|$))[^/]+"
# Nova's routes, and the methods of each.
_CARRIED = {
    "": ("get", "post"),
    "/detail": ("get",),
    _PART: ("get", "put", "delete"),
    f"{_PART}/action": ("post",),
    f"{_PART}/os-extra_specs": ("get", "post"),
    f"{_PART}/os-extra_specs{_PART}": ("get", "put", "delete"),
    f"{_PART}/os-flavor-access": ("get",),
}
_forwarded = [
    re_path(rf"^flavors(?P<path>{known})$", ForwardedView.as_view(http_method_names=methods))
    for known, methods in _CARRIED.items()
]

urlpatterns = [
    re_path(rf"^{VERSION}/?$", VersionView.as_view()),
    path(f"{VERSION}/", include([*_flavors, *_besides])),
    # For clients that take everything before the first `v2.1` of a path for the URL of the list of versions.
    re_path(r"^nodes/(?P<node>[^/]+)/?$", VersionsView.as_view()),
    re_path(rf"^nodes/(?P<node>[^/]+)/{VERSION}/?$", VersionView.as_view()),
    path(f"nodes/<str:node>/{VERSION}/", include(_forwarded)),
    re_path(r"^.*$", NoRouteView.as_view()),
]
