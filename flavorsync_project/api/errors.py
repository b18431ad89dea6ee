"""The errors that the API answers with, each an HTTP status and a message that anybody may read.

Django REST Framework's own exceptions cover the rest (400, 401, 403, 404, 405, 415). A message
never holds a secret, a stack trace or an internal address.
"""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import APIException


class Conflict(APIException):
    """409: the request is well-formed but does not fit the present state."""

    status_code = 409
    default_detail = "The request conflicts with the present state of the resource."
    default_code = "conflict"


class MethodNotAllowedHere(APIException):
    """405: this resource, as it is now, does not allow the method.

    `allow` lists the methods that it does allow, for the `Allow` header (RFC 9110, 10.2.1).
    """

    status_code = 405
    default_code = "method_not_allowed"

    def __init__(self, detail: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.allow = allow


class BodyTooLarge(APIException):
    """413: the body is larger than `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes."""

    status_code = 413
    default_detail = "The body is too large."
    default_code = "too_large"


class ServiceUnavailable(APIException):
    """503 with `Retry-After`: something that this service needs does not answer.

    `wait` is in seconds; the exception handler puts it into the `Retry-After` header.
    """

    status_code = 503
    default_detail = "The service is not available right now."
    default_code = "unavailable"

    def __init__(self, detail: str | None = None, *, wait: int = 5) -> None:
        super().__init__(detail)
        self.wait = wait


class Unauthorized(APIException):
    """401 from something other than our own authentication, such as a Keystone: always an error body.

    `www_authenticate` is the challenge for the `WWW-Authenticate` header (RFC 9110, 11.6.1).
    """

    status_code = 401
    default_detail = "The request lacks a valid credential."
    default_code = "unauthorized"

    def __init__(self, detail: str | None = None, *, www_authenticate: str) -> None:
        super().__init__(detail)
        self.www_authenticate = www_authenticate


class Forbidden(APIException):
    """403 for a reason other than a missing role, such as Nova's policy: always an error body.

    REST framework's permission checks raise its PermissionDenied, which a view with
    `plain_text_refusals` answers with 405.
    """

    status_code = 403
    default_detail = "You may not do this."
    default_code = "forbidden"


class LengthRequired(APIException):
    """411: the body came without a Content-Length, so WSGI does not show it."""

    status_code = 411
    default_detail = "The request needs a Content-Length: a chunked body cannot be read."
    default_code = "length_required"


def reasons(error: ValidationError) -> list[str]:
    """Return why a model refuses its values; each reason begins with the name of the member that it is about."""
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    by_member: dict[str, Any] = error.message_dict
    return [
        message if member == "__all__" else f"{member}: {message}"
        for member, messages in by_member.items()
        for message in messages
    ]
