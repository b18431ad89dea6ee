"""One request to an identity provider, bounded in time and size; no state of one user is kept for the next.

An exception of `requests` may contain the URL, and with it a token: use only its `kind`.
"""

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings
from urllib3.exceptions import ProtocolError
from urllib3.util import Timeout

from flavorsync_project.http_client import BoundedSession, BrokenOff


@dataclass(frozen=True)
class Answer:
    """A provider's response."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def document(self) -> dict[str, Any] | None:
        """The body, if it is a JSON object; else None."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    verify: bool | str | None = None,
    document: Mapping[str, Any] | None = None,
    seconds: float | None = None,
) -> Answer:
    """Send a request, which must be safe to send twice, and return the response.

    It is sent again once when the connection broke: providers close idle ones. A connection that could not be made
    (refused, unknown host, TLS) and a time-out are not retried.

    Args:
        url: the URL.
        method: the HTTP method.
        headers: additional headers.
        verify: as `OPENSTACK_VERIFY`; None for what the environment of the process says.
        document: the JSON body.
        seconds: the limit for the whole exchange; None for `OPENSTACK_TIMEOUT`.

    Raises: OSError, which requests' own errors are, when there is no complete response in time.
    """
    deadline = time.monotonic() + (settings.OPENSTACK_TIMEOUT if seconds is None else seconds)
    options: dict[str, Any] = {"headers": headers, "verify": verify, "json": document}
    try:
        return _exchange(method, url, options, deadline)
    except requests.ConnectionError as error:
        if isinstance(error, BrokenOff) or not isinstance(next(iter(error.args), None), ProtocolError):
            raise
    return _exchange(method, url, options, deadline)


def kind(error: BaseException) -> str:
    """Return the name of the innermost exception; never its message, which may contain the token."""
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            return kind(inner)
    return type(error).__name__


def close() -> None:
    """Close the process's connections; the next request opens new ones."""
    _session().close()
    _session.cache_clear()


def _exchange(method: str, url: str, options: Mapping[str, Any], deadline: float) -> Answer:
    left: Any = Timeout(total=max(deadline - time.monotonic(), 0.001))
    response = _session().request(method, url, timeout=left, **options)
    return Answer(response.status_code, response.headers.get("Content-Type", ""), response.content, response.headers)


@functools.cache
def _session() -> requests.Session:
    """Return the process's one session, created on first use so that no connection survives a fork."""
    session = BoundedSession()
    # No compression: so one bound limits both what is sent and what it unpacks to.
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
    return session
