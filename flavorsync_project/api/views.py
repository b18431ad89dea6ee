"""The index of the API, and its description."""

import functools
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flavorsync_project.api.openapi import errors


class LinkSerializer(serializers.Serializer[object]):
    """A link, as OpenStack has them."""

    rel = serializers.CharField()
    href = serializers.URLField()


class CollectionSerializer(serializers.Serializer[object]):
    """A collection and where it is."""

    name = serializers.CharField()
    links = LinkSerializer(many=True)


class IndexDocument(serializers.Serializer[object]):
    """The collections of the API, and where they are."""

    collections = CollectionSerializer(many=True)


class IndexView(APIView):
    """The collections of the API, for everybody."""

    collections: Sequence[str] = ()

    permission_classes = [AllowAny]

    @extend_schema(operation_id="show_index", summary="List the collections", responses={200: IndexDocument} | errors())
    def get(self, request: Request) -> Response:
        """List the collections of the API with their URLs."""
        root = request.build_absolute_uri(request.path.rstrip("/"))
        return Response(
            {
                "collections": [
                    {"name": name, "links": [{"rel": "self", "href": f"{root}/{name}"}]} for name in self.collections
                ]
            }
        )


class DescriptionView(SpectacularAPIView):
    """The OpenAPI document of the API, as YAML or JSON, for everybody.

    It is the same for all, and each process makes it only once: it takes a third of a second, and
    anybody may ask for it.
    """

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the document."""
        renderer = request.accepted_renderer
        return HttpResponse(
            _description(type(renderer)),  # type: ignore[arg-type]  # a class can be a key
            content_type=f"{renderer.media_type}; charset=utf-8",
            headers={"Content-Disposition": f'inline; filename="flavor-sync.{renderer.format}"'},
        )


@functools.cache
def _description(renderer: Any) -> Any:
    document: Any = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return renderer().render(document, None, {})
