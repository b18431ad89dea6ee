"""Regions and their own flavors over HTTP."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from flavors.serializers import FLAVOR_DOCUMENT, FLAVOR_EXAMPLE, FlavorSerializer
from flavorsync_project.api.errors import Unauthorized
from flavorsync_project.api.openapi import WITH_BODY, document, errors, plain_text
from flavorsync_project.api.pagination import MarkerPagination
from flavorsync_project.api.serializers import unwrap, wrapped
from infrastructures.clouds import region_of
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import TokenRefused
from infrastructures.openstack.records import NovaFlavor
from regions import services
from regions.serializers import (
    RegionFlavorChangesSerializer,
    RegionFlavorCreationSerializer,
    RegionSerializer,
    region_flavor,
)

KEYSTONE_TOKEN = OpenApiParameter(
    name="X-Auth-Token-KeyStone",
    location=OpenApiParameter.HEADER,
    required=True,
    type={"type": "string", "minLength": 1, "pattern": "^[^,]+$"},
    description="A token of the region's Keystone: scoped to a project, or one that can be.",
)


class RegionPagination(MarkerPagination):
    """Pages of regions, by name."""

    root = "Infrastructures"
    ordering = ("name",)


class RegionViewSet(viewsets.GenericViewSet[Infrastructure]):
    """The regions, also called nodes."""

    queryset = Infrastructure.objects.all()
    serializer_class = RegionSerializer
    pagination_class = RegionPagination
    permission_classes = [IsAuthenticated]
    plain_text_refusals = True

    @extend_schema(
        operation_id="list_regions",
        summary="List the regions",
        responses={200: RegionSerializer(many=True)} | plain_text(401) | errors(),
    )
    def list(self, request: Request) -> Response:
        """List all regions, by name."""
        page: Any = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(RegionSerializer(page, many=True).data)


class RegionFlavorViewSet(viewsets.ViewSet):
    """The flavors of a region's Nova: the public ones, and those that the Keystone token may see."""

    permission_classes = [IsAuthenticated]
    pagination_class = MarkerPagination
    plain_text_refusals = True
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"

    @extend_schema(
        operation_id="list_region_flavors",
        summary="List a region's flavors",
        parameters=[KEYSTONE_TOKEN],
        responses={200: FlavorSerializer(many=True)} | plain_text(401) | errors(404, 502),
    )
    def list(self, request: Request, region: str) -> Response:
        """List all flavors of the region, by name, then id."""
        flavors = services.list_flavors(**_where(request, region))
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(flavors, request, view=self)
        return paginator.get_paginated_response([region_flavor(flavor, region) for flavor in page])

    @extend_schema(
        operation_id="create_region_flavor",
        summary="Create a flavor in a region",
        parameters=[KEYSTONE_TOKEN],
        request=document(wrapped("flavor", RegionFlavorCreationSerializer()), example=FLAVOR_EXAMPLE),
        responses={201: FLAVOR_DOCUMENT} | plain_text(401) | errors(403, 404, 409, *WITH_BODY, 502),
    )
    def create(self, request: Request, region: str) -> Response:
        """Create a flavor in the region's Nova."""
        where = _where(request, region)
        values = RegionFlavorCreationSerializer(data=unwrap(request, "flavor"))
        values.is_valid(raise_exception=True)
        flavor = services.create_flavor(**where, values=values.validated_data)
        return _answer(flavor, region, status=201)

    @extend_schema(
        operation_id="show_region_flavor",
        summary="Show a flavor of a region",
        parameters=[KEYSTONE_TOKEN],
        responses={200: FLAVOR_DOCUMENT} | plain_text(401) | errors(404, 502),
    )
    def retrieve(self, request: Request, region: str, id: str) -> Response:
        """Show one flavor of the region."""
        return _answer(services.get_flavor(**_where(request, region), flavorid=id), region)

    @extend_schema(
        operation_id="update_region_flavor",
        summary="Update a flavor of a region",
        parameters=[KEYSTONE_TOKEN],
        request=document(wrapped("flavor", RegionFlavorChangesSerializer()), example={"swap": 0}),
        responses={200: FLAVOR_DOCUMENT} | plain_text(401) | errors(403, 404, 409, *WITH_BODY, 502),
    )
    def update(self, request: Request, region: str, id: str) -> Response:
        """Change any of a flavor's name and sizes; the rest stays as it is.

        Nova cannot do this in place: the flavor is replaced under the same id, and nothing is lost.
        """
        where = _where(request, region)
        changes = RegionFlavorChangesSerializer(data=unwrap(request, "flavor"))
        changes.is_valid(raise_exception=True)
        flavor = services.update_flavor(
            **where, flavorid=id, changes=changes.validated_data, requested_by=str(request.user)
        )
        return _answer(flavor, region)

    @extend_schema(
        operation_id="delete_region_flavor",
        summary="Delete a flavor from a region",
        parameters=[KEYSTONE_TOKEN],
        responses={204: None} | plain_text(401) | errors(403, 404, 409, 502),
    )
    def destroy(self, request: Request, region: str, id: str) -> Response:
        """Delete a flavor from the region's Nova."""
        services.delete_flavor(**_where(request, region), flavorid=id)
        return Response(status=204)


def _where(request: Request, region: str) -> dict[str, Any]:
    """Return the region to ask, and the Keystone token to ask it with. Cost: one query."""
    token = _keystone_token(request)
    if not token and not request.auth:
        raise _missing()
    infrastructure = Infrastructure.objects.filter(name=region).first()
    if infrastructure is None:
        raise NotFound(f"The region {region} does not exist")
    # The caller's own token of the central Keystone also opens its regions. It is never sent to a cloud with a Keystone
    # of its own.
    if not token and not region_of(infrastructure).is_central:
        raise _missing(" This region has a Keystone of its own, which your token is not for.")
    return {"infrastructure": infrastructure, "token": token or request.auth}


def _keystone_token(request: Request) -> str:
    """Return the Keystone token for the region, or ""."""
    # Servers join repeated headers with commas, and no token contains one.
    tokens = {token.strip() for token in request.headers.get("X-Auth-Token-KeyStone", "").split(",")}
    if len(tokens) > 1:
        raise ParseError("The request carries two different Keystone tokens. Send one.")
    return tokens.pop()


def _missing(why: str = "") -> Unauthorized:
    return Unauthorized(
        f"The header X-Auth-Token-KeyStone with a Keystone token is missing.{why}",
        www_authenticate=TokenRefused.www_authenticate,
    )


def _answer(flavor: NovaFlavor, region: str, *, status: int = 200) -> Response:
    return Response({"flavor": region_flavor(flavor, region)}, status=status)
