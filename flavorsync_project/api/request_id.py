"""One id per request, in its response and in every log line; and no IdM token in any of them."""

import logging
import re
import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from uuid import uuid4

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path

HEADER = "X-Openstack-Request-Id"
NO_REQUEST = "-"

_current: ContextVar[str] = ContextVar("flavorsync_request_id", default=NO_REQUEST)

access_logger = logging.getLogger("flavorsync.access")


def current_request_id() -> str:
    """Return the id of the request being answered, `-` outside of one."""
    return _current.get()


class RequestIdMiddleware:
    """Give every request an id and write one access line for it, without its query.

    The id, `req-<uuid4>`, is sent back in the header that OpenStack uses (API reference, "Request
    IDs"). An id that the client sends is not taken over: two requests must never share one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = f"req-{uuid4()}"
        # Django reports 4xx answers when the middleware is through: the filter finds the id here.
        request.request_id = request_id  # type: ignore[attr-defined]
        reset = _current.set(request_id)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
            response[HEADER] = request_id
            access_logger.info(
                "%s %s %d %.1f ms",
                request.method,
                escape_uri_path(request.path),
                response.status_code,
                (time.perf_counter() - began) * 1000,
            )
        finally:
            _current.reset(reset)
        return response


class RequestIdFilter(logging.Filter):
    """Give every log record a `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.request_id`; let everything through."""
        request_id = _current.get()
        if request_id == NO_REQUEST:
            request_id = getattr(getattr(record, "request", None), "request_id", NO_REQUEST)
        record.request_id = request_id
        return True


def _also_percent_encoded(text: str) -> str:
    """Return a pattern of *text* whose characters may each be percent-encoded, once or more often."""
    return "".join(
        f"(?:{re.escape(character)}|%(?:25)*(?:{ord(character.lower()):x}|{ord(character.upper()):x}))"
        for character in text
    )


# The key as a query has it, or as a member of a logged dictionary or JSON document. A quoted value
# ends at its quote; any other only at a space or `&`, for a token may itself hold a quote.
_TOKEN = re.compile(
    rf"""({_also_percent_encoded("access_token")}["']?\s*(?::\s*|{_also_percent_encoded("=")}))"""
    r"""(?:"[^"]*"?|'[^']*'?|[^& \t\r\n\f\v]*)""",
    re.IGNORECASE,
)
_REDACTED = r"\1***"


def redact(text: str) -> str:
    """Return *text* without the value of any `access_token`."""
    return _TOKEN.sub(_REDACTED, text)


class RedactTokensFilter(logging.Filter):
    """Cut the value of `access_token` out of a record: its message, arguments, exception and stack.

    The IdM takes its token in a query, so URLs hold it: those of the dashboard's proxy, and those in
    the errors of the HTTP client. A record without one is left as it is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite *record* where it holds a token; let everything through."""
        self._redact_message(record)
        self._redact_exception(record)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True

    def _redact_message(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 — logging would print message and arguments unredacted
            message = f"{record.msg!r} {record.args!r} (the arguments do not fit the message)"
            record.msg, record.args = message, ()
        redacted = redact(message)
        if redacted != message:
            record.msg, record.args = redacted, ()

    def _redact_exception(self, record: logging.LogRecord) -> None:
        if record.exc_info and not record.exc_text:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            redacted = redact(text)
            if redacted != text:
                # Formatters print exc_text; without exc_info none formats the exception anew.
                record.exc_text, record.exc_info = redacted, None
        elif record.exc_text:
            redacted = redact(record.exc_text)
            if redacted != record.exc_text:
                record.exc_text, record.exc_info = redacted, None
