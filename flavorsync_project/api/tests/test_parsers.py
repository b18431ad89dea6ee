"""Bodies that are not as they should be are refused with a 4xx that names the trouble, and never break anything."""

import encodings.aliases
import io
import itertools
import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import APIException, ParseError

from flavorsync_project.api.parsers import JSONParser, TextXMLParser, XMLParser

pytestmark = pytest.mark.urls("flavorsync_project.api.tests.site")

JSON = "application/json"
XML = "application/xml"


def parse_json(body: str | bytes) -> dict[str, Any]:
    return JSONParser().parse(io.BytesIO(body.encode() if isinstance(body, str) else body), JSON)


def parse_xml(body: str | bytes, media_type: str = XML) -> dict[str, Any]:
    return XMLParser().parse(io.BytesIO(body.encode() if isinstance(body, str) else body), media_type)


BILLION_LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]><flavor><name>&lol9;</name></flavor>"
)
EXTERNAL = '<!DOCTYPE flavor [<!ENTITY x SYSTEM "file:///etc/passwd">]><flavor><name>&x;</name></flavor>'
NO_DTD = "must not contain a DTD"
ENCODING = "in an encoding that is not supported: use UTF-8"

# (what it is, media type, body, what the message must say)
REFUSED: list[tuple[str, str, str | bytes, str]] = [
    ("cut off", JSON, '{"flavor": {"name"', "not valid JSON: Expecting ':' delimiter"),
    ("blank", JSON, "  \n", "not valid JSON: Expecting value"),
    ("two documents", JSON, '{"flavor": {}}{}', "not valid JSON: Extra data"),
    ("no object but a list", JSON, "[]", "must be a JSON object"),
    ("no object but a string", JSON, '"flavor"', "must be a JSON object"),
    ("no object but null", JSON, "null", "must be a JSON object"),
    ("a raw control character", JSON, '{"flavor": {"name": "a\x07"}}', "Invalid control character"),
    ("invalid UTF-8", JSON, b'{"flavor": {"name": "\xff"}}', "not valid UTF-8 at byte 21"),
    ("UTF-16", JSON, '{"flavor": {}}'.encode("utf-16"), "not valid UTF-8 at byte 0"),
    ("a surrogate in UTF-8", JSON, b'{"flavor": {"name": "\xed\xa0\x80"}}', "not valid UTF-8"),
    ("NaN", JSON, '{"flavor": {"vcpus": NaN}}', "NaN is not a JSON value"),
    ("Infinity", JSON, '{"flavor": {"vcpus": Infinity}}', "Infinity is not a JSON value"),
    ("-Infinity", JSON, '{"flavor": {"vcpus": -Infinity}}', "-Infinity is not a JSON value"),
    ("a fraction without end", JSON, '{"flavor": {"vcpus": 1e999}}', "the number 1e999, which is too large"),
    ("5,000 digits", JSON, '{"flavor": {"vcpus": %s}}' % ("9" * 5000), "a number of more than 100 digits"),
    ("a name twice", JSON, '{"flavor": {"name": "a", "name": "b"}}', 'the member "name" appears twice'),
    ("the root twice", JSON, '{"flavor": {}, "flavor": {}}', 'the member "flavor" appears twice'),
    ("an odd name twice", JSON, r'{"\ud800": 1, "\ud800": 2}', "appears twice"),
    ("deep lists", JSON, '{"flavor": ' + "[" * 100_000, "nested too deeply"),
    ("deep objects", JSON, '{"flavor":' * 100_000, "nested too deeply"),
    ("deep and closed", JSON, '{"flavor": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
    ("blank", XML, "  \n", "not well-formed XML: no element found"),
    ("no XML", XML, '{"flavor": {}}', "not well-formed XML: not well-formed (invalid token)"),
    ("cut off", XML, "<flavor><name>", "not well-formed XML: no element found"),
    ("crossed", XML, "<flavor><name></flavor></name>", "not well-formed XML: mismatched tag"),
    ("two documents", XML, "<flavor/><flavor/>", "not well-formed XML: junk after document element"),
    ("a DTD", XML, "<!DOCTYPE flavor><flavor/>", NO_DTD),
    ("a DTD elsewhere", XML, '<!DOCTYPE flavor SYSTEM "http://127.0.0.1/x.dtd"><flavor/>', NO_DTD),
    ("billion laughs", XML, BILLION_LAUGHS, NO_DTD),
    ("an external entity", XML, EXTERNAL, NO_DTD),
    ("a parameter entity", XML, '<!DOCTYPE f [<!ENTITY % x SYSTEM "file:///x"> %x;]><flavor/>', NO_DTD),
    ("a DTD in UTF-16", XML, BILLION_LAUGHS.encode("utf-16"), NO_DTD),
    ("an undefined entity", XML, "<flavor><name>&x;</name></flavor>", "undefined entity"),
    ("invalid UTF-8", XML, b"<flavor><name>\xff</name></flavor>", "not well-formed (invalid token)"),
    ("a control character", XML, "<flavor><name>a\x07</name></flavor>", "not well-formed (invalid token)"),
    ("a control character referred to", XML, "<flavor><name>&#7;</name></flavor>", "reference to invalid character"),
    ("a surrogate referred to", XML, "<flavor><name>&#xD800;</name></flavor>", "reference to invalid character"),
    ("an unknown encoding", XML, '<?xml version="1.0" encoding="martian"?><flavor/>', ENCODING),
    ("no text encoding", XML, '<?xml version="1.0" encoding="bz2_codec"?><flavor/>', ENCODING),
    ("UTF-7", XML, '<?xml version="1.0" encoding="utf-7"?>+ADw-flavor/+AD4-', ENCODING),
    ("UTF-16 declared, UTF-8 sent", XML, '<?xml version="1.0" encoding="utf-16"?><flavor/>', "not well-formed XML"),
    (
        "UTF-8 declared, UTF-16 sent",
        XML,
        '<?xml version="1.0" encoding="utf-8"?><flavor/>'.encode("utf-16-le"),
        "not well-formed XML: encoding specified in XML declaration is incorrect",
    ),
    ("a charset nobody knows", "text/xml; charset=martian", "<flavor/>", ENCODING),
    ("another root", XML, "<server/>", "must be <flavor> or <infrastructure> or <run>, not <server>"),
    ("a list", XML, "<flavors><flavor/></flavors>", "must be <flavor> or <infrastructure> or <run>, not <flavors>"),
    ("a root in a namespace", XML, '<flavor xmlns="urn:x"/>', "not <{urn:x}flavor>"),
    ("an unknown element", XML, "<flavor><colour>red</colour></flavor>", "<flavor> has no element <colour>"),
    ("another's element", XML, "<infrastructure><vcpus>1</vcpus></infrastructure>", "has no element <vcpus>"),
    ("an element in a namespace", XML, '<flavor><x:name xmlns:x="urn:x"/></flavor>', "no element <{urn:x}name>"),
    ("an element twice", XML, "<flavor><ram>1</ram><ram>2</ram></flavor>", "<flavor> holds the element <ram> twice"),
    ("an element in a value", XML, "<flavor><name>a<b/></name></flavor>", "<name> must hold only text, not the"),
    ("a node in nodes", XML, "<flavor><nodes><node>a</node></nodes></flavor>", "has no element <nodes>"),
    ("the id as an element", XML, "<flavor><id>1</id></flavor>", "<flavor> has no element <id>"),
    ("an unknown attribute", XML, '<flavor href="x"/>', "<flavor> has no attribute href"),
    ("an attribute of a value", XML, '<flavor><ram unit="MB">1</ram></flavor>', "<ram> has no attribute unit"),
    ("an attribute in a namespace", XML, '<flavor xml:lang="en"/>', "<flavor> has no attribute {"),
    ("stray text", XML, "<flavor>tiny<ram>1</ram></flavor>", "<flavor> must hold only elements, not text"),
    ("text after an element", XML, "<flavor><ram>1</ram>tiny</flavor>", "<flavor> must hold only elements, not text"),
    ("deep elements", XML, "<flavor>" * 100_000, "<flavor> has no element <flavor>"),
    ("5,000 digits", XML, f"<flavor><ram>{'9' * 5000}</ram></flavor>", "a number of more than 100 digits"),
    # what the serializer refuses, of either format
    ("no root member", JSON, "{}", 'an object with the member "flavor"'),
    ("another root member", JSON, '{"flavour": {"name": "x"}}', 'an object with the member "flavor"'),
    ("not wrapped", JSON, '{"name": "tiny", "vcpus": 1}', 'an object with the member "flavor"'),
    ("a list in the root", JSON, '{"flavor": []}', 'an object with the member "flavor", itself an object'),
    ("null in the root", JSON, '{"flavor": null}', 'an object with the member "flavor", itself an object'),
    ("another root", XML, "<infrastructure><name>x</name></infrastructure>", 'the member "flavor"'),
    (
        "text for a number",
        XML,
        "<flavor><name>x</name><vcpus>two</vcpus></flavor>",
        'vcpus: must be an integer, not "two"',
    ),
    ("no number", XML, "<flavor><name>x</name><vcpus/></flavor>", 'vcpus: must be an integer, not ""'),
    ("a huge number", JSON, '{"flavor": {"name": "x", "vcpus": %s}}' % ("9" * 99), "vcpus: must be at most 2147483647"),
    (
        "a lone surrogate",
        JSON,
        r'{"flavor": {"name": "\ud800", "vcpus": 1}}',
        "name: must not hold the character U+D800",
    ),
    ("NUL", JSON, r'{"flavor": {"name": "a\u0000", "vcpus": 1}}', "name: must not hold the character U+0000"),
]


@pytest.mark.parametrize(
    ("content_type", "body", "says"), [row[1:] for row in REFUSED], ids=[f"{row[1]}-{row[0]}" for row in REFUSED]
)
def test_it_is_refused_with_400_and_the_reason_in_the_format_asked_for(
    content_type: str, body: str | bytes, says: str
) -> None:
    client = Client()
    response = client.generic("POST", "/v1/echo", body, content_type, headers={"Accept": JSON})
    assert (response.status_code, response["Content-Type"]) == (400, JSON)
    document = response.json()
    assert list(document) == ["error"]
    assert says in document["error"]["message"]
    assert len(document["error"]["message"]) < 300
    for accept in (XML, "text/xml"):
        response = client.generic("POST", "/v1/echo", body, content_type, headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (400, f"{accept}; charset=utf-8")
        assert says in _error_message(response.content)


def _error_message(document: bytes) -> str:
    text = document.decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>')
    escaped = text.partition("<message>")[2].partition("</message>")[0]
    return escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("content_type", ["", JSON, XML, "text/plain", "application/x-www-form-urlencoded"])
def test_an_empty_body_is_400(method: str, content_type: str) -> None:
    response = Client().generic(method, "/v1/echo", b"", content_type)
    assert response.status_code == 400
    assert response.json() == {"error": {"message": "The request has no body"}}


@pytest.mark.parametrize("parser", [JSONParser, XMLParser])
def test_an_empty_body_is_refused_by_the_parsers_too(parser: type[JSONParser | XMLParser]) -> None:
    with pytest.raises(ParseError, match="The request has no body"):
        parser().parse(io.BytesIO(b""), parser.media_type)


def test_a_chunked_body_is_411() -> None:
    """WSGI shows no body without a length; to say there was none would be misleading."""
    response = Client().generic("POST", "/v1/echo", b"", JSON, headers={"Transfer-Encoding": "chunked"})
    assert response.status_code == 411
    assert "Content-Length" in response.json()["error"]["message"]


@pytest.mark.parametrize("content_type", [JSON, XML])
def test_a_body_of_5_mb_is_413(content_type: str) -> None:
    headers = {"Accept": JSON}
    response = Client().generic("POST", "/v1/echo", b" " * 5_000_000, content_type, headers=headers)
    assert response.status_code == 413
    assert response.json() == {"error": {"message": "The body is too large."}}


def test_a_body_of_just_the_greatest_size_is_read(settings: Any) -> None:
    body = b'{"flavor": {"name": "tiny", "vcpus": 1}}'
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = len(body)
    assert Client().generic("POST", "/v1/echo", body, JSON).status_code == 201
    assert Client().generic("POST", "/v1/echo", body + b" ", JSON).status_code == 413


def test_a_password_is_not_repeated_to_who_sent_it_wrong() -> None:
    body = json.dumps({"infrastructure": {"name": "Mordor", "password": 5317}})
    response = Client().generic("PUT", "/v1/echo", body, JSON)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "password: must be a string, not an integer"


# What is accepted


def test_json_is_read_as_it_is() -> None:
    body = '{"flavor": {"name": "2024", "vcpus": 1, "ram": 2.5, "x": [null, true, {}]}, "other": -0}'
    assert parse_json(body) == {
        "flavor": {"name": "2024", "vcpus": 1, "ram": 2.5, "x": [None, True, {}]},
        "other": 0,
    }


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_json(b'\xef\xbb\xbf{"flavor": {}}') == {"flavor": {}}
    assert parse_xml(b"\xef\xbb\xbf<flavor/>") == {"flavor": {}}


FLAVOR_XML = """<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<flavor id="567b200e">
  <name>insane</name>
  <vcpus>640</vcpus>
  <ram> 1232896
  </ram>
  <disk>+12</disk>
  <swap>-0</swap>
  <promoted>false</promoted>
  <public> 1 </public>
  <node>Mordor</node>
  <node>Spain2</node>
</flavor>"""


def test_a_flavor_in_xml_is_the_document_that_json_has() -> None:
    assert parse_xml(FLAVOR_XML) == {
        "flavor": {
            "id": "567b200e",
            "name": "insane",
            "vcpus": 640,
            "ram": 1232896,
            "disk": 12,
            "swap": 0,
            "promoted": False,
            "public": True,
            "nodes": ["Mordor", "Spain2"],
        }
    }


@pytest.mark.parametrize("space", [" ", "\n", "\r\n\t  "])
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_white_space_before_the_declaration_is_skipped(space: str, encoding: str) -> None:
    body = f'{space}<?xml version="1.0" encoding="{encoding}"?>\n<flavor><name>ñandú</name></flavor>\n'
    assert parse_xml(body.encode(encoding)) == {"flavor": {"name": "ñandú"}}


def test_values_keep_the_types_of_the_vocabulary() -> None:
    flavor = parse_xml("<flavor><vcpus>1</vcpus><public>1</public><promoted>0</promoted><name>1</name></flavor>")[
        "flavor"
    ]
    assert flavor["vcpus"] == 1
    assert type(flavor["vcpus"]) is int
    assert flavor["public"] is True
    assert flavor["promoted"] is False
    assert flavor["name"] == "1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("2024", "2024"),
        ("true", "true"),
        (" spaced ", " spaced "),
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("<![CDATA[a & b]]>", "a & b"),
        ("a<!-- c -->b", "ab"),
        ("a<?pi?>b", "ab"),
        ("&#233;", "é"),
        ("2024-01-01 00:00:00", "2024-01-01 00:00:00"),
        ("", ""),
    ],
)
def test_a_name_is_kept_as_it_is_written(name: str, value: str) -> None:
    assert parse_xml(f"<flavor><name>{name}</name></flavor>") == {"flavor": {"name": value}}


@pytest.mark.parametrize(
    "text", ["", " ", "one", "1.5", "1e3", "0x10", "1_0", "\u0661", "1\u00a0", "+-1", "1 2", "true"]
)
def test_what_is_no_integer_stays_text_for_the_serializer_to_refuse(text: str) -> None:
    assert parse_xml(f"<flavor><vcpus>{text}</vcpus></flavor>") == {"flavor": {"vcpus": text}}


@pytest.mark.parametrize("text", ["", "True", "FALSE", "yes", "2", "-1", "true false", "\u00a0true"])
def test_what_is_no_boolean_stays_text_for_the_serializer_to_refuse(text: str) -> None:
    assert parse_xml(f"<flavor><public>{text}</public></flavor>") == {"flavor": {"public": text}}


def test_nodes_are_there_only_when_a_node_is() -> None:
    assert parse_xml("<flavor/>") == {"flavor": {}}
    assert parse_xml("<flavor><node/></flavor>") == {"flavor": {"nodes": [""]}}
    assert parse_xml("<flavor><node>b</node><ram>1</ram><node>a</node></flavor>") == {
        "flavor": {"nodes": ["b", "a"], "ram": 1}
    }


def test_an_infrastructure_in_xml() -> None:
    body = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
    <infrastructure><tenant>t</tenant><name>Mordor</name><password>12345</password></infrastructure>"""
    assert parse_xml(body) == {"infrastructure": {"tenant": "t", "name": "Mordor", "password": "12345"}}


def test_a_run_in_xml() -> None:
    body = (
        "<run><node>Mordor</node><dry_run>true</dry_run><flavor>tiny</flavor><exact>0</exact><node>Rohan</node></run>"
    )
    assert parse_xml(body) == {
        "run": {"nodes": ["Mordor", "Rohan"], "flavors": ["tiny"], "dry_run": True, "exact": False}
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_an_encoding_that_the_document_declares_is_honoured(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><flavor><name>caf\u00e9</name></flavor>'
    assert parse_xml(text.encode(encoding)) == {"flavor": {"name": "café"}}


def test_the_charset_of_the_content_type_goes_before_the_declared_one() -> None:
    body = '<?xml version="1.0" encoding="utf-8"?><flavor><name>café</name></flavor>'.encode("iso-8859-1")
    assert parse_xml(body, "application/xml; charset=iso-8859-1") == {"flavor": {"name": "café"}}


def test_text_xml_is_the_same() -> None:
    assert TextXMLParser.media_type == "text/xml"
    assert TextXMLParser().parse(io.BytesIO(FLAVOR_XML.encode()), "text/xml") == parse_xml(FLAVOR_XML)


# Whatever comes


@given(st.binary())
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    for parse in (parse_json, parse_xml):
        try:
            document = parse(body)
        except APIException as error:
            assert error.status_code == 400  # noqa: PT017 — an answer is as good
        else:
            assert isinstance(document, dict)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_declared_encoding_raises_anything_but_a_refusal() -> None:
    for encoding, declared in itertools.product(
        {*encodings.aliases.aliases.values(), "idna", "punycode", "undefined", "mbcs"}, (XML, XML + "; charset={}")
    ):
        body = f'<?xml version="1.0" encoding="{encoding}"?><flavor><name>\xe9</name></flavor>'
        try:
            document = parse_xml(body, declared.format(encoding))
        except ParseError as error:
            assert "The body is" in str(error)  # noqa: PT017 — an answer is as good
        else:
            assert list(document) == ["flavor"]
