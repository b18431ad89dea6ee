"""The answer to OPTIONS."""

from typing import TYPE_CHECKING

from rest_framework.metadata import BaseMetadata

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class NoMetadata(BaseMetadata):
    """Answer OPTIONS with headers only; `Allow` is the point (RFC 9110, 9.3.7).

    REST framework's description of a view is not part of the contract, and so has no XML.
    """

    def determine_metadata(self, request: "Request", view: "APIView") -> None:
        """Return no body."""
