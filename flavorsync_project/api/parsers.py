"""Parsers of request bodies. Each returns the document as JSON has it: `{"flavor": {…}}`.

They check only the form. The strict fields of `serializers` check what an object holds, whatever
its format was.
"""

import json
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn
from xml.etree.ElementTree import ParseError as NotWellFormed

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from django.core.exceptions import RequestDataTooBig
from django.utils.http import parse_header_parameters
from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework_xml.parsers import XMLParser as StockXMLParser

from flavorsync_project.api.vocabulary import REQUESTS, Kind, Resource

NO_BODY = "The request has no body"

# No member accepts a number anywhere near as long. Python itself refuses to read one with over 4,300
# digits, since the time for that grows with their square.
MAX_DIGITS = 100
CHUNK_BYTES = 64 * 1024
MAX_DRAINED_CHUNKS = 256
_SHOWN = 60


def _body(stream: IO[bytes], parser_context: Mapping[str, Any] | None) -> bytes:
    """Return the whole body; Django refuses one over DATA_UPLOAD_MAX_MEMORY_SIZE.

    Raises: RequestDataTooBig, UnreadablePostError, ParseError if it is empty
    """
    request = (parser_context or {}).get("request")
    try:
        body: bytes = stream.read() if request is None else request.body
    except RequestDataTooBig:
        _drain(stream)
        raise
    if not body:
        raise ParseError(NO_BODY)
    return body


def _drain(stream: IO[bytes]) -> None:
    """Read on for a while and discard: many clients read no answer before they have sent their whole body."""
    for _ in range(MAX_DRAINED_CHUNKS):
        if not stream.read(CHUNK_BYTES):
            return


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ParseError(f"The body holds a number of more than {MAX_DIGITS} digits")
    return int(text)


# JSON


class JSONParser(parsers.JSONParser):
    """Parse JSON strictly (RFC 8259): UTF-8, an object, every name once, no NaN, no infinity.

    A byte order mark is skipped, as the RFC allows. The Content-Type's charset is ignored.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the object that the body holds.

        Raises: ParseError, which says what is wrong and where
        """
        body = _body(stream, parser_context)
        try:
            document = json.loads(
                body.decode("utf-8-sig"),
                object_pairs_hook=_object,
                parse_int=_integer,
                parse_float=_float,
                parse_constant=_refuse_constant,
            )
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not valid UTF-8 at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply") from None
        if not isinstance(document, dict):
            raise ParseError("The body must be a JSON object")
        return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ParseError(f'The body is ambiguous: the member "{_shown(name)}" appears twice in one object')
        members[name] = value
    return members


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ParseError(f"The body holds the number {_shown(text)}, which is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"The body is not valid JSON: {name} is not a JSON value")


# XML


class XMLParser(StockXMLParser):  # type: ignore[misc]
    """Parse the XML documents of our vocabulary, and no other XML.

    No DTD, and so no entity and no external reference, gets past defusedxml. Nothing is built for an
    element that the vocabulary does not name, so nesting costs nothing: time and memory grow with the
    body's length. The encodings are expat's, declared by the document or by the Content-Type's charset
    (RFC 7303, 3).
    """

    media_type = "application/xml"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the document as JSON has it, its values typed as the vocabulary says.

        Text that should be an integer or a boolean and is not stays as it is, for the serializer to
        refuse. `nodes` is there if the document has a `<node>`.

        Raises: ParseError, which says what is wrong and where
        """
        body = _body(stream, parser_context)
        charset = parse_header_parameters(media_type or "")[1].get("charset") or None
        reader = _DocumentReader()
        try:
            parser = DefusedXMLParser(target=reader, encoding=charset, forbid_dtd=True)
            # Known clients send line breaks before the declaration, where XML allows none.
            parser.feed(body.lstrip(_XML_SPACE.encode()))
            parser.close()
        except NotWellFormed as error:
            raise ParseError(f"The body is not well-formed XML: {error}") from None
        except DefusedXmlException:
            raise ParseError("The body must not contain a DTD, entity declarations or external references") from None
        except (LookupError, ValueError):
            # What pyexpat raises for an encoding that Python does not know or that takes several bytes.
            raise ParseError("The body is in an encoding that is not supported: use UTF-8") from None
        return reader.document()


class TextXMLParser(XMLParser):
    """Parse the same documents sent as `text/xml`."""

    media_type = "text/xml"


class _DocumentReader:
    """Read a document of the vocabulary from the parser's events (a target of ElementTree's XMLParser)."""

    def __init__(self) -> None:
        self.resource: Resource | None = None
        self.members: dict[str, Any] = {}
        self.child: str | None = None
        self.text: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.resource is None:
            self._start_resource(tag, attributes)
        elif self.child is not None:
            raise ParseError(f"<{self.child}> must hold only text, not the element <{_name(tag)}>")
        else:
            self._start_child(self.resource, tag, attributes)

    def _start_resource(self, tag: str, attributes: dict[str, str]) -> None:
        resource = REQUESTS.get(tag)
        if resource is None:
            known = " or ".join(f"<{element}>" for element in sorted(REQUESTS))
            raise ParseError(f"The body's element must be {known}, not <{_name(tag)}>")
        _refuse_attributes(tag, set(attributes) - set(resource.attributes))
        self.resource = resource
        self.members.update(attributes)

    def _start_child(self, resource: Resource, tag: str, attributes: dict[str, str]) -> None:
        if tag not in resource.children and tag not in resource.lists.values():
            raise ParseError(f"<{resource.element}> has no element <{_name(tag)}>")
        if tag in self.members:
            raise ParseError(f"<{resource.element}> holds the element <{tag}> twice")
        _refuse_attributes(tag, set(attributes))
        self.child = tag

    def data(self, text: str) -> None:
        if self.child is not None:
            self.text.append(text)
        elif self.resource is not None and text.strip(_XML_SPACE):
            raise ParseError(f"<{self.resource.element}> must hold only elements, not text")

    def end(self, tag: str) -> None:
        if self.resource is None or self.child is None:
            return
        text = "".join(self.text)
        if self.child in self.resource.children:
            self.members[self.child] = _typed(self.resource.children[self.child], text)
        else:
            name = next(name for name, item in self.resource.lists.items() if item == self.child)
            self.members.setdefault(name, []).append(text)
        self.child = None
        self.text.clear()

    def document(self) -> dict[str, Any]:
        # A document without an element is not well-formed, so expat has refused it.
        assert self.resource is not None  # noqa: S101
        return {self.resource.element: self.members}


_XML_SPACE = " \t\r\n"
_XS_INTEGER = re.compile(r"[+-]?[0-9]+")
_XS_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}


def _typed(kind: Kind, text: str) -> str | int | bool:
    """Return the value that *text* stands for, else *text* itself (XML Schema Part 2, 3.2.2, 3.3.13)."""
    if kind is Kind.TEXT:
        return text
    collapsed = text.strip(_XML_SPACE)
    if kind is Kind.BOOLEAN:
        return _XS_BOOLEAN.get(collapsed, text)
    return _integer(collapsed) if _XS_INTEGER.fullmatch(collapsed) else text


def _refuse_attributes(tag: str, unknown: set[str]) -> None:
    if unknown:
        raise ParseError(f"<{tag}> has no attribute {_name(min(unknown))}")


def _name(expanded: str) -> str:
    """Return the name of an element or attribute as a message shows it, its namespace in braces."""
    return _shown(expanded)
