"""The way from WSGI into Django, working around two weaknesses of its requests and one of its answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """A request whose query is UTF-8, whatever the Content-Type says about the body.

    Django reads the query in the body's charset, while it makes the request and so outside of all its
    error handling: `charset=hex`, which is no text encoding, or a thousand parameters would end in the
    server's own error page. So would a Content-Type that it cannot parse.
    """

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {}


class Handler(WSGIHandler):
    """Django's WSGI application with such requests."""

    request_class = Request

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer, without a length if it is "not modified".

        Django says 0, but the body that the client keeps has another length (RFC 9110, 8.6).
        """
        response = super().get_response(request)
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            response.headers.pop("Content-Length", None)
        return response
