"""Nova's error bodies: `{"itemNotFound": {"code": 404, "message": "…"}}`.

Source: `nova.api.openstack.wsgi.Fault`; for 401, `keystonemiddleware.auth_token`.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from flavorsync_project.api.handlers import as_api_exception, headers_of, message_of

logger = logging.getLogger(__name__)

NAMES: Mapping[int, str] = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
OTHER = "computeFault"

NOT_AUTHENTICATED = "The request you have made requires authentication."
UNEXPECTED = "Unexpected API Error. The log of Flavor Sync says why."
# Nova's response to a path without a route: it is WebOb's, in HTML unless JSON is asked for.
NO_ROUTE_IN_JSON = {
    "message": "The resource could not be found.<br /><br />\n\n\n",
    "code": "404 Not Found",
    "title": "Not Found",
}
NO_ROUTE = (
    "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n"
    "  The resource could not be found.<br /><br />\n\n\n\n </body>\n</html>"
)


class PolicyForbids(exceptions.PermissionDenied):
    """403: the caller's roles do not allow it; *rule* is the name of Nova's policy rule."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"Policy doesn't allow {rule} to be performed.")


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Turn an exception of a view into a response; log an unexpected one, and do not disclose it to the caller."""
    known = as_api_exception(error)
    if known is not None and known.status_code == HTTPStatus.UNAUTHORIZED:
        return _unauthorized(known)
    status, message = (500, UNEXPECTED) if known is None else (known.status_code, message_of(known.detail))
    if status == HTTPStatus.BAD_GATEWAY:  # a cloud's failure, not a fault of ours
        logger.warning("%d %s", status, message)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%d %s", status, message, exc_info=error)
    response = Response(fault(status, message), status, headers=headers_of(known) if known else None, exception=True)
    # So that Django does not log it again.
    response._has_been_logged = status >= HTTPStatus.INTERNAL_SERVER_ERROR  # type: ignore[attr-defined]
    return response


def fault(status: int, message: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {NAMES.get(status, OTHER): {"code": status, "message": message}}


def no_route(request: HttpRequest) -> HttpResponse:
    """Return the response to a path or method that Nova does not have."""
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse(NO_ROUTE_IN_JSON, status=404)
    return HttpResponse(NO_ROUTE, status=404, content_type="text/html; charset=UTF-8")


def _unauthorized(error: exceptions.APIException) -> Response:
    """Return the response of Keystone's middleware, with a reason only if a credential was refused."""
    is_anonymous = isinstance(error, exceptions.NotAuthenticated)
    message = NOT_AUTHENTICATED if is_anonymous else message_of(error.detail)
    body = {"error": {"code": 401, "title": "Unauthorized", "message": message}}
    challenge = f'Keystone uri="{settings.KEYSTONE_URL}"' if settings.KEYSTONE_URL else 'Basic realm="Flavor Sync"'
    return Response(body, 401, headers={"WWW-Authenticate": challenge}, exception=True)
