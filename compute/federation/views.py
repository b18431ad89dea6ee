"""The OpenStack face of the federation: a Nova whose flavors are the promoted ones."""

from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from compute.federation import reading, writing
from compute.federation.remembering import remembered
from compute.wire import bodies
from compute.wire import flavors as wire
from compute.wire.formats import JSONRenderer
from compute.wire.links import next_link, root_of
from compute.wire.microversions import (
    ACCESS_OF_PUBLIC_FLAVORS_REFUSED,
    DESCRIPTIONS,
    EXTRA_SPECS_ARE_VALIDATED,
)
from compute.wire.parameters import ListParameters, may_show_more, parameters_of
from compute.wire.views import ComputeView
from flavors.models import Flavor
from flavors.permissions import PROMOTE


class _FlavorsView(ComputeView):
    """A view that shows flavors with all their members."""

    def shown(self, flavor: Flavor) -> Response:
        """Return a response with all members of a flavor."""
        return Response({"flavor": wire.whole(flavor.as_nova(), self.microversion, root_of(self.request))})


class FlavorsView(_FlavorsView):
    """The flavors, each in brief."""

    def get(self, request: Request) -> HttpResponse:
        """List the ids and names of the flavors."""
        return self.page(request, wire.COLLECTION, wire.brief)

    def post(self, request: Request) -> Response:
        """Create a flavor."""
        values = bodies.creation_of(request, self.microversion)
        self.require(PROMOTE, "os_compute_api:os-flavor-manage:create")
        return self.shown(writing.create_flavor(values=values, written_by=str(request.user)))

    def page(self, request: Request, collection: str, show: Any) -> HttpResponse:
        """Return the requested page of flavors, each rendered by *show*, and the link to the next page."""
        sees_all = may_show_more(request.query_params) and reading.sees_all(request.user)
        parameters = parameters_of(request.query_params, self.microversion, sees_all=sees_all)
        root, viewed = root_of(request), (sees_all, reading.project_of(request.user))

        def read() -> dict[str, Any]:
            flavors = reading.list_flavors(user=request.user, sees_all=sees_all, parameters=parameters)
            body: dict[str, Any] = {
                "flavors": [show(flavor.as_nova(), self.microversion, root) for flavor in flavors],
            }
            if links := _links_onward(request, root, collection, flavors, parameters):
                body["flavors_links"] = links
            return body

        asked = sorted((name, value) for name, value in request.query_params.items() if name != "access_token")
        body = remembered((collection, self.microversion, root, viewed, asked), read)
        return HttpResponse(body, content_type=JSONRenderer.media_type)


class FlavorsDetailView(FlavorsView):
    """The flavors, each with all members."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: Request) -> HttpResponse:
        """List the flavors with all their members."""
        return self.page(request, f"{wire.COLLECTION}/detail", wire.whole)


class FlavorView(_FlavorsView):
    """One flavor."""

    def get(self, request: Request, id: str) -> Response:
        """Show the flavor."""
        return self.shown(reading.find_flavor(user=request.user, flavorid=id))

    def put(self, request: Request, id: str) -> HttpResponse:
        """Change the flavor's description, the only member that can change; before microversion 2.55, answer 404."""
        if self.microversion < DESCRIPTIONS:
            raise NotFound("The resource could not be found.")
        values = bodies.update_of(request)
        self.require(PROMOTE, "os_compute_api:os-flavor-manage:update")
        return self.shown(
            writing.describe_flavor(flavorid=id, description=values["description"], written_by=str(request.user))
        )

    def delete(self, request: Request, id: str) -> Response:
        """Delete the flavor."""
        self.require(PROMOTE, "os_compute_api:os-flavor-manage:delete")
        writing.delete_flavor(flavorid=id, written_by=str(request.user))
        return Response(status=202)


class ActionView(ComputeView):
    """The actions of a flavor, which change its access list."""

    def post(self, request: Request, id: str) -> Response:
        """Grant a project access to the flavor, or revoke it."""
        action, project = bodies.action_of(request)
        grants = action == "addTenantAccess"
        rule = "add_tenant_access" if grants else "remove_tenant_access"
        self.require(PROMOTE, f"os_compute_api:os-flavor-access:{rule}")
        where = {"flavorid": id, "project": project, "written_by": str(request.user)}
        if grants:
            refuses_public = self.microversion >= ACCESS_OF_PUBLIC_FLAVORS_REFUSED
            projects = writing.grant_access(**where, refuses_public=refuses_public)
        else:
            projects = writing.revoke_access(**where)
        return Response(wire.access(id, projects))


class ExtraSpecsView(ComputeView):
    """The extra specs of a flavor."""

    def post(self, request: Request, id: str) -> Response:
        """Set some extra specs, and keep the others."""
        specs = bodies.extra_specs_of(request)
        self.require(PROMOTE, "os_compute_api:os-flavor-extra-specs:create")
        _set_extra_specs(self, id, specs)
        return Response(request.data)

    def get(self, request: Request, id: str) -> Response:
        """List the extra specs."""
        return Response({"extra_specs": reading.find_flavor(user=request.user, flavorid=id).extra_specs})


class ExtraSpecView(ComputeView):
    """One extra spec of a flavor."""

    def put(self, request: Request, id: str, key: str) -> Response:
        """Set the extra spec."""
        specs = bodies.extra_spec_of(request, key)
        self.require(PROMOTE, "os_compute_api:os-flavor-extra-specs:update")
        _set_extra_specs(self, id, specs)
        return Response(request.data)

    def delete(self, request: Request, id: str, key: str) -> Response:
        """Remove the extra spec."""
        self.require(PROMOTE, "os_compute_api:os-flavor-extra-specs:delete")
        writing.unset_extra_spec(flavorid=id, key=key, written_by=str(request.user))
        return Response()

    def get(self, request: Request, id: str, key: str) -> Response:
        """Show the extra spec."""
        flavor = reading.find_flavor(user=request.user, flavorid=id)
        return Response({key: reading.extra_spec_of(flavor, key)})


class AccessView(ComputeView):
    """The access list of a flavor that is not open to every project."""

    def get(self, request: Request, id: str) -> Response:
        """List the projects that have access."""
        self.require(PROMOTE, "os_compute_api:os-flavor-access")
        flavor = reading.find_flavor(user=request.user, flavorid=id)
        return Response(wire.access(id, reading.access_list_of(flavor)))


def _set_extra_specs(view: ComputeView, flavorid: str, specs: dict[str, str]) -> None:
    writing.set_extra_specs(
        flavorid=flavorid,
        extra_specs=specs,
        validated=view.microversion >= EXTRA_SPECS_ARE_VALIDATED,
        written_by=str(view.request.user),
    )


def _links_onward(
    request: Request, root: str, collection: str, flavors: list[Flavor], parameters: ListParameters
) -> list[dict[str, str]]:
    """Return the link to the next page, if this page is full."""
    if not flavors or len(flavors) < parameters.limit:
        return []
    given = {name: str(value) for name, value in request.query_params.items() if name != "access_token"}
    return next_link(root, collection, given, marker=flavors[-1].flavorid)
