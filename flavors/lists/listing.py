"""Lists of the catalogue over HTTP: read and encoded once for each revision, and never stale."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from flavors.lists.memory import Memory, length_of
from flavors.lists.revision import current_revision
from flavors.models import Flavor, Installation
from flavors.querysets import FlavorQuerySet
from infrastructures.models import Infrastructure

# Increase it when the same rows are encoded differently: clients keep answers that have an ETag.
ENCODING = 2
# How often a list is read again because somebody writes meanwhile.
MAX_ATTEMPTS = 3
# A client may keep the answer, and asks each time whether it is still valid.
CACHE_CONTROL = "private, no-cache"
# A row as the API shows it, without its nodes.
MEMBERS = ("id", "name", "vcpus", "ram", "disk", "swap", "promoted", "public")
COLUMNS = ("pk", "flavorid", *MEMBERS[1:])


@dataclass(frozen=True)
class Body:
    """The body of an answer, and the headers that belong to it."""

    content: bytes
    headers: Mapping[str, str]


_bodies: Memory[Body] = Memory(max_bytes=16 * 1024 * 1024)
_building = Lock()


def answer(
    view: GenericViewSet[Flavor], request: Request, *, find: Callable[[], FlavorQuerySet], filters: Sequence[object]
) -> HttpResponse:
    """Return a list of the catalogue, or 304 if the client has it already.

    The list holds everything committed before the request came, since the revision is read first. A body is kept
    only if the revision was the same before and after its rows were read.

    Args:
        view: the view, for its pages and its format.
        request: the request; it says which page is wanted.
        find: makes the query for the flavors.
        filters: what tells this query from others.

    Cost: one query if memory or the client has the list; else five, one more with a marker, and all but one of
    them again if the catalogue changes meanwhile.
    """
    listed = _listed(request, filters)
    revision = current_revision()
    etag = _etag(revision, listed)
    if _is_known(request.META.get("HTTP_IF_NONE_MATCH", ""), etag):
        return HttpResponseNotModified(headers=_validators(etag))
    body = _bodies.get(etag)
    if body is None:
        with _building:  # one thread reads, the others wait for its result
            body = _bodies.get(etag) or _read_consistently(view, request, find, revision, listed)
    return HttpResponse(body.content, headers=body.headers)


def _listed(request: Request, filters: Sequence[object]) -> str:
    """Return what identifies a list: its format and filters, and for a page the whole URL.

    The link to the next page repeats the URL without its token.
    """
    page: list[object] = []
    if _is_paged(request):
        query = request.query_params
        parameters = sorted((name, query.getlist(name)) for name in query if name.lower() != "access_token")
        page = [request.scheme, request.get_host(), request.path, *parameters]
    return repr((ENCODING, request.accepted_renderer.media_type, *filters, page))


def _is_paged(request: Request) -> bool:
    return "limit" in request.query_params or "marker" in request.query_params


def _etag(revision: str | None, listed: str) -> str:
    """Return the list's strong ETag: the same in every process, and different after every change."""
    return f'"{revision}-{hashlib.blake2b(listed.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()}"'


def _is_known(known: str, etag: str) -> bool:
    """Say whether `If-None-Match` (*known*) names this ETag (RFC 9110, 13.1.2: weak ETags match, too).

    `*` does not count: the client has something, but perhaps not this.
    """
    return bool(known) and etag in {one.removeprefix("W/") for one in parse_etags(known)}


def _validators(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": CACHE_CONTROL}


def _read_consistently(
    view: GenericViewSet[Flavor],
    request: Request,
    find: Callable[[], FlavorQuerySet],
    revision: str | None,
    listed: str,
) -> Body:
    """Return the body, and keep it for the next request if nobody wrote while it was read."""
    attempts = 0
    while True:
        content, headers = _read(view, request, find())
        before, revision = revision, current_revision()
        if revision is not None and revision == before:
            etag = _etag(revision, listed)
            body = Body(content, {**headers, **_validators(etag)})
            _bodies.put(etag, body, size=len(content) + length_of(body.headers))
            return body
        attempts += 1
        if attempts == MAX_ATTEMPTS:
            return Body(content, {**headers, "Cache-Control": CACHE_CONTROL})


def _read(view: GenericViewSet[Flavor], request: Request, flavors: FlavorQuerySet) -> tuple[bytes, dict[str, str]]:
    """Read and encode the list, and return it with the headers that describe it."""
    # Rows, not objects: for 20,000 installations, making objects would be nearly all of the work.
    rows: Any = flavors.prefetch_related(None).values_list(*COLUMNS, named=True)
    page: Any = view.paginate_queryset(rows)
    nodes = _nodes([row.pk for row in page] if _is_paged(request) else flavors)
    response: Any = view.get_paginated_response(
        [dict(zip(MEMBERS, row[1:], strict=True)) | {"nodes": nodes[row.pk]} for row in page]
    )
    response.accepted_renderer = request.accepted_renderer
    response.accepted_media_type = request.accepted_media_type
    response.renderer_context = view.get_renderer_context()
    response.render()
    return response.content, dict(response.items())


def _nodes(flavors: FlavorQuerySet | list[int]) -> Mapping[int, list[str]]:
    """Return the names of the nodes of each flavor, in the order of installation. Cost: two queries.

    Names are read separately: in a join, MariaDB may begin with the few nodes and read all that they have.
    """
    nodes: dict[int, list[str]] = defaultdict(list)
    keys: Any = flavors
    if isinstance(flavors, FlavorQuerySet):
        keys = flavors.prefetch_related(None).order_by().values("pk")
    installed = Installation.objects.filter(flavor__in=keys).order_by("installed_at", "pk")
    installations = list(installed.values_list("flavor_id", "infrastructure_id"))
    names = dict(Infrastructure.objects.order_by().values_list("pk", "name"))
    for flavor, infrastructure in installations:
        if infrastructure in names:  # else it was unregistered meanwhile
            nodes[flavor].append(names[infrastructure])
    return nodes
