"""The routes of Nova's API below `/compute/`; what is not among them is answered as Nova does."""

from django.urls import include, path, re_path

from compute.federation import views as federation
from compute.views import VersionView
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

urlpatterns = [
    re_path(rf"^{VERSION}/?$", VersionView.as_view()),
    path(f"{VERSION}/", include(_flavors)),
    re_path(r"^.*$", NoRouteView.as_view()),
]
