"""The one place that makes error bodies, for REST framework's errors, Django's and our own."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.template import loader
from django.views import defaults
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from flavorsync_project.api.errors import BodyTooLarge, Conflict, Forbidden, MethodNotAllowedHere, ServiceUnavailable
from flavorsync_project.api.negotiation import answer_type
from flavorsync_project.api.renderers import JSONRenderer, TextXMLRenderer, XMLRenderer

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

NO_TOKEN = "Could not verify your access level for that URL.\nYou have to login with proper token"  # noqa: S105
NO_ROLE = "The method specified in the Request-Line is not allowed for the resource identified by the Request-URI."

_RENDERERS: dict[str, type[BaseRenderer]] = {
    renderer.media_type: renderer for renderer in (JSONRenderer, XMLRenderer, TextXMLRenderer)
}


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponseBase | None:
    """Return the response to *exc*, raised in a view of REST framework, or None if it is unexpected.

    The body is `{"error": {"message": "…"}}`, in the format that `Accept` asks for. If the view has the
    attribute `plain_text_refusals` set, two answers are the plain text that clients know: the 401 of our
    own authentication, and 405 instead of the 403 of a permission check. Errors of the server (5xx) are
    logged.
    """
    error = as_api_exception(exc)
    if error is None:
        return None
    view: APIView = context["view"]
    request: Request = context["request"]
    if getattr(view, "plain_text_refusals", False) and (refusal := _plain_text_refusal(error, view)):
        return refusal
    message = message_of(error.detail)
    if isinstance(error, MethodNotAllowedHere):
        _allow(view, error.allow)
    # Not the view's own renderers: those of the API's description cannot render errors.
    renderer = _error_renderer(request)
    request.accepted_renderer, request.accepted_media_type = renderer, renderer.media_type
    response = Response(_body(message), status=error.status_code, headers=headers_of(error), exception=True)
    _log(exc, response, message)
    return response


def _log(exc: Exception, response: Response, message: str) -> None:
    """Log what failed: with its cause, or in one line if it was a cloud, which is no fault of ours."""
    if response.status_code == HTTPStatus.BAD_GATEWAY:
        logger.warning("%d %s", response.status_code, message)
        logger.debug("The cause:", exc_info=exc)
        response._has_been_logged = True  # type: ignore[attr-defined] # or Django would call it an error besides
    elif response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%d %s", response.status_code, message, exc_info=exc)


def as_api_exception(exc: Exception) -> exceptions.APIException | None:
    """Return *exc* as one of REST framework's exceptions, or None if it is unexpected."""
    if isinstance(exc, exceptions.APIException):
        return exc
    return next((translate(exc) for kind, translate in _TRANSLATIONS if isinstance(exc, kind)), None)


def _not_found(exc: Exception) -> exceptions.APIException:
    # Django's resolver puts a dictionary there, which is not for everybody.
    return exceptions.NotFound(exc.args[0] if exc.args and isinstance(exc.args[0], str) else None)


def _invalid(exc: Exception) -> exceptions.APIException:
    assert isinstance(exc, DjangoValidationError)  # noqa: S101 — for the type checker
    return exceptions.ValidationError(exc.message_dict if hasattr(exc, "error_dict") else exc.messages)


def _says(make: Callable[[str], exceptions.APIException], message: str) -> "_Translation":
    return lambda exc: make(message)


_Translation = Callable[[Exception], exceptions.APIException]


# The first that fits counts. Django's own messages about requests name its settings, so ours replace them.
_TRANSLATIONS: tuple[tuple[type[Exception], _Translation], ...] = (
    (Http404, _not_found),
    (PermissionDenied, lambda exc: Forbidden(str(exc) or None)),
    (DjangoValidationError, _invalid),
    (ProtectedError, _says(Conflict, "It cannot be deleted: other resources refer to it")),
    (RestrictedError, _says(Conflict, "It cannot be deleted: other resources refer to it")),
    (RequestDataTooBig, lambda exc: BodyTooLarge()),
    (TooManyFieldsSent, _says(exceptions.ParseError, "The request has too many parameters")),
    (UnreadablePostError, _says(exceptions.ParseError, "The body could not be read to its end")),
    (SuspiciousOperation, _says(exceptions.ParseError, "The request is malformed")),
    (BadRequest, _says(exceptions.ParseError, "The request is malformed")),
    # The database is away, or could not do it now: the same request may succeed later.
    (OperationalError, lambda exc: ServiceUnavailable()),
    (InterfaceError, lambda exc: ServiceUnavailable()),
)


# Headers and plain text


def _plain_text_refusal(error: exceptions.APIException, view: "APIView") -> HttpResponse | None:
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return _plain_text(NO_TOKEN, error.status_code, headers_of(error))
    # From permission checks; Django's PermissionDenied has become our Forbidden.
    if isinstance(error, exceptions.PermissionDenied):
        _allow(view, [method for method in view.allowed_methods if method in SAFE_METHODS])
        return _plain_text(NO_ROLE, 405, {})
    return None


def _plain_text(text: str, status: int, headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(text, status=status, headers=dict(headers), content_type="text/plain; charset=utf-8")


def _allow(view: "APIView", methods: Iterable[str]) -> None:
    """Make the response's `Allow` list *methods*: REST framework sets it last, from the view's headers."""
    view.headers["Allow"] = ", ".join(methods)


def headers_of(error: exceptions.APIException) -> dict[str, str]:
    """Return the headers that an error needs: its challenge, and when to retry."""
    headers = {}
    challenge = getattr(error, "www_authenticate", None) or getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


# Bodies


def _body(message: str) -> dict[str, dict[str, str]]:
    return {"error": {"message": message}}


def _error_renderer(request: HttpRequest | Request) -> BaseRenderer:
    return _RENDERERS[answer_type(request.META, list(_RENDERERS))]()


def message_of(detail: object) -> str:
    """Return all of an exception's detail in one line: `vcpus: is required; ram: …`."""
    return "; ".join(f"{path}: {text}" if path else text for path, text in _flat(detail, ""))


# Where REST framework and Django put errors that are not about a single member.
_NO_MEMBER = {"non_field_errors", "__all__"}


def _flat(detail: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _flat(value, _member(path, key))
    elif isinstance(detail, list | tuple):
        for value in detail:
            yield from _flat(value, path)
    else:
        yield path, str(detail)


def _member(path: str, key: object) -> str:
    if key in _NO_MEMBER:
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


# Errors outside of REST framework's views


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400, or 413 for a body too large (the URLconf's handler400)."""
    if not _of_the_api(request):
        return defaults.bad_request(request, exception)
    return _error_response(request, as_api_exception(exception) or exceptions.ParseError("The request is malformed"))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 403 (the URLconf's handler403)."""
    if not _of_the_api(request):
        return defaults.permission_denied(request, exception)
    return _error_response(request, Forbidden(str(exception) or None))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404 (the URLconf's handler404)."""
    if not _of_the_api(request):
        return defaults.page_not_found(request, exception)
    return _error_response(request, exceptions.NotFound("There is nothing at this path"))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500, without saying what went wrong, or 503 if it may pass (the URLconf's handler500).

    Django calls it while it handles the exception, but does not pass the exception.
    """
    exception = sys.exception()
    error = as_api_exception(exception) if isinstance(exception, Exception) else None
    if isinstance(error, ServiceUnavailable):
        return _unavailable(request, error)
    if not _of_the_api(request):
        return defaults.server_error(request)
    return _error_response(request, exceptions.APIException("The server failed to answer. Its log says why."))


def _unavailable(request: HttpRequest, error: ServiceUnavailable) -> HttpResponse:
    if _of_the_api(request):
        response = _error_response(request, error)
    else:
        reason = "" if error.detail == error.default_detail else message_of(error.detail)
        response = HttpResponse(loader.get_template("503.html").render({"reason": reason}), status=error.status_code)
    for name, value in headers_of(error).items():
        response[name] = value
    return response


def _of_the_api(request: HttpRequest) -> bool:
    path = request.path_info.removeprefix("/api")
    return path == "/v1" or path.startswith("/v1/")


def _error_response(request: HttpRequest, error: exceptions.APIException) -> HttpResponse:
    renderer = _error_renderer(request)
    charset = f"; charset={renderer.charset}" if renderer.charset else ""
    return HttpResponse(
        renderer.render(_body(message_of(error.detail))),
        status=error.status_code,
        content_type=f"{renderer.media_type}{charset}",
        headers={"Vary": "Accept"},
    )
