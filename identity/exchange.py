"""One request to an identity provider: bounded in time and size, and nothing of one user is kept for the next.

What `requests` raises may name the URL, and with it a token: who catches it takes its `kind` alone.
"""

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError
from urllib3.util import Timeout

MAX_ANSWER_BYTES = 1024 * 1024
POOL_SIZE = 32


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


class TooLargeError(OSError):
    """The answer is longer than any of an identity provider's."""


def fetch(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    verify: bool | str | None = None,
    document: Mapping[str, Any] | None = None,
) -> Answer:
    """Return the answer to a GET, or to a POST of a document, which is to do no harm when it is done twice.

    It is tried once more when the connection broke: providers close idle ones.

    What never was a connection (refused, no such host, TLS) and what took too long is not tried again.

    Args:
        url: where.
        headers: what to send besides.
        verify: as `OPENSTACK_VERIFY`; None for what the environment of the process says.
        document: what to send in JSON.

    Raises: OSError or urllib3's HTTPError when there is no whole answer within `OPENSTACK_TIMEOUT` seconds; one that
    stalls half-way can take as long again.
    """
    deadline = time.monotonic() + settings.OPENSTACK_TIMEOUT
    options: dict[str, Any] = {"headers": headers, "verify": verify, "json": document}
    try:
        return _exchange(url, options, deadline)
    except requests.ConnectionError as error:
        if not isinstance(next(iter(error.args), None), ProtocolError):
            raise
    return _exchange(url, options, deadline)


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


def _exchange(url: str, options: Mapping[str, Any], deadline: float) -> Answer:
    method = "GET" if options["json"] is None else "POST"
    remaining: Any = Timeout(total=max(deadline - time.monotonic(), 0.001))
    with _session().request(method, url, stream=True, timeout=remaining, **options) as response:
        body = _read(response, deadline)
    return Answer(response.status_code, response.headers.get("Content-Type", ""), body, response.headers)


def _read(response: requests.Response, deadline: float) -> bytes:
    """Return the body, read as it arrives so that neither its length nor its pace is the sender's choice."""
    body = bytearray()
    while chunk := response.raw.read1(64 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise TooLargeError
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    return bytes(body)


class _Session(requests.Session):
    """A session that follows no redirect and keeps nothing of one user for the next."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # An authentication that adds nothing: without one, requests looks for a password in ~/.netrc.
        self.auth = lambda request: request
        # Nothing compressed: MAX_ANSWER_BYTES is of what was sent and of what it unpacks to alike.
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        adapter = HTTPAdapter(pool_maxsize=POOL_SIZE)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nothing: a redirect is not an answer, and would carry the token elsewhere."""
        return


@functools.cache
def _session() -> requests.Session:
    """Return the process's one session, made at its first use so that no connection survives a fork."""
    return _Session()
