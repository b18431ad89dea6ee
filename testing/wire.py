"""A client of the API in JSON and XML, with its own readers and writers for both.

It checks every answer, whatever the test is about, for what the contract says about all of them.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from django.test import Client

Document = Any
"""A body as JSON has it, whatever the format: `{"flavor": {…}}`."""

NO_TOKEN = "Could not verify your access level for that URL.\nYou have to login with proper token"
NO_ROLE = "The method specified in the Request-Line is not allowed for the resource identified by the Request-URI."

_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CHILDREN = ["name", "vcpus", "ram", "disk", "swap", "promoted", "public"]
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


class Wire(Protocol):
    """A format: its name, and how its documents are written and read."""

    media_type: str
    content_type: str
    """Of an answer."""

    def write(self, document: Document) -> bytes:
        """Return the body of a request."""

    def read(self, body: bytes) -> Document:
        """Check the form of an answer's body, and return what it says."""


class Json:
    """JSON."""

    media_type = content_type = "application/json"

    def write(self, document: Document) -> bytes:
        """Return the document in JSON."""
        return json.dumps(document).encode()

    def read(self, body: bytes) -> Document:
        """Return the document."""
        return json.loads(body)


class Xml:
    """The contract's XML."""

    media_type = "application/xml"
    content_type = "application/xml; charset=utf-8"

    def write(self, document: Document) -> bytes:
        """Return a flavor or a run in XML, with values as they are, right or wrong."""
        ((root, content),) = document.items()
        members = dict(content)
        element = Element(root, {"id": str(members.pop("id"))} if members.get("id") else {})
        members.pop("id", None)
        lists = {item: members.pop(name, []) for name, item in (("nodes", "node"), ("flavors", "flavor"))}
        for name, value in [*members.items(), *((item, value) for item, values in lists.items() for value in values)]:
            ET.SubElement(element, name).text = json.dumps(value) if isinstance(value, bool) else str(value)
        return _DECLARATION + ET.tostring(element)

    def read(self, body: bytes) -> Document:
        """Return the document; every element must be where the contract has it."""
        assert body.startswith(_DECLARATION)
        root = ET.fromstring(body)
        match root.tag:
            case "flavor":
                return {"flavor": _flavor(root)}
            case "flavors":
                return {"flavors": [_flavor(child) for child in root]}
            case "infrastructures":
                return {"Infrastructures": [_infrastructure(child) for child in root]}
            case "collections":
                return {"collections": [_collection(child) for child in root]}
            case "status":
                return {"status": _status(root)}
            case "run":
                return {"run": _run(root)}
            case "runs":
                return {"runs": [_run(child) for child in root]}
            case "error":
                assert [child.tag for child in root] == ["message"]
                return {"error": {"message": root[0].text}}
        raise AssertionError(f"no document of the contract: {root.tag}")


def _flavor(element: Element) -> Document:
    nodes = [child.text for child in element[len(_CHILDREN) :]]
    assert element.tag == "flavor"
    assert list(element.keys()) == ["id"]
    assert [child.tag for child in element] == _CHILDREN + ["node"] * len(nodes)
    values = {child.tag: child.text or "" for child in element[: len(_CHILDREN)]}
    return {
        "id": element.get("id"),
        "name": values["name"],
        **{name: int(values[name]) for name in ("vcpus", "ram", "disk", "swap")},
        **{name: {"true": True, "false": False}[values[name]] for name in ("promoted", "public")},
        "nodes": nodes,
    }


def _infrastructure(element: Element) -> Document:
    assert (element.tag, list(element.keys()), [child.tag for child in element]) == ("infrastructure", ["id"], ["name"])
    return {"id": element.get("id"), "name": element[0].text}


def _collection(element: Element) -> Document:
    assert (element.tag, {child.tag for child in element}) == ("collection", {"link"})
    return {"name": element.get("name"), "links": [dict(link.attrib) for link in element]}


_Read = Callable[[str], Any]
_FLAG: _Read = {"true": True, "false": False}.__getitem__
_TIMES: Mapping[str, _Read] = dict.fromkeys(("started_at", "compared_at", "finished_at"), str)
_VALUES: Mapping[str, _Read] = {
    **dict.fromkeys(("vcpus", "ram", "disk", "swap", "ephemeral"), int),
    "rxtx_factor": float,
    "is_public": _FLAG,
}


def _object(element: Element, tag: str, attribute: str, children: Mapping[str, _Read], *rest: str) -> Document:
    """Return an attribute and the values of some children, None for missing ones; *rest* comes after them."""
    order = [*children, *rest]
    tags = [child.tag for child in element]
    assert element.tag == tag
    assert list(element.keys()) == ([attribute] if attribute else [])
    assert tags == sorted(tags, key=order.index)
    assert not [tag for tag in children if tags.count(tag) > 1]
    values = {
        name: None if (found := element.find(name)) is None else read(found.text or "")
        for name, read in children.items()
    }
    return {**({attribute: element.get(attribute)} if attribute else {}), **values}


def _run(element: Element) -> Document:
    flags = dict.fromkeys(("dry_run", "replace", "exact"), _FLAG)
    texts: dict[str, _Read] = {"state": str, "requested_by": str, **flags}
    texts |= dict.fromkeys(("created_at", "started_at", "finished_at"), str)
    run = _object(element, "run", "id", texts, "flavor", "progress", "node")
    run["flavors"] = [child.text or "" for child in element.iterfind("flavor")]
    if (progress := element.find("progress")) is not None:
        counts = ("nodes", "nodes_done", "flavors", "flavors_done")
        run["progress"] = _object(progress, "progress", "", dict.fromkeys(counts, int))
        run["nodes"] = [_node(child, _TIMES) for child in element.iterfind("node")]
        for outcome in (outcome for node in run["nodes"] for outcome in node["outcomes"]):
            assert outcome["result"] is not None
    return run


def _status(element: Element) -> Document:
    status = _object(element, "status", "", {"state": str}, "node", "flavor")
    status["nodes"] = [_node(child, {"compared_at": str}) for child in element.iterfind("node")]
    if retiring := [_retiring(child) for child in element.iterfind("flavor")]:
        status["retiring"] = retiring
    for outcome in (outcome for node in status["nodes"] for outcome in node.get("outcomes", ())):
        assert [outcome.pop(name) for name in ("servers", "result", "seconds")] == [None] * 3
    return status


def _retiring(element: Element) -> Document:
    flavor = _object(element, "flavor", "id", {"name": str, "retire_at": str}, "node")
    flavor["nodes"] = [_object(child, "node", "name", {"reason": str}) for child in element.iterfind("node")]
    return flavor


def _node(element: Element, times: Mapping[str, _Read]) -> Document:
    node = _object(element, "node", "name", {"state": str, "error": str, **times}, "outcome", "counts")
    if (counts := element.find("counts")) is not None:
        node["counts"] = {child.tag: int(child.text or "") for child in counts}
        return node
    node["outcomes"] = [_outcome(child) for child in element.iterfind("outcome")]
    return node


def _outcome(element: Element) -> Document:
    texts = {
        **dict.fromkeys(("name", "state", "action", "reason"), str),
        "servers": int,
        "result": str,
        "seconds": float,
    }
    outcome = _object(element, "outcome", "id", texts, "difference")
    outcome["differences"] = [_difference(child) for child in element.iterfind("difference")]
    return outcome


def _difference(element: Element) -> Document:
    read = _VALUES.get(element.get("member", ""), str)
    cause = {"cause": str} if element.find("cause") is not None else {}  # it is not always known
    return _object(element, "difference", "member", {"node": read, "catalogue": read, **cause})


WIRES: dict[str, Wire] = {"json": Json(), "xml": Xml()}


@dataclass(frozen=True)
class Answer:
    """The API's answer; `body` is a document, or the text of a plain-text refusal."""

    status: int
    headers: Mapping[str, str]
    body: Document

    @property
    def result(self) -> tuple[int, Document]:
        """Return the status and the whole body."""
        return self.status, self.body

    @property
    def message(self) -> str:
        """Return the message of an error's body, which must hold nothing else."""
        assert isinstance(self.body, dict), self.body
        assert list(self.body) == ["error"]
        assert list(self.body["error"]) == ["message"]
        return str(self.body["error"]["message"])


def read_answer(wire: Wire, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """Check what holds for all answers (contract, sections 1 and 2), and return the answer."""
    assert _REQUEST_ID.fullmatch(headers["X-Openstack-Request-Id"])
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert ("Allow" in headers) or status != 405
    if status == 204:
        assert content == b""
        return Answer(status, headers, None)
    if (text := content.decode()) in (NO_TOKEN, NO_ROLE):
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        return Answer(status, headers, text)
    assert headers["Content-Type"] == wire.content_type
    return Answer(status, headers, wire.read(content))


@dataclass(frozen=True)
class Api:
    """The API, for one caller in one format."""

    wire: Wire
    headers: Mapping[str, str]

    def having(self, headers: Mapping[str, str]) -> "Api":
        """Return a copy with more headers."""
        return replace(self, headers={**self.headers, **headers})

    def get(self, path: str) -> Answer:
        """Send a GET."""
        return self.send("GET", path)

    def post(self, path: str, **flavor: object) -> Answer:
        """Send a POST of a flavor."""
        return self.send("POST", path, self.wire.write({"flavor": flavor}))

    def put(self, path: str, **flavor: object) -> Answer:
        """Send a PUT of a flavor."""
        return self.send("PUT", path, self.wire.write({"flavor": flavor}))

    def delete(self, path: str) -> Answer:
        """Send a DELETE."""
        return self.send("DELETE", path)

    def send(self, method: str, path: str, body: bytes = b"", *, content_type: str | None = None) -> Answer:
        """Send any request and return its answer; a redirect is an answer, too."""
        response = Client().generic(
            method,
            path,
            body,
            content_type=(self.wire.media_type if content_type is None else content_type) if body else "",
            headers={"Accept": self.wire.media_type, **self.headers},
        )
        return read_answer(self.wire, response.status_code, response.headers, response.content)
