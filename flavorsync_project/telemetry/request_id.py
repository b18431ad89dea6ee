"""One id per request, run or command, in every log line and every call to a cloud."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import uuid4

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path

HEADER = "X-Openstack-Request-Id"
NO_REQUEST = "-"
SHORTEST_SECRET = 6

# Monitoring asks here every few seconds: only failures are worth logging.
QUIET_PATHS = ("/health/live", "/health/ready", "/metrics")


@dataclass
class Trace:
    """What we know about the current request or work. Its threads share it, since they copy the context.

    `upstream` has each cloud that was asked, with its own ids of the requests; `secrets` must not be repeated.
    """

    id: str
    user: str = ""
    upstream: list[tuple[str, str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list, repr=False)


_current: ContextVar[Trace | None] = ContextVar("flavorsync_request", default=None)

access_logger = logging.getLogger("flavorsync.access")


def current_request_id() -> str:
    """Return the id of the current request or work, or `-`."""
    trace = _current.get()
    return trace.id if trace else NO_REQUEST


@contextmanager
def traced(request_id: str = NO_REQUEST) -> Iterator[Trace]:
    """Give what is done inside this id, if it is part of a request's work, or a new one, `req-<uuid4>`."""
    trace = Trace(f"req-{uuid4()}" if request_id == NO_REQUEST else request_id)
    reset = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(reset)


def note_user(name: str) -> None:
    """Remember for the log who sends the current request."""
    if trace := _current.get():
        trace.user = name


def note_upstream(cloud: str, request_id: str) -> None:
    """Remember for the log that a cloud was asked, and its own id of the request, if it gave one."""
    if trace := _current.get():
        trace.upstream.append((cloud, request_id))


def secrets_sent() -> Sequence[str]:
    """Return the passwords and tokens that the current request or work has sent to somebody."""
    trace = _current.get()
    return trace.secrets if trace else ()


def note_secret(secret: str) -> None:
    """Remember a password or token that is sent to somebody, so that the log hides it until the work ends.

    A very short one is not hidden: it would be cut out of the middle of words, and so become visible.
    """
    trace = _current.get()
    if trace and len(secret) >= SHORTEST_SECRET and secret not in trace.secrets:
        trace.secrets.append(secret)


class RequestIdMiddleware:
    """Give every request an id, and log one access line for it, without its query.

    The id, `req-<uuid4>`, is sent back in the header that OpenStack uses (API reference, "Request IDs"). A
    client's own id is not used: two requests must never share one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with traced() as trace:
            # Django reports 4xx answers when the middleware has finished: the filter finds the id here.
            request.request_id = trace.id  # type: ignore[attr-defined]
            began = time.perf_counter()
            response = self.get_response(request)
            response[HEADER] = trace.id
            # Who has a session, if a view has asked: asking here would cost a query.
            if not trace.user and (user := getattr(request, "_cached_user", None)) and user.is_authenticated:
                trace.user = str(user)
            seconds = time.perf_counter() - began
            path, status = escape_uri_path(request.path), response.status_code
            log_request(trace, method=request.method or "", path=path, status=status, seconds=seconds)
        return response


def log_request(trace: Trace, *, method: str, path: str, status: int, seconds: float) -> None:
    """Log the access line of an answered request, with its path as in a URL."""
    quiet = status == 200 and path in QUIET_PATHS
    milliseconds = seconds * 1000
    access_logger.log(
        logging.DEBUG if quiet else logging.INFO,
        "%s %s %d %.1f ms",
        method,
        path,
        status,
        milliseconds,
        extra={
            "method": method,
            "path": path,
            "status": status,
            "milliseconds": round(milliseconds, 1),
            "nodes": list(dict.fromkeys(cloud for cloud, _ in trace.upstream)),
            "upstream_request_ids": [upstream_id for _, upstream_id in trace.upstream if upstream_id],
        },
    )


class RequestIdFilter(logging.Filter):
    """Give every log record a `request_id`, and the `user` who sends the request, once known."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.request_id` and `record.user`; let everything through."""
        trace = _current.get()
        record.request_id = current_request_id()
        if trace is None:
            record.request_id = getattr(getattr(record, "request", None), "request_id", NO_REQUEST)
        elif trace.user:
            record.user = trace.user
        return True
