"""The catalogue over HTTP."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response

from flavors.catalogue import retiring, services
from flavors.lifecycle import reading, writing
from flavors.lifecycle.private import PrivateFlavor
from flavors.lists import listing
from flavors.models import Flavor
from flavors.permissions import ManagesPromotedFlavors
from flavors.querysets import FlavorQuerySet
from flavors.serializers import (
    FLAVOR_DOCUMENT,
    FLAVOR_EXAMPLE,
    FlavorCreationSerializer,
    FlavorSerializer,
    FlavorUpdateSerializer,
    PromotedFlavorCreationSerializer,
    PromotedFlavorUpdateSerializer,
)
from flavorsync_project.api.openapi import NOT_MODIFIED, WITH_BODY, document, errors, plain_text
from flavorsync_project.api.pagination import MarkerPagination
from flavorsync_project.api.parameters import flag
from flavorsync_project.api.serializers import unwrap, wrapped

UPDATE = document(wrapped("flavor", FlavorUpdateSerializer()), example={"public": False})
PROMOTED_UPDATE = document(wrapped("flavor", PromotedFlavorUpdateSerializer()), example={"promoted": True})
UNREACHABLE = "X-Flavor-Sync-Unreachable"
NODE = OpenApiParameter("node", str, description="The node that is meant, if flavors with the same id differ.")
_FLAG = {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[01])?$"}
RETIRE = OpenApiParameter(
    "retire", _FLAG, description="Whether it should leave the nodes first: `true` is answered 202."
)
FILTERS = [
    OpenApiParameter(name, _FLAG, description=f"Only those that are {name}, or are not: `true` or `false`.")
    for name in ("promoted", "public")
]


class FlavorPagination(MarkerPagination):
    """Pages of a list in which private flavors with the same id can differ between nodes."""

    item_id = "marker"

    def _items_after(self, items: Sequence[Any], marker: str) -> Sequence[Any]:
        """Return what follows a link's marker, or the last id that a client has seen."""
        for index, item in enumerate(items):
            if marker in (item.marker, item.flavorid):
                return items[index + 1 :]
        raise self._unknown(marker)


class FlavorViewSet(viewsets.GenericViewSet[Flavor]):
    """The catalogue, for everybody; and for an operator the private flavors of their own nodes."""

    queryset = Flavor.objects.all()
    serializer_class = FlavorSerializer
    pagination_class = FlavorPagination
    permission_classes = [IsAuthenticatedOrReadOnly]
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"

    @extend_schema(
        operation_id="list_flavors",
        summary="List the flavors",
        parameters=[
            *FILTERS,
            OpenApiParameter("node", str, description="Only those that this node has."),
            OpenApiParameter(
                UNREACHABLE,
                str,
                OpenApiParameter.HEADER,
                response=[200],
                description="The caller's nodes that did not answer, separated by commas, each name percent-encoded.",
            ),
        ],
        responses={200: FlavorSerializer(many=True)} | NOT_MODIFIED | errors(502),
    )
    def list(self, request: Request) -> HttpResponse:
        """List the catalogue and the private flavors of the caller's own nodes, by name, then id.

        A node that does not answer is left out, and named in the header `X-Flavor-Sync-Unreachable`.
        """
        promoted, public, node = flag(request, "promoted"), flag(request, "public"), _node(request)
        listed = reading.list_flavors(user=request.user, promoted=promoted, public=public, node=node)
        if isinstance(listed.flavors, FlavorQuerySet):
            find = listed.flavors.all
            return listing.answer(self, request, find=find, filters=("catalogue", promoted, public, node))
        page: Any = self.paginate_queryset(listed.flavors)
        response = self.get_paginated_response(FlavorSerializer(page, many=True).data)
        if listed.unreachable:
            response[UNREACHABLE] = ", ".join(quote(name, safe="") for name in listed.unreachable)
        return response

    @extend_schema(
        operation_id="create_flavor",
        summary="Create a flavor",
        request=document(wrapped("flavor", FlavorCreationSerializer()), example=FLAVOR_EXAMPLE),
        responses={201: FLAVOR_DOCUMENT} | errors(403, 409, *WITH_BODY, 502),
    )
    def create(self, request: Request) -> Response:
        """Create a flavor in the caller's own nodes; it is private, unless `public` publishes it."""
        values = FlavorCreationSerializer(data=unwrap(request, "flavor"))
        values.is_valid(raise_exception=True)
        return _answer(writing.create_flavor(user=request.user, values=values.validated_data), status=201)

    @extend_schema(
        operation_id="show_flavor",
        summary="Show a flavor",
        parameters=[NODE],
        responses={200: FLAVOR_DOCUMENT} | errors(404, 502),
    )
    def retrieve(self, request: Request, id: str) -> Response:
        """Show one flavor of the catalogue, or a private one of the caller's own nodes."""
        return _answer(reading.find_flavor(user=request.user, flavorid=id, node=_node(request)))

    @extend_schema(
        operation_id="update_flavor",
        summary="Publish, promote, install or change a flavor",
        parameters=[NODE],
        request=UPDATE,
        responses={200: FLAVOR_DOCUMENT}
        | errors(403, 404, 409, *WITH_BODY, 502, s401="A credential is wrong, or the caller may not promote."),
    )
    def update(self, request: Request, id: str) -> Response:
        """Publish a private flavor, promote a public one, install it in nodes, or resize a private one."""
        changes = FlavorUpdateSerializer(data=unwrap(request, "flavor"))
        changes.is_valid(raise_exception=True)
        return _answer(
            writing.update_flavor(user=request.user, flavorid=id, node=_node(request), changes=changes.validated_data)
        )

    @extend_schema(
        operation_id="delete_flavor",
        summary="Remove a flavor from the caller's nodes",
        parameters=[NODE],
        responses={204: None} | errors(403, 404, 409, 502),
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Remove a flavor from the nodes that the caller operates; it leaves the catalogue with its last node."""
        writing.delete_flavor(user=request.user, flavorid=id, node=_node(request))
        return Response(status=204)


class PromotedFlavorViewSet(viewsets.GenericViewSet[Flavor]):
    """The promoted flavors: those that should exist in every node. OpenStack is not contacted."""

    queryset = Flavor.objects.all()
    serializer_class = FlavorSerializer
    permission_classes = [IsAuthenticated, ManagesPromotedFlavors]
    plain_text_refusals = True
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"

    @extend_schema(
        operation_id="list_promoted_flavors",
        summary="List the promoted flavors",
        responses={200: FlavorSerializer(many=True)} | NOT_MODIFIED | plain_text(401) | errors(),
    )
    def list(self, request: Request) -> HttpResponse:
        """List all promoted flavors, by name, then id."""
        return listing.answer(self, request, find=Flavor.objects.promoted, filters=("promoted",))

    @extend_schema(
        operation_id="create_promoted_flavor",
        summary="Create a promoted flavor",
        request=document(wrapped("flavor", PromotedFlavorCreationSerializer()), example=FLAVOR_EXAMPLE),
        responses={201: FLAVOR_DOCUMENT} | plain_text(401) | plain_text(405) | errors(409, *WITH_BODY),
    )
    def create(self, request: Request) -> Response:
        """Put a promoted flavor into the catalogue, or promote the public one of the same id, name and sizes."""
        values = PromotedFlavorCreationSerializer(data=unwrap(request, "flavor"))
        values.is_valid(raise_exception=True)
        flavor = services.create_promoted_flavor(values=values.validated_data)
        return _answer(flavor, status=201)

    @extend_schema(
        operation_id="show_promoted_flavor",
        summary="Show a promoted flavor",
        responses={200: FLAVOR_DOCUMENT} | plain_text(401) | errors(404),
    )
    def retrieve(self, request: Request, id: str) -> Response:
        """Show one promoted flavor."""
        return _answer(_find(self._promoted(), id))

    @extend_schema(
        operation_id="update_promoted_flavor",
        summary="Update a promoted flavor",
        request=PROMOTED_UPDATE,
        responses={200: FLAVOR_DOCUMENT}
        | plain_text(401)
        | plain_text(405)
        | errors(404, 405, 409, *WITH_BODY, s405="`nodes` is not empty: promoted flavors are not installed here."),
    )
    def update(self, request: Request, id: str) -> Response:
        """Change any of a promoted flavor's name and sizes; retire it, or let it stay."""
        flavor = _find(self._promoted(), id)
        serializer = PromotedFlavorUpdateSerializer(data=unwrap(request, "flavor"))
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        wanted, at = changes.pop("retire", None), changes.pop("retire_at", None)
        changed = services.change_promoted_flavor(flavor=flavor, changes=changes)
        retiring.apply(flavor=flavor, requested_by=str(request.user), wanted=wanted, at=at)
        return _answer(changed)

    @extend_schema(
        operation_id="delete_promoted_flavor",
        summary="Delete or retire a promoted flavor",
        parameters=[RETIRE],
        responses={202: FLAVOR_DOCUMENT, 204: None}
        | plain_text(401)
        | plain_text(405)
        | errors(404, 405, s405="The flavor is not promoted, or nodes still have it."),
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a promoted flavor from the catalogue if no node has it, or retire it: it leaves the nodes first."""
        if flag(request, "retire"):
            flavor = _find(Flavor.objects.with_nodes(), id)
            retiring.retire(flavor=flavor, requested_by=str(request.user))
            return _answer(flavor, status=202)
        services.delete_promoted_flavor(flavor=_find(Flavor.objects.all(), id))
        return Response(status=204)

    def _promoted(self) -> FlavorQuerySet:
        return cast(FlavorQuerySet, self.get_queryset()).promoted().with_nodes()


def _find(flavors: FlavorQuerySet, flavorid: str) -> Flavor:
    flavor = flavors.filter(flavorid=flavorid).first()
    if flavor is None:
        raise NotFound(f"The flavor {flavorid} does not exist")
    return flavor


def _node(request: Request) -> str | None:
    return request.query_params.get("node") or None


def _answer(flavor: Flavor | PrivateFlavor, *, status: int = 200) -> Response:
    data: Any = flavor  # a private one reads like one of the catalogue
    return Response({"flavor": FlavorSerializer(data).data}, status=status)
