"""Requests about flavors, passed to a node's Nova.

Their senders need not know of Flavor Sync, and Nova itself answers them. This module keeps the node's flavors
consistent: it settles replacements that were cut short first, locks the flavor during a change, and records the result
in the catalogue.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from compute.wire import microversions
from compute.wire.bodies import name_and_id_of
from compute.wire.microversions import Microversion
from flavors.catalogue.changes import record_change
from infrastructures.models import Infrastructure
from infrastructures.openstack.connection import READING
from infrastructures.openstack.errors import CloudError
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaResponse
from infrastructures.openstack.rules import can_be_said
from infrastructures.replacements import changes
from infrastructures.replacements.reading import raise_if_missing_for_now, read_whole
from infrastructures.replacements.replacing import settle_replacements

logger = logging.getLogger(__name__)

# The request headers that are passed to Nova
REQUEST_HEADERS = ("Content-Type", "OpenStack-API-Version", "X-OpenStack-Nova-API-Version")
SUCCESS = range(200, 300)


@dataclass(frozen=True, kw_only=True)
class NovaRequest:
    """A request to pass to Nova; `path` is relative to `/flavors`, and begins with a slash or is empty."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def flavorid(self) -> str:
        """Return the id of the request's flavor, "" for a new flavor or a list."""
        first = self.path.lstrip("/").partition("/")[0]
        return "" if first == "detail" else first

    @property
    def is_about_flavor(self) -> bool:
        """Say whether a 404 of Nova is about the flavor, and not about one of its extra specs."""
        return self.path in (f"/{self.flavorid}", f"/{self.flavorid}/os-extra_specs")

    @property
    def deletes(self) -> bool:
        """Say whether the request deletes a flavor that the journal can keep; Nova makes other ids of JSON numbers."""
        return self.method == "DELETE" and self.path == f"/{self.flavorid}" and can_be_said(self.flavorid)

    @property
    def url(self) -> str:
        """Return the path and query to send to Nova."""
        return f"/flavors{quote(self.path)}{'?' if self.query else ''}{self.query}"


def forward(request: NovaRequest, *, infrastructure: Infrastructure, nova: Nova) -> NovaResponse:
    """Pass a request to the node's Nova, and return its response.

    Raises:
        Conflict: somebody else is changing the flavor right now, or a flavor with its id or name is being replaced.
        CloudError: Nova does not accept the token, or did not answer; or the flavor is missing only until its
            replacement is settled.

    Cost: one upstream call and one query, three for a list; for a change two more calls and some seven queries.
    """
    settle_replacements(infrastructure=infrastructure, nova=nova)
    if request.deletes:
        return _delete(request, infrastructure, nova)
    if request.method not in READING:
        answer = _change(request, infrastructure, nova)
    elif request.flavorid:
        answer = _forward(request, nova)
    else:
        return _whole_list(request, infrastructure, nova)
    if answer.status == HTTPStatus.NOT_FOUND and request.is_about_flavor:
        raise_if_missing_for_now([infrastructure], request.flavorid)
    return answer


def _whole_list(request: NovaRequest, infrastructure: Infrastructure, nova: Nova) -> NovaResponse:
    """Return a list, read again if others have replaced flavors meanwhile, one of which it may lack."""
    answers = read_whole(
        [infrastructure],
        lambda: _forward(request, nova),
        settle=lambda: settle_replacements(infrastructure=infrastructure, nova=nova),
    )
    return answers[-1]


def _forward(request: NovaRequest, nova: Nova) -> NovaResponse:
    return nova.forward(request.method, request.url, headers=request.headers, body=request.body)


def _delete(request: NovaRequest, infrastructure: Infrastructure, nova: Nova) -> NovaResponse:
    """Delete the flavor through the journal, so that a watched one is not created again."""
    headers = _headers_of_an_answer(request, nova)
    changes.delete_flavor(infrastructure=infrastructure, nova=nova, flavorid=request.flavorid)
    record_change(infrastructure=infrastructure, nova=nova, flavorid=request.flavorid, has=None)
    return NovaResponse(status=202, headers=headers, body=b"")


def _headers_of_an_answer(request: NovaRequest, nova: Nova) -> dict[str, str]:
    """Return the headers in which Nova would confirm the requested microversion.

    Raises:
        ParseError, VersionNotSupported: Nova would refuse the microversion.
    """
    highest = Microversion.read(nova.highest_microversion)
    asked = microversions.asked_for(request.headers, highest=highest)
    microversions.require_supported(asked, highest=highest)
    names = (microversions.HEADER, microversions.OLD_HEADER)
    return {**microversions.headers_of(asked), "Vary": ", ".join(names)}


def _change(request: NovaRequest, infrastructure: Infrastructure, nova: Nova) -> NovaResponse:
    with _alone(request, infrastructure):
        answer = _forward(request, nova)
        flavorid = request.flavorid or _created_id(answer)
        if flavorid and answer.status in SUCCESS:
            changes.keep_watching(infrastructure=infrastructure, nova=nova, flavorid=flavorid)
    if flavorid and answer.status in SUCCESS:
        _record(flavorid, infrastructure, nova)
    return answer


def _record(flavorid: str, infrastructure: Infrastructure, nova: Nova) -> None:
    """Look at the changed flavor and record it; if Nova does not show it, the change was answered all the same."""
    try:
        has = nova.find_flavor(flavorid)
    except CloudError as error:
        logger.warning("%s: the change of flavor %s could not be recorded: %s", infrastructure, flavorid, error)
        return
    record_change(infrastructure=infrastructure, nova=nova, flavorid=flavorid, has=has)


@contextmanager
def _alone(request: NovaRequest, infrastructure: Infrastructure) -> Iterator[None]:
    """Lock the flavor to change, or the name and id of the one to create."""
    if request.flavorid:
        with changes.alone_with(infrastructure, request.flavorid):
            changes.require_settled(infrastructure=infrastructure, flavorid=request.flavorid)
            yield
        return
    name, flavorid = name_and_id_of(request.body)
    # Without an id Nova generates one, which nobody else can know yet.
    with changes.alone_with(infrastructure, flavorid or str(uuid4()), name=name):
        yield


def _created_id(answer: NovaResponse) -> str:
    try:
        document: Any = json.loads(answer.body)
        return str(document["flavor"]["id"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
