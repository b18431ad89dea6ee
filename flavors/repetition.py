"""Requests that come again: answered as before, while all that the answer rests on is as it was.

Programs ask for the same list over and over. To find out once more who asks, what for and in which format takes
several times as long as the one query that says whether anything has changed.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch
from rest_framework.request import Request

from flavors import listing
from flavors.memory import Memory, length_of
from flavors.revision import current_revision, current_revision_and_account
from flavorsync_project.api.request_id import note_user
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
class _Answer:
    """What was answered, by status: with which headers, to whom, and where the request was routed to."""

    etag: str
    headers: Mapping[int, Mapping[str, str]]
    proof: Proof
    route: ResolverMatch | None


_answers: Memory[_Answer] = Memory(max_bytes=4 * 1024 * 1024)
# Requests have credentials in them: what is kept of them tells nothing to somebody who has not this.
_key = os.urandom(32)


def may_be_repeated(response: HttpResponse, request: Request) -> HttpResponse:
    """Mark the answer, a list that is the same for all who may have it, and return it."""
    response.flavorsync_proof = request.auth  # type: ignore[attr-defined]
    return response


class RepetitionMiddleware:
    """Answers a request like an earlier one, at the cost of one query and one access to the cache.

    Where the earlier answer no longer holds, the query has been for nothing.

    It stands inside of what counts and logs requests, and outside of all else: what that adds to an answer is repeated.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = _asked(request) if request.method == "GET" else b""
        if asked and (repeated := _repeated(request, asked)):
            return repeated
        response = self.get_response(request)
        if response.status_code == 304:
            # Django says 0, which the body that the client keeps has not (RFC 9110, 8.6).
            response.headers.pop("Content-Length", None)
        if asked:
            _remember(asked, request, response)
        return response


def _asked(request: HttpRequest) -> bytes:
    values = repr([request.META.get(name) for name in _ASKED]).encode("utf-8", "surrogatepass")
    return blake2b(values, key=_key, digest_size=32).digest()


def _repeated(request: HttpRequest, asked: bytes) -> HttpResponse | None:
    """Return the answer if it is still that, None if it has to be found."""
    answer = _answers.get(asked)
    if answer is None:
        return None
    unchanged = listing.is_known(request, answer.etag)
    headers = answer.headers.get(304 if unchanged else 200)
    content = b"" if unchanged else listing.remembered(answer.etag)
    if headers is None or content is None:
        return None
    if not _still_holds(answer):
        return None
    note_user(answer.proof.caller)
    request.resolver_match = answer.route
    return HttpResponseNotModified(headers=headers) if unchanged else HttpResponse(content, headers=headers)


def _still_holds(answer: _Answer) -> bool:
    key, account = answer.proof.account, None
    try:
        if key is None:
            revision = current_revision()
        else:
            revision, account = current_revision_and_account(key)
    except (OperationalError, InterfaceError):
        return False  # the view says as ever that the database is away: an error from here would be a 500
    return listing.is_of(answer.etag, revision) and answer.proof.still_holds(account)


def _remember(asked: bytes, request: HttpRequest, response: HttpResponseBase) -> None:
    proof = getattr(response, "flavorsync_proof", None)
    etag = response.headers.get("ETag")
    if proof is None or etag is None or response.cookies:
        return
    before = _answers.get(asked)
    headers = {**before.headers} if before and before.etag == etag else {}
    headers[response.status_code] = _headers(response)
    size = _SIZE + sum(map(length_of, headers.values()))
    _answers.put(asked, _Answer(etag, headers, proof, request.resolver_match), size=size)


def _headers(response: HttpResponseBase) -> dict[str, str]:
    if response.status_code != 304:
        return dict(response.items())
    return {
        name: value
        for name, value in response.items()
        if name.lower() in _OF_304 or name.lower().startswith("access-control-")
    }
