"""The way from WSGI into Django, past two of its requests' weaknesses."""

from collections.abc import Mapping
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """A request whose query is UTF-8, whatever the Content-Type says of the body.

    Django reads the query in the charset of the body, while it makes the request and so outside of
    all its error handling: `charset=hex`, no text encoding, or a thousand parameters would
    end in the server's own error page. So would a Content-Type that it cannot take apart.
    """

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {}


class Handler(WSGIHandler):
    """Django's WSGI application with such requests."""

    request_class = Request
