"""One request to an identity provider: bounded in time and size, and nothing of one user is kept for the next.

What `requests` raises may name the URL, and with it a token: who catches it takes its `kind` alone.
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
    """What a provider answered."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def document(self) -> dict[str, Any] | None:
        """The body, where it is a JSON object."""
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
    """Return the answer to a request, which is to do no harm when it is sent twice.

    It is tried once more when the connection broke: providers close idle ones.

    What never was a connection (refused, no such host, TLS) and what took too long is not tried again.

    Args:
        url: where.
        method: what is to be done there.
        headers: what to send besides.
        verify: as `OPENSTACK_VERIFY`; None for what the environment of the process says.
        document: what to send in JSON.
        seconds: how long all of it may take; None for `OPENSTACK_TIMEOUT`.

    Raises: OSError (requests' own errors are such) when there is no whole answer by then.
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
    """Return the name of what went wrong at the bottom: never the message, which may hold the token."""
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            return kind(inner)
    return type(error).__name__


def close() -> None:
    """Close the process's connections; the next request makes new ones."""
    _session().close()
    _session.cache_clear()


def _exchange(method: str, url: str, options: Mapping[str, Any], deadline: float) -> Answer:
    left: Any = Timeout(total=max(deadline - time.monotonic(), 0.001))
    response = _session().request(method, url, timeout=left, **options)
    return Answer(response.status_code, response.headers.get("Content-Type", ""), response.content, response.headers)


@functools.cache
def _session() -> requests.Session:
    """Return the process's one session, made at its first use so that no connection survives a fork."""
    session = BoundedSession()
    # Nothing compressed: the bound is of what was sent and of what it unpacks to alike.
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
    return session
