"""The base of all views of Nova's API."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.views import APIView

from compute.wire import microversions
from compute.wire.errors import PolicyForbids, exception_handler, no_route
from compute.wire.formats import JSONRenderer, OneFormat
from compute.wire.microversions import LOWEST, Microversion
from flavorsync_project.api.metadata import NoMetadata
from flavorsync_project.api.parsers import JSONParser

REQUEST_ID = "X-Compute-Request-Id"


class ComputeView(APIView):
    """A view of Nova's API. It checks authentication first, then the microversion, then permissions.

    The contract of `/v1` does not apply: this is JSON only, with Nova's bodies and headers.
    """

    parser_classes = [JSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OneFormat
    metadata_class = NoMetadata
    schema = None  # the Compute API reference describes it
    has_microversions = True

    microversion: Microversion = LOWEST
    """The request's microversion, once `initial` has read it."""
    _is_negotiated = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate the caller, and read the microversion.

        Raises:
            APIException: the caller is unknown, or the microversion is not supported.
        """
        super().initial(request, *args, **kwargs)
        if self.has_microversions:
            self.microversion = microversions.asked_for(request.headers)
            self._is_negotiated = True
            microversions.require_supported(self.microversion)

    def require(self, permission: str, rule: str) -> None:
        """Require that the caller has a permission; *rule* is the corresponding policy rule of Nova.

        Raises:
            PolicyForbids: the caller does not have it.
        """
        if not self.request.user.has_perm(permission):
            raise PolicyForbids(rule)

    def get_exception_handler(self) -> Callable[..., HttpResponseBase | None]:
        """Return the handler that produces Nova's errors."""
        return exception_handler

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Answer 404, as Nova does for a method without a route."""
        return no_route(request)

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Answer 404: Nova has no route for the method."""
        return no_route(request)

    def head(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer 404: Nova has no route for the method."""
        return no_route(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the headers for the microversion, and the request id in the header that Nova's clients read."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self._is_negotiated:
            for name, value in microversions.headers_of(self.microversion).items():
                response[name] = value
            patch_vary_headers(response, (microversions.HEADER, microversions.OLD_HEADER))
        response[REQUEST_ID] = getattr(request, "request_id", "")
        return response

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return none of Django REST Framework's own headers."""
        return {}


class NoRouteView(ComputeView):
    """Any other path, whether or not Nova has it: 404 for authenticated callers."""

    has_microversions = False
