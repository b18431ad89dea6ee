"""Bodies that no operation may accept, and what the answer to each must say, for all operations that take a flavor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testing.wire import Answer, Api, Wire

JSON, XML = "application/json", "application/xml"
GOOD = {"name": "good", "vcpus": 1, "ram": 64, "disk": 0}
FORM = "application/x-www-form-urlencoded"
BIG = 5 * 1024 * 1024
DEEP = 100_000


@dataclass(frozen=True)
class Bad:
    """A body, its type, and the status and words of the answer."""

    body: bytes
    status: int
    words: tuple[str, ...]
    content_type: str


def _json(body: str | bytes, *words: str, status: int = 400, content_type: str = JSON) -> Bad:
    return Bad(body.encode() if isinstance(body, str) else body, status, words, content_type)


def _xml(body: str | bytes, *words: str, status: int = 400, content_type: str = XML) -> Bad:
    return Bad(body.encode() if isinstance(body, str) else body, status, words, content_type)


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))

RAW: dict[str, Bad] = {
    # JSON
    "JSON: half": _json('{"flavor": {"name": "x"', "JSON"),
    "JSON: none": _json("<flavor/>", "JSON"),
    "JSON: a list": _json("[]", "object"),
    "JSON: null": _json("null", "object"),
    "JSON: no wrapper": _json('{"name": "x", "vcpus": 1}', "flavor"),
    "JSON: another wrapper": _json('{"flavors": []}', "flavor"),
    "JSON: the wrapper holds text": _json('{"flavor": "x"}', "flavor", "object"),
    "JSON: twice the same": _json('{"flavor": {"ram": 1, "ram": 2}}', "ram", "twice"),
    "JSON: twice the wrapper": _json('{"flavor": {}, "flavor": {}}', "flavor", "twice"),
    "JSON: NaN": _json('{"flavor": {"ram": NaN}}', "NaN"),
    "JSON: infinity": _json('{"flavor": {"ram": 1e999}}', "1e999"),
    "JSON: 5,000 digits": _json(f'{{"flavor": {{"ram": {"9" * 5000}}}}}', "digits"),
    "JSON: deep lists": _json("[" * DEEP, "deep"),
    "JSON: deep objects": _json('{"flavor":' * DEEP, "deep"),
    "JSON: not UTF-8": _json(b'{"flavor": {"name": "\xff\xfe"}}', "UTF-8"),
    "JSON: UTF-16": _json('{"flavor": {}}'.encode("utf-16"), "UTF-8"),
    "JSON: raw control character": _json('{"flavor": {"name": "a\x01b"}}', "control character"),
    "JSON: 5 MB": _json(b'{"flavor": {"name": "' + b"x" * BIG + b'"}}', "large", status=413),
    "JSON: blanks": _json("   ", "JSON"),
    # XML
    "XML: half": _xml("<flavor><name>x</name>", "XML"),
    "XML: none": _xml('{"flavor": {}}', "XML"),
    "XML: another element": _xml("<flavors/>", "flavors"),
    "XML: an unknown element": _xml("<flavor><colour>red</colour></flavor>", "colour"),
    "XML: an unknown attribute": _xml('<flavor colour="red"/>', "colour"),
    "XML: twice the same": _xml("<flavor><ram>1</ram><ram>2</ram></flavor>", "ram", "twice"),
    "XML: twice an attribute": _xml('<flavor id="a" id="b"/>', "duplicate attribute"),
    "XML: an element in a name": _xml("<flavor><name><b>x</b></name></flavor>", "name", "text"),
    "XML: text between": _xml("<flavor>x<ram>1</ram></flavor>", "text"),
    "XML: a namespace": _xml('<flavor xmlns="urn:other"/>', "urn:other"),
    "XML: billion laughs": _xml(
        f'<!DOCTYPE flavor [<!ENTITY l0 "lol">{_LAUGHS}]><flavor><name>&l9;</name></flavor>', "DTD", "entity"
    ),
    "XML: external entity": _xml(
        '<!DOCTYPE flavor [<!ENTITY x SYSTEM "file:///etc/passwd">]><flavor><name>&x;</name></flavor>', "external"
    ),
    "XML: external parameter entity": _xml(
        '<!DOCTYPE flavor [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x">%x;]><flavor/>', "external"
    ),
    "XML: a DTD": _xml('<!DOCTYPE flavor SYSTEM "http://127.0.0.1:9/x.dtd"><flavor/>', "DTD"),
    "XML: an undeclared entity": _xml("<flavor><name>&unknown;</name></flavor>", "XML"),
    "XML: deep": _xml("<flavor>" * DEEP, "flavor"),
    "XML: deep in a name": _xml("<flavor><name>" + "<a>" * DEEP, "name"),
    "XML: not UTF-8": _xml(b"<flavor><name>\xff\xfe</name></flavor>", "XML"),
    "XML: an unknown encoding": _xml('<?xml version="1.0" encoding="klingon"?><flavor/>', "encoding"),
    "XML: control character": _xml("<flavor><name>a\x01b</name></flavor>", "XML"),
    "XML: control character, escaped": _xml("<flavor><name>a&#1;b</name></flavor>", "XML"),
    "XML: 5,000 digits": _xml(f"<flavor><ram>{'9' * 5000}</ram></flavor>", "digits"),
    "XML: 5 MB": _xml(b"<flavor><name>" + b"x" * BIG + b"</name></flavor>", "large", status=413),
    # Of neither type
    "a form": _json("name=x", FORM, status=415, content_type=FORM),
    "plain text": _json('{"flavor": {}}', "text/plain", status=415, content_type="text/plain"),
    "almost JSON": _json('{"flavor": {}}', "application/jsom", status=415, content_type="application/jsom"),
    "multipart": _json("--x--", "multipart/form-data", status=415, content_type="multipart/form-data; boundary=x"),
    "no type": _json('{"flavor": {}}', "Content-Type", status=415, content_type=""),
}

# One of each kind, for operations that read bodies as others do. The parsers' tests, and those of one operation, cover
# the rest.
SOME: dict[str, Bad] = {
    name: RAW[name]
    for name in (
        "JSON: half",
        "JSON: a list",
        "JSON: another wrapper",
        "JSON: twice the same",
        "JSON: 5 MB",
        "XML: half",
        "XML: another element",
        "XML: an unknown element",
        "XML: an unknown attribute",
        "XML: billion laughs",
        "XML: 5 MB",
        "a form",
        "no type",
    )
}

# Both ends of each member's range, and another type; the fields' own tests cover the rest.
VALUES: list[tuple[str, Any]] = [
    *((member, value) for member in ("vcpus", "ram", "disk", "swap") for value in ("many", -1, 2**31)),
    ("vcpus", 0),
    ("ram", 0),
    ("disk", 1.5),
    ("swap", ""),
    *(("name", value) for value in ("", "x" * 256, " x", "a\nb", "a\N{ZERO WIDTH SPACE}b")),
]
# XML cannot write these.
JSON_VALUES: list[tuple[str, Any]] = [
    ("vcpus", "1"),
    ("vcpus", True),
    ("ram", None),
    ("disk", {}),
    ("swap", [1]),
    ("name", 2024),
    ("name", None),
    ("name", "a\0b"),
    ("name", "\ud800"),
    *(("id", value) for value in ("", "x" * 256, " x", "a/b", "ünï", "a\nb", 7)),
]


def not_refused(api: Api, method: str, path: str, bodies: Mapping[str, Bad]) -> dict[str, Answer]:
    """Send unreadable bodies, and return the answers that do not say so in the requested format."""
    answers = {name: api.send(method, path, bad.body, content_type=bad.content_type) for name, bad in bodies.items()}
    return {name: answer for name, answer in answers.items() if not _says(answer, bodies[name])}


def not_named(api: Api, method: str, path: str, values: Iterable[tuple[str, Any]], wire: Wire) -> list[Any]:
    """Send flavors with one wrong value each, and return the answers that do not begin with the member's name."""
    answers = [
        (member, value, api.send(method, path, written(wire, member, value), content_type=wire.media_type))
        for member, value in values
    ]
    return [
        (member, value, answer)
        for member, value, answer in answers
        if answer.status != 400 or not answer.message.startswith((f"{member}: must ", f"{member}: may "))
    ]


def missed(api: Api, path: str) -> dict[str, Any]:
    """Send creations that lack one member each, and return the answers."""
    return {
        member: api.send(
            "POST", path, api.wire.write({"flavor": {k: v for k, v in GOOD.items() if k != member}})
        ).result
        for member in GOOD
    }


IS_MISSED = {member: (400, {"error": {"message": f"{member}: is required"}}) for member in GOOD}


def _says(answer: Answer, bad: Bad) -> bool:
    return (
        answer.status == bad.status and all(word in answer.message for word in bad.words) and len(answer.message) < 400
    )


def written(wire: Wire, member: str, value: Any) -> bytes:
    """Return a flavor with one wrong member."""
    return wire.write({"flavor": {**GOOD, member: value}})
