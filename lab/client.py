"""A small HTTP client for the services of the lab; its calls are left out of the counts."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from lab.access_log import USER_AGENT
from lab.errors import AnswerError, UnreachableError

NOVA_VERSION = "compute 2.75"
"""The newest microversion that shows every property of a flavor."""


@dataclass(frozen=True)
class Answer:
    """A service's answer: the status, the headers in lower case, and the JSON body."""

    status: int
    headers: dict[str, str]
    body: Any


def send(method: str, url: str, *, token: str = "", body: Any = None, seconds: float = 60) -> Answer:
    """Send one request over its own connection, and return any answer below 400.

    Raises:
        AnswerError: the answer was 400 or above.
        UnreachableError: no answer came within so many seconds.
    """
    target = urlsplit(url)
    headers = {"User-Agent": USER_AGENT, "OpenStack-API-Version": NOVA_VERSION}
    if token:
        headers["X-Auth-Token"] = token
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(body)
    connection = HTTPConnection(target.hostname or "", target.port, timeout=seconds)
    try:
        path = f"{target.path}?{target.query}" if target.query else target.path
        connection.request(method, path or "/", content, headers)
        response = connection.getresponse()
        text = response.read()
    except (OSError, HTTPException) as error:
        raise UnreachableError(f"{method} {url} got no answer: {error!r}") from error
    finally:
        connection.close()
    if response.status >= 400:
        said = " ".join(text.decode(errors="replace").split())[:300]
        message = f"{method} {target.path} answered {response.status}: {said}"
        raise AnswerError(message, status=response.status)
    is_json = text and "json" in response.headers.get("Content-Type", "")
    return Answer(
        response.status,
        {name.lower(): value for name, value in response.getheaders()},
        json.loads(text) if is_json else None,
    )
