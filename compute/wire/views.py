"""What all views of Nova's API have in common."""

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
    """A view of Nova's API. First it is asked who calls, then in which microversion, then whether they may.

    The contract of `/v1` does not hold here: it is JSON alone, with Nova's bodies and headers.
    """

    parser_classes = [JSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OneFormat
    metadata_class = NoMetadata
    schema = None  # it is described by the Compute API reference
    has_microversions = True

    microversion: Microversion = LOWEST
    """The one that is spoken: the request's, once that was looked at."""
    _is_negotiated = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Find out who calls, and in which microversion.

        Raises:
            APIException: the caller is not known, or the microversion not spoken here.
        """
        super().initial(request, *args, **kwargs)
        if self.has_microversions:
            self.microversion = microversions.asked_for(request.headers)
            self._is_negotiated = True

    def require(self, permission: str, rule: str) -> None:
        """Have whoever calls have a permission; *rule* is Nova's, to which it corresponds.

        Raises:
            PolicyForbids: they have not.
        """
        if not self.request.user.has_perm(permission):
            raise PolicyForbids(rule)

    def get_exception_handler(self) -> Callable[..., HttpResponseBase | None]:
        """Return what makes Nova's errors."""
        return exception_handler

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Answer that there is no such path, as Nova does where the method has no route."""
        return no_route()

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Answer as to any method that Nova has no route for."""
        return no_route()

    def head(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer as to any method that Nova has no route for."""
        return no_route()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell the microversion, and the request's id in the header in which clients of Nova look for it."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if self._is_negotiated:
            for name, value in microversions.headers_of(self.microversion).items():
                response[name] = value
            patch_vary_headers(response, (microversions.HEADER, microversions.OLD_HEADER))
        response[REQUEST_ID] = getattr(request, "request_id", "")
        return response

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return none of rest framework's own."""
        return {}


class NoRouteView(ComputeView):
    """What Nova has and Flavor Sync has not, or neither has: there is nothing, for those who may ask at all."""

    has_microversions = False
