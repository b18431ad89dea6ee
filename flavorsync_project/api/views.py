"""The index of the API."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flavorsync_project.api.openapi import errors

COLLECTIONS = ("flavors", "promotedflavors", "infrastructures", "regions")


class LinkSerializer(serializers.Serializer[object]):
    """A link, as OpenStack has them."""

    rel = serializers.CharField()
    href = serializers.URLField()


class CollectionSerializer(serializers.Serializer[object]):
    """A collection and where it is."""

    name = serializers.CharField()
    links = LinkSerializer(many=True)


class IndexDocument(serializers.Serializer[object]):
    """The collections that there are, and where."""

    collections = CollectionSerializer(many=True)


class IndexView(APIView):
    """The collections of the API, for everybody."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="show_index", summary="List the collections", responses={200: IndexDocument} | errors())
    def get(self, request: Request) -> Response:
        """List the collections of the API with their URLs."""
        root = request.build_absolute_uri(request.path.rstrip("/"))
        return Response(
            {
                "collections": [
                    {"name": name, "links": [{"rel": "self", "href": f"{root}/{name}"}]} for name in COLLECTIONS
                ]
            }
        )
