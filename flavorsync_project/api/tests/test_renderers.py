"""Documents are rendered as the contract's examples have them, whatever characters they hold."""

import io
import json
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flavorsync_project.api.parsers import JSONParser, XMLParser
from flavorsync_project.api.renderers import JSONRenderer, TextXMLRenderer, XMLRenderer

FLAVOR = {
    "id": "567b200e-0aca-49e0-8e9a-8c1f6ad3abe2",
    "name": "insane",
    "vcpus": 640,
    "ram": 1232896,
    "disk": 1262485504,
    "swap": 0,
    "promoted": False,
    "public": True,
    "nodes": ["Mordor", "Spain2"],
}
FLAVOR_LINES = """\
<flavor id="567b200e-0aca-49e0-8e9a-8c1f6ad3abe2">
  <name>insane</name>
  <vcpus>640</vcpus>
  <ram>1232896</ram>
  <disk>1262485504</disk>
  <swap>0</swap>
  <promoted>false</promoted>
  <public>true</public>
  <node>Mordor</node>
  <node>Spain2</node>
</flavor>
"""
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

DOCUMENTS = [
    ({"flavor": FLAVOR}, FLAVOR_LINES),
    ({"flavor": {"name": "x", "nodes": []}}, "<flavor>\n  <name>x</name>\n</flavor>\n"),
    ({"flavors": []}, "<flavors>\n</flavors>\n"),
    (
        {"flavors": [{"id": "1"}, {"id": "2"}], "flavors_links": [{"rel": "next", "href": "http://x/"}]},
        '<flavors>\n  <flavor id="1">\n  </flavor>\n  <flavor id="2">\n  </flavor>\n</flavors>\n',
    ),
    ({"infrastructure": {"name": "Mordor"}}, "<infrastructure>\n  <name>Mordor</name>\n</infrastructure>\n"),
    (
        {"Infrastructures": [{"id": "Spain2", "name": "Spain2"}]},
        (
            '<infrastructures>\n  <infrastructure id="Spain2">\n    <name>Spain2</name>\n  </infrastructure>\n'
            "</infrastructures>\n"
        ),
    ),
    (
        {"error": {"message": "The flavor 42 does not exist"}},
        "<error>\n  <message>The flavor 42 does not exist</message>\n</error>\n",
    ),
    (
        {"run": {"id": "7", "state": "running", "dry_run": False, "finished_at": None, "flavors": ["a", "b"]}},
        (
            '<run id="7">\n  <state>running</state>\n  <dry_run>false</dry_run>\n'
            "  <flavor>a</flavor>\n  <flavor>b</flavor>\n</run>\n"
        ),
    ),
    ({"runs": [{"id": "7"}]}, '<runs>\n  <run id="7">\n  </run>\n</runs>\n'),
    ({"run": {"progress": {"nodes": 3}}}, "<run>\n  <progress>\n    <nodes>3</nodes>\n  </progress>\n</run>\n"),
    (
        {
            "status": {
                "nodes": [
                    {
                        "name": "a&b",
                        "outcomes": [
                            {
                                "id": "x",
                                "differences": [
                                    {"member": "is_public", "node": True, "catalogue": False},
                                    {"member": "rxtx_factor", "node": 1.5, "catalogue": 2},
                                    {"member": "extra_specs.<", "node": None, "catalogue": "a\nb"},
                                ],
                            }
                        ],
                    }
                ]
            }
        },
        (
            '<status>\n  <node name="a&amp;b">\n    <outcome id="x">\n'
            '      <difference member="is_public">\n'
            "        <node>true</node>\n        <catalogue>false</catalogue>\n      </difference>\n"
            '      <difference member="rxtx_factor">\n'
            "        <node>1.5</node>\n        <catalogue>2</catalogue>\n      </difference>\n"
            '      <difference member="extra_specs.&lt;">\n'
            "        <catalogue>a\nb</catalogue>\n      </difference>\n"
            "    </outcome>\n  </node>\n</status>\n"
        ),
    ),
    (
        {"collections": [{"name": "flavors", "links": [{"rel": "self", "href": "http://h/v1/flavors?a=1&b=2"}]}]},
        (
            '<collections>\n  <collection name="flavors">\n'
            '    <link rel="self" href="http://h/v1/flavors?a=1&amp;b=2"/>\n  </collection>\n</collections>\n'
        ),
    ),
]


@pytest.mark.parametrize(("document", "lines"), DOCUMENTS)
@pytest.mark.parametrize("renderer", [XMLRenderer, TextXMLRenderer])
def test_each_document_in_xml(renderer: type[XMLRenderer], document: dict[str, Any], lines: str) -> None:
    assert renderer().render(document) == DECLARATION + lines


def test_the_order_is_the_contracts_whatever_the_objects() -> None:
    shuffled = dict(reversed(FLAVOR.items()))
    assert XMLRenderer().render({"flavor": shuffled}) == DECLARATION + FLAVOR_LINES


@pytest.mark.parametrize("renderer", [JSONRenderer, XMLRenderer, TextXMLRenderer])
def test_nothing_is_nothing(renderer: type[JSONRenderer | XMLRenderer]) -> None:
    assert not renderer().render(None)


@pytest.mark.parametrize("document", [{"openapi": "3.0.3"}, {}, {"detail": "x"}])
def test_no_other_document_is_guessed_at(document: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="No XML is defined for a document of"):
        XMLRenderer().render(document)


UNWRITABLE = "\x00\x07\x0b\x1f\ud800\udfff\ufffe\uffff"


def test_what_xml_cannot_carry_is_replaced() -> None:
    document = {"flavor": {"id": UNWRITABLE, "name": UNWRITABLE, "nodes": [UNWRITABLE]}}
    root = fromstring(XMLRenderer().render(document).encode())
    replaced = "\ufffd" * len(UNWRITABLE)
    assert root.attrib == {"id": replaced}
    assert [child.text for child in root] == [replaced, replaced]


def test_what_utf_8_cannot_carry_is_replaced_in_json() -> None:
    body = JSONRenderer().render({"error": {"message": "a\ud800é\x00"}})
    assert json.loads(body) == {"error": {"message": "a\ufffdé\x00"}}


def test_json_is_utf_8_without_escapes_and_ends_as_a_line() -> None:
    assert JSONRenderer().render({"error": {"message": "café 🎈"}}) == '{"error":{"message":"café 🎈"}}\n'.encode()
    assert JSONRenderer().render({"error": {"message": "\ud800"}}).endswith(b"}\n")
    assert JSONRenderer().render(None) == b""


# Everything that XML 1.0 can carry
_TEXT = st.text(
    st.one_of(
        st.sampled_from("\t\n\r &<>\"']]>\x85\u2028\ufffd"),
        st.characters(exclude_categories=["Cs"], min_codepoint=0x20).filter(lambda c: c not in "\ufffe\uffff"),
    )
)
_INTEGER = st.integers(-(2**63), 2**63)
_FLAVORS = st.fixed_dictionaries(
    {},
    optional={
        "id": _TEXT,
        "name": _TEXT,
        "vcpus": _INTEGER,
        "ram": _INTEGER,
        "disk": _INTEGER,
        "swap": _INTEGER,
        "promoted": st.booleans(),
        "public": st.booleans(),
        "nodes": st.lists(_TEXT, min_size=1),
    },
)
_INFRASTRUCTURES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "id",
            "name",
            "nova_url",
            "keystone_url",
            "username",
            "password",
            "tenant",
            "region",
            "user_domain",
            "project_domain",
        ),
        _TEXT,
    ),
)
_REQUESTS = st.one_of(
    st.fixed_dictionaries({"flavor": _FLAVORS}), st.fixed_dictionaries({"infrastructure": _INFRASTRUCTURES})
)


@given(_REQUESTS)
def test_what_is_written_in_xml_is_read_back_the_same(document: dict[str, Any]) -> None:
    body = XMLRenderer().render(document).encode()
    read = XMLParser().parse(io.BytesIO(body), "application/xml")
    assert read == document
    # 1 == True, and so on
    assert [type(value) for _, value in sorted(next(iter(read.values())).items())] == [
        type(value) for _, value in sorted(next(iter(document.values())).items())
    ]


@given(_REQUESTS)
def test_what_is_written_in_json_is_read_back_the_same(document: dict[str, Any]) -> None:
    assert JSONParser().parse(io.BytesIO(JSONRenderer().render(document)), "application/json") == document


@given(st.text(st.characters()))
def test_any_text_makes_well_formed_xml(text: str) -> None:
    document = {"flavors": [{"id": text, "name": text, "nodes": [text]}]}
    fromstring(XMLRenderer().render(document).encode())
    assert json.loads(JSONRenderer().render(document))


def test_a_thousand_flavors_have_all_their_nodes() -> None:
    flavor = {**FLAVOR, "nodes": [f"Node{n}" for n in range(20)]}
    rendered = XMLRenderer().render({"flavors": [flavor] * 1000})
    assert rendered.count("<node>") == 20_000
