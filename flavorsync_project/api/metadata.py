"""The answer to OPTIONS."""

from typing import TYPE_CHECKING

from rest_framework.metadata import BaseMetadata

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class NoMetadata(BaseMetadata):
    """Answer OPTIONS with its headers alone, of which `Allow` is the point (RFC 9110, 9.3.7).

    Rest framework's description of a view is no document of the contract, and so has no XML.
    """

    def determine_metadata(self, request: "Request", view: "APIView") -> None:
        """Return no body."""
