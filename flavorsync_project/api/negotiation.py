"""Content negotiation: `Content-Type` gives the request's format, `Accept` the response's, by default the request's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http.request import MediaType
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

_SHOWN = 100


def answer_type(meta: Mapping[str, Any], offered: Sequence[str]) -> str:
    """Return which of the *offered* media types the answer to a request has, given its WSGI environment.

    `Accept` decides. If it is missing or prefers nothing, it is the type of the request's body: the documented
    requests in XML have no `Accept`, and get their answers in XML.
    """
    accept = meta.get("HTTP_ACCEPT", "").strip() or "*/*"
    has_body = meta.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in meta
    return preferred_type(accept, offered, else_=_media_type(meta.get("CONTENT_TYPE", "")) if has_body else None)


def preferred_type(accept: str, offered: Sequence[str], *, else_: str | None = None) -> str:
    """Return which of the *offered* media types an `Accept` header asks for, the first if it asks for none.

    If it asks equally for several, *else_* is chosen if it is one of them.

    Each type has the quality of the most specific range that covers it (RFC 9110, 12.5.1). Django's
    `get_preferred_type` is not enough: it ignores `q=0`, raises on some malformed headers, and does not
    match `application/xml; charset=utf-8` with `application/xml`.
    """
    ranges = [media_range for part in accept.split(",") if (media_range := _media_range(part))]
    ranked = [(_rank(media_type, ranges), media_type) for media_type in offered]
    best = max(rank for rank, _ in ranked)
    alike = [media_type for rank, media_type in ranked if rank == best]
    if best[0] <= 0:
        return offered[0]
    return else_ if else_ in alike else alike[0]


def _media_range(text: str) -> MediaType | None:
    try:
        return MediaType(text.strip())
    except ValueError:  # an RFC 2231 parameter in an unknown encoding
        return None


def _rank(media_type: str, ranges: Sequence[MediaType]) -> tuple[float, int, int]:
    """Return quality, specificity and precedence of *media_type* among *ranges*; (0, 0, 0) if in none."""
    main_type, _, sub_type = media_type.partition("/")
    covering = [
        (_specificity(media_range), media_range.quality, -index)
        for index, media_range in enumerate(ranges)
        if media_range.main_type in {main_type, "*"} and media_range.sub_type in {sub_type, "*"}
    ]
    if not covering:
        return 0, 0, 0
    specificity, quality, precedence = max(covering)
    return quality, specificity, precedence


def _specificity(media_range: MediaType) -> int:
    return (media_range.main_type != "*") + (media_range.sub_type != "*")


class ContentNegotiation(BaseContentNegotiation):
    """Negotiate as the contract says: 415 for a body of unknown type, and never 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Return the parser for the body's media type, whatever its parameters and case.

        Raises: UnsupportedMediaType
        """
        parsers = list(parsers)
        for parser in parsers:
            if parser.media_type == _media_type(request.content_type):
                return parser
        known = _either(parser.media_type for parser in parsers)
        if not request.content_type.strip():
            raise UnsupportedMediaType("", detail=f"The body has no Content-Type: it must be {known}")
        shown = request.content_type[:_SHOWN]
        raise UnsupportedMediaType(shown, detail=f'The Content-Type "{shown}" is not supported: it must be {known}')

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer of the answer, as `answer_type` says, and its media type.

        A suffix and `?format=` have no effect.
        """
        renderers = list(renderers)
        chosen = answer_type(request.META, [renderer.media_type for renderer in renderers])
        return next((renderer, chosen) for renderer in renderers if renderer.media_type == chosen)


def _media_type(content_type: str) -> str | None:
    try:
        return parse_header_parameters(content_type)[0]
    except ValueError:
        return None


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
