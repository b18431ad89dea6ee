"""Renderers of response bodies. Each takes the document as JSON has it: `{"flavor": {…}}`."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from rest_framework import renderers
from rest_framework_xml.renderers import XMLRenderer as StockXMLRenderer

from flavorsync_project.api.vocabulary import ANSWERS, Answer, Kind, Resource

INDEX = "collections"
_SURROGATE = re.compile("[\ud800-\udfff]")


class JSONRenderer(renderers.JSONRenderer):
    """Render JSON in UTF-8, escaping only what UTF-8 cannot carry, with a line break at the end for shells."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return *data* as JSON, nothing for None. U+FFFD replaces lone surrogates, which UTF-8 cannot carry."""
        if data is None:
            return b""
        try:
            return super().render(data, accepted_media_type, renderer_context) + b"\n"
        except UnicodeEncodeError:
            text = json.dumps(data, cls=self.encoder_class, ensure_ascii=False)
            return _SURROGATE.sub("\ufffd", text).encode() + b"\n"


class XMLRenderer(StockXMLRenderer):  # type: ignore[misc]
    """Render the documents of our vocabulary as XML, and no other data."""

    media_type = "application/xml"
    charset = "utf-8"

    def render(
        self,
        data: Mapping[str, Any] | None,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        """Return *data*, a document of one of `ANSWERS` or the index, as XML; nothing for None.

        Links to further pages are only in the `Link` header.

        Raises: TypeError if *data* is no such document. Time grows with its size.
        """
        if data is None:
            return ""
        for member, content in data.items():
            if member in ANSWERS:
                return _whole(_document(ANSWERS[member], content))
            if member == INDEX:
                return _whole(_collections(content))
        raise TypeError(f"No XML is defined for a document of {', '.join(map(repr, data))}")


class TextXMLRenderer(XMLRenderer):
    """Render the same documents as `text/xml`."""

    media_type = "text/xml"
    format = "text-xml"


_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_INDENT = "  "

# What XML 1.0 (2.2) cannot carry, not even as a character reference; and what it can carry if escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_PLAIN = re.compile("[^\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A parser turns a bare \r into \n, and in an attribute all three into spaces.
_TEXT_ENTITIES = {"\r": "&#13;"}
_ATTRIBUTE_ENTITIES = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def _whole(lines: Iterable[str]) -> str:
    return "\n".join([_DECLARATION, *lines, ""])


def _escape(value: object, entities: dict[str, str]) -> str:
    text = str(value)
    # Nearly every text is plain, and one search shows it.
    return escape(_ILLEGAL.sub("\ufffd", text), entities) if _NOT_PLAIN.search(text) else text


def _boolean(value: object) -> str:
    return "true" if value else "false"


def _text(value: object) -> str:
    return _escape(value, _TEXT_ENTITIES)


def _value(value: object) -> str:
    return _boolean(value) if isinstance(value, bool) else _text(value)


_FORMATS: Mapping[Kind, Callable[[object], str]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: str,
    Kind.BOOLEAN: _boolean,
    Kind.NUMBER: str,
    Kind.VALUE: _value,
}


def _attributes(**values: object) -> str:
    return "".join(f' {name}="{_escape(value, _ATTRIBUTE_ENTITIES)}"' for name, value in values.items())


def _resource(resource: Resource, members: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield the lines of one object, with its members in the vocabulary that are not null."""
    tag, inner = resource.element, indent + _INDENT
    yield f"{indent}<{tag}{_attributes(**{name: members[name] for name in resource.attributes if name in members})}>"
    for name, kind in resource.children.items():
        if (value := members.get(name)) is not None:
            yield f"{inner}<{name}>{_FORMATS[kind](value)}</{name}>"
    for name, item in resource.lists.items():
        for value in members.get(name, ()):
            yield f"{inner}<{item}>{_text(value)}</{item}>"
    for name, part in resource.parts.items():
        objects = members.get(name, ())
        for one in [objects] if isinstance(objects, Mapping) else objects:
            yield from _resource(part, one, inner)
    yield f"{indent}</{tag}>"


def _document(answer: Answer, content: Any) -> Iterator[str]:
    if not answer.in_list:
        yield from _resource(answer.resource, content, "")
        return
    yield f"<{answer.in_list}>"
    for members in content:
        yield from _resource(answer.resource, members, _INDENT)
    yield f"</{answer.in_list}>"


def _collections(collections: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield f"<{INDEX}>"
    for collection in collections:
        yield f"{_INDENT}<collection{_attributes(name=collection['name'])}>"
        for link in collection["links"]:
            yield f"{_INDENT * 2}<link{_attributes(rel=link['rel'], href=link['href'])}/>"
        yield f"{_INDENT}</collection>"
    yield f"</{INDEX}>"
