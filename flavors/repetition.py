"""Requests that come again: answered as before, while all that the answer rests on is as it was.

Programs ask for the same list over and over. To find out once more who asks, what for and in which format takes
several times as long as the one query that says whether anything has changed, and so does the way through Django.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from django.db import connection
from django.http import HttpResponse
from django.utils.encoding import escape_uri_path
from rest_framework.request import Request

from flavors import listing
from flavors.memory import Memory, length_of
from flavors.revision import current_revision, current_revision_and_account
from flavorsync_project.api.metrics import count_request, route_of
from flavorsync_project.api.request_id import HEADER, log_request, note_user, traced
from identity.principals import Proof

# All of a request that has a say in the answer, but for `If-None-Match`.
_ASKED = (
    "REQUEST_METHOD",
    "wsgi.url_scheme",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "HTTP_ORIGIN",
    "HTTP_ACCEPT",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_AUTHORIZATION",
    "HTTP_X_AUTH_TOKEN",
    "HTTP_USER",
    "HTTP_PASSWORD",
)
# What an answer takes besides the values of its headers.
_SIZE = 4 * 1024
# What a 304 is to say (RFC 9110, 15.4.5): all else the client has with the body that it keeps.
_OF_304 = ("cache-control", "etag", "vary")


@dataclass(frozen=True)
class _Asked:
    """What was asked: by whom, and how the log and the figures call it."""

    proof: Proof
    path: str
    route: str


@dataclass(frozen=True)
class _Answer:
    """What was answered to that: the headers of each status."""

    asked: _Asked
    etag: str
    headers: Mapping[HTTPStatus, Mapping[str, str]]


_answers: Memory[_Answer] = Memory(max_bytes=4 * 1024 * 1024)
# Requests have credentials in them: what is kept of them tells nothing to somebody who has not this.
_key = os.urandom(32)


def may_be_repeated(response: HttpResponse, request: Request) -> HttpResponse:
    """Mark the answer, a list that is the same for all who may have it, and return it."""
    proof: Any = request.auth
    if proof is not None:
        asked = _Asked(proof, escape_uri_path(request.path), route_of(request))
        response.flavorsync_asked = asked  # type: ignore[attr-defined]
    return response


class Repetition:
    """A WSGI application that answers a request like an earlier one, and leaves all others to Django.

    It costs one query and one access to the cache; where the earlier answer no longer holds, they have been for
    nothing. What it answers is logged and counted like all the rest.
    """

    def __init__(self, django: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]) -> None:
        self.django = django

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return self.django(environ, start_response)
        began = time.perf_counter()
        key = _key_of(environ)
        if repeated := _repeated(_answers.get(key), environ):
            return repeated.send(start_response, began)
        response = self.django(environ, start_response)
        _remember(key, response)
        return response


def _key_of(environ: WSGIEnvironment) -> bytes:
    values = repr([environ.get(name) for name in _ASKED]).encode("utf-8", "surrogatepass")
    return blake2b(values, key=_key, digest_size=32).digest()


@dataclass(frozen=True)
class _Repeated:
    """An earlier answer that still holds."""

    asked: _Asked
    status: HTTPStatus
    headers: Mapping[str, str]
    content: bytes

    def send(self, start_response: StartResponse, began: float) -> list[bytes]:
        """Send it as the answer to a request that began then, by the performance counter."""
        with traced() as trace:
            note_user(self.asked.proof.caller)
            start_response(f"{self.status} {self.status.phrase}", [*self.headers.items(), (HEADER, trace.id)])
            seconds = time.perf_counter() - began
            log_request(trace, method="GET", path=self.asked.path, status=self.status, seconds=seconds)
        count_request("GET", self.asked.route, self.status, seconds)
        return [self.content]


def _repeated(answer: _Answer | None, environ: WSGIEnvironment) -> _Repeated | None:
    """Return the answer if it is still that, None if it has to be found."""
    if answer is None:
        return None
    unchanged = listing.is_known(environ.get("HTTP_IF_NONE_MATCH", ""), answer.etag)
    status = HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK
    headers = answer.headers.get(status)
    content = b"" if unchanged else listing.remembered(answer.etag)
    if headers is None or content is None or not _still_holds(answer):
        return None
    return _Repeated(answer.asked, status, headers, content)


def _still_holds(answer: _Answer) -> bool:
    proof, account = answer.asked.proof, None
    try:
        if proof.account is None:
            revision = current_revision()
        else:
            revision, account = current_revision_and_account(proof.account)
        return listing.is_of(answer.etag, revision) and proof.still_holds(account)
    except Exception:  # noqa: BLE001 — what fails here fails in the view, where it is answered and logged
        return False
    finally:
        connection.close_if_unusable_or_obsolete()  # as Django does after each request


def _remember(key: bytes, response: Iterable[bytes]) -> None:
    if not isinstance(response, HttpResponse):
        return  # a file, in what the server wraps files in
    asked = getattr(response, "flavorsync_asked", None)
    etag = response.headers.get("ETag")
    if asked is None or etag is None or response.cookies:
        return
    before = _answers.get(key)
    headers = {**before.headers} if before and before.etag == etag else {}
    headers[HTTPStatus(response.status_code)] = _headers(response)
    size = _SIZE + sum(map(length_of, headers.values()))
    _answers.put(key, _Answer(asked, etag, headers), size=size)


def _headers(response: HttpResponse) -> dict[str, str]:
    headers = {name: value for name, value in response.items() if name != HEADER}
    if response.status_code != HTTPStatus.NOT_MODIFIED:
        return headers
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in _OF_304 or name.lower().startswith("access-control-")
    }
