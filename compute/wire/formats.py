"""JSON alone, whatever `Content-Type` and `Accept` say."""

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.renderers import JSONRenderer as StockJSONRenderer
from rest_framework.request import Request


class JSONRenderer(StockJSONRenderer):
    """Renders JSON, in ASCII as Nova does."""

    ensure_ascii = True


class OneFormat(BaseContentNegotiation):
    """Take the only parser and the only renderer that there is."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Return the parser."""
        (parser,) = parsers
        return parser

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer, and what it makes."""
        (renderer,) = renderers
        return renderer, renderer.media_type
