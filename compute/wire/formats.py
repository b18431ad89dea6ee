"""JSON only, whatever `Content-Type` and `Accept` say."""

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.renderers import JSONRenderer as StockJSONRenderer
from rest_framework.request import Request


class JSONRenderer(StockJSONRenderer):
    """A renderer of JSON in ASCII, as Nova sends it."""

    ensure_ascii = True


class OneFormat(BaseContentNegotiation):
    """Content negotiation that always takes a view's only parser and only renderer."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Return the only parser."""
        (parser,) = parsers
        return parser

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the only renderer and its media type."""
        (renderer,) = renderers
        return renderer, renderer.media_type
