"""One id per request, run or command, in every log line and in what the clouds are asked; and no secret in any."""

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

# Where monitoring asks every few seconds: an answer as ever is no news.
QUIET_PATHS = ("/health/live", "/health/ready", "/metrics")


@dataclass
class Trace:
    """What is known of the request being answered, or of the work; its threads share it, since they copy the context.

    `upstream` has each cloud that was asked, and what that called each request; `secrets` is what must not be repeated.
    """

    id: str
    user: str = ""
    upstream: list[tuple[str, str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list, repr=False)


_current: ContextVar[Trace | None] = ContextVar("flavorsync_request", default=None)

access_logger = logging.getLogger("flavorsync.access")


def current_request_id() -> str:
    """Return the id of the request being answered or of the work being done, `-` outside of any."""
    trace = _current.get()
    return trace.id if trace else NO_REQUEST


@contextmanager
def traced(request_id: str = NO_REQUEST) -> Iterator[Trace]:
    """Have what is done inside bear this id, when it is part of a request's work, or a new one, `req-<uuid4>`."""
    trace = Trace(f"req-{uuid4()}" if request_id == NO_REQUEST else request_id)
    reset = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(reset)


def note_user(name: str) -> None:
    """Remember for the log who sends the request being answered."""
    if trace := _current.get():
        trace.user = name


def note_upstream(cloud: str, request_id: str) -> None:
    """Remember for the log that a cloud was asked, and what it called that; empty when it did not say."""
    if trace := _current.get():
        trace.upstream.append((cloud, request_id))


def secrets_sent() -> Sequence[str]:
    """Return the passwords and tokens that this request or work has sent to somebody."""
    trace = _current.get()
    return trace.secrets if trace else ()


def note_secret(secret: str) -> None:
    """Remember a password or a token that is sent to somebody: until the request or the work ends nobody repeats it.

    A very short one is not hidden: it would be taken out of the middle of words, which would show it.
    """
    trace = _current.get()
    if trace and len(secret) >= SHORTEST_SECRET and secret not in trace.secrets:
        trace.secrets.append(secret)


class RequestIdMiddleware:
    """Give every request an id and write one access line for it, without its query.

    The id, `req-<uuid4>`, is sent back in the header that OpenStack uses (API reference, "Request
    IDs"). An id that the client sends is not taken over: two requests must never share one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with traced() as trace:
            # Django reports 4xx answers when the middleware is through: the filter finds the id here.
            request.request_id = trace.id  # type: ignore[attr-defined]
            began = time.perf_counter()
            response = self.get_response(request)
            response[HEADER] = trace.id
            # Who came with a session: as far as a view has asked, which would cost a query here.
            if not trace.user and (user := getattr(request, "_cached_user", None)) and user.is_authenticated:
                trace.user = str(user)
            seconds = time.perf_counter() - began
            path, status = escape_uri_path(request.path), response.status_code
            log_request(trace, method=request.method or "", path=path, status=status, seconds=seconds)
        return response


def log_request(trace: Trace, *, method: str, path: str, status: int, seconds: float) -> None:
    """Write the access line of a request that was answered, with its path as in a URL."""
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
    """Give every log record a `request_id`, and the `user` who sends the request once that is known."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.request_id` and `record.user`; let everything through."""
        trace = _current.get()
        record.request_id = current_request_id()
        if trace is None:
            record.request_id = getattr(getattr(record, "request", None), "request_id", NO_REQUEST)
        elif trace.user:
            record.user = trace.user
        return True
