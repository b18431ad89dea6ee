"""The face of the federation: a Nova whose flavors are the promoted ones."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from compute.federation import reading
from compute.wire import flavors as wire
from compute.wire.links import next_link, root_of
from compute.wire.parameters import ListParameters, parameters_of
from compute.wire.views import ComputeView
from flavors.models import Flavor
from flavors.permissions import PROMOTE


class FlavorsView(ComputeView):
    """The flavors, each in brief."""

    def get(self, request: Request) -> Response:
        """List them by id and name."""
        return self.page(request, wire.COLLECTION, wire.brief)

    def page(self, request: Request, collection: str, show: Any) -> Response:
        """Return the page of flavors that is asked for, each as *show* has it, and where the next one is."""
        parameters = parameters_of(request.query_params, self.microversion, sees_all=reading.sees_all(request.user))
        flavors = reading.list_flavors(user=request.user, parameters=parameters)
        root = root_of(request)
        body: dict[str, Any] = {
            "flavors": [show(flavor.as_nova(), self.microversion, root) for flavor in flavors],
        }
        if links := _links_onward(request, root, collection, flavors, parameters):
            body["flavors_links"] = links
        return Response(body)


class FlavorsDetailView(FlavorsView):
    """The flavors, each whole."""

    def get(self, request: Request) -> Response:
        """List them with all their members."""
        return self.page(request, f"{wire.COLLECTION}/detail", wire.whole)


class FlavorView(ComputeView):
    """One flavor."""

    def get(self, request: Request, id: str) -> Response:
        """Show it."""
        return self.shown(reading.find_flavor(user=request.user, flavorid=id))

    def shown(self, flavor: Flavor) -> Response:
        """Return a flavor, whole."""
        return Response({"flavor": wire.whole(flavor.as_nova(), self.microversion, root_of(self.request))})


class ExtraSpecsView(ComputeView):
    """The extra specs of a flavor."""

    def get(self, request: Request, id: str) -> Response:
        """List them."""
        return Response({"extra_specs": reading.find_flavor(user=request.user, flavorid=id).extra_specs})


class ExtraSpecView(ComputeView):
    """One extra spec of a flavor."""

    def get(self, request: Request, id: str, key: str) -> Response:
        """Show it."""
        flavor = reading.find_flavor(user=request.user, flavorid=id)
        return Response({key: reading.extra_spec_of(flavor, key)})


class AccessView(ComputeView):
    """The projects that may use a flavor which is not open to every one."""

    def get(self, request: Request, id: str) -> Response:
        """List them."""
        self.require(PROMOTE, "os_compute_api:os-flavor-access")
        flavor = reading.find_flavor(user=request.user, flavorid=id)
        return Response(wire.access(id, reading.access_list_of(flavor)))


def _links_onward(
    request: Request, root: str, collection: str, flavors: list[Flavor], parameters: ListParameters
) -> list[dict[str, str]]:
    """Return the link to the next page of a full one."""
    if not flavors or len(flavors) < parameters.limit:
        return []
    given = {name: str(value) for name, value in request.query_params.items() if name != "access_token"}
    return next_link(root, collection, given, marker=flavors[-1].flavorid)
