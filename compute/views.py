"""The versions of the API."""

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from compute.wire import versions
from compute.wire.links import root_of
from compute.wire.microversions import HIGHEST, Microversion
from compute.wire.views import ComputeView
from infrastructures.clouds import open_nova
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError


def highest_of(node: str | None) -> Microversion:
    """Return the highest microversion of a node's Nova; for the federation, or if Nova cannot be asked, ours.

    Cost: none for the federation; for a node one query, and the upstream calls of `open_nova` if it is not open yet.
    """
    infrastructure = Infrastructure.objects.filter(name=node).first() if node else None
    if infrastructure is None:
        return HIGHEST
    try:
        return Microversion.read(open_nova(infrastructure).highest_microversion)
    except CloudError:
        return HIGHEST


class _ForEverybody(ComputeView):
    """A view that needs no credentials, and like Nova ignores those that are sent."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def head(self, request: Request, **where: str) -> Response:
        """Answer as for GET, without the body."""
        return self.get(request, **where)  # type: ignore[attr-defined,no-any-return]


class VersionsView(_ForEverybody):
    """The versions of the API."""

    has_microversions = False

    def get(self, request: Request, node: str | None = None) -> Response:
        """List the only version."""
        return Response(versions.all_versions(root_of(request, node), highest_of(node)))


class VersionView(_ForEverybody):
    """The one version of the API."""

    def get(self, request: Request, node: str | None = None) -> Response:
        """Describe the version."""
        return Response(versions.the_version(root_of(request, node), highest_of(node)))
