"""The response's format is what Accept asks for, JSON when in doubt; the request's, its Content-Type."""

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from flavorsync_project.api.negotiation import preferred_type

pytestmark = pytest.mark.urls("flavorsync_project.api.tests.site")

JSON = "application/json"
XML = "application/xml; charset=utf-8"
TEXT_XML = "text/xml; charset=utf-8"

ACCEPT = [
    (None, JSON),
    ("", JSON),
    ("*/*", JSON),
    ("*", JSON),
    ("application/json", JSON),
    ("application/xml", XML),
    ("text/xml", TEXT_XML),
    ("APPLICATION/XML", XML),
    ("application/*", JSON),
    ("text/*", TEXT_XML),
    ("application/jsom", JSON),
    ("text/html", JSON),
    ("image/png, text/html;q=0.5", JSON),
    ("application/xml;charset=utf-8", XML),
    ("application/xml; charset=UTF-8; q=0.9", XML),
    ("text/xml, application/xml", TEXT_XML),
    ("application/xml, application/json", XML),
    ("application/json;q=0.2, application/xml;q=0.8", XML),
    ("application/xml;q=0.2, application/json;q=0.8", JSON),
    ("text/html, application/xml;q=0.9, */*;q=0.8", XML),
    ("application/json;q=0, */*", XML),
    ("application/xml;q=0, text/xml;q=0", JSON),
    ("application/json;q=0", JSON),
    ("application/xml;q=0, application/*;q=0.5", JSON),
    ("application/xml;q=nonsense", XML),
    ("application/xml;q=nan", JSON),
    (";;;,,,/,=", JSON),
    ("application/xml;x*=bogus''abc", JSON),
    ("application/xml;x*=bogus''abc, text/xml", TEXT_XML),
    ("a/b," * 2000, JSON),
]


@pytest.mark.parametrize(("accept", "expected"), ACCEPT)
def test_the_format_of_answers_and_of_errors(accept: str | None, expected: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    for path, status in (("/v1/echo", 200), ("/v1/raises/api-404", 404), ("/v1/nowhere", 404)):
        response = Client().get(path, headers=headers)
        assert response.status_code == status
        assert response["Content-Type"] == expected
        assert "Accept" in response["Vary"]
        assert response.content.startswith(b"{" if expected == JSON else b'<?xml version="1.0" encoding="UTF-8"?>\n<')


@given(st.text(st.characters(codec="latin-1")))
def test_no_header_is_too_odd(accept: str) -> None:
    assert preferred_type(accept, [JSON, "text/xml"]) in {JSON, "text/xml"}


def test_a_format_in_the_query_has_no_say() -> None:
    assert Client().get("/v1/echo?format=xml")["Content-Type"] == JSON
    assert Client().get("/v1/echo?format=nonsense").status_code == 200


FLAVOR_JSON = '{"flavor": {"name": "tiny", "vcpus": 1}}'
FLAVOR_XML = "<flavor><name>tiny</name><vcpus>1</vcpus></flavor>"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", FLAVOR_JSON),
        ("application/json; charset=utf-8", FLAVOR_JSON),
        ("Application/JSON;version=1", FLAVOR_JSON),
        ("application/json; charset=utf-16", FLAVOR_JSON),
        ("application/xml", FLAVOR_XML),
        ("application/xml;charset=UTF-8", FLAVOR_XML),
        ("TEXT/XML; charset=utf-8", FLAVOR_XML),
    ],
)
def test_a_body_is_read_by_its_media_type_whatever_its_parameters(content_type: str, body: str) -> None:
    headers = {"Accept": "application/json"}
    response = Client().generic("POST", "/v1/echo?limit=%C3%A9", body, content_type, headers=headers)
    assert (response.status_code, response.json()) == (201, {"flavor": {"name": "tiny", "vcpus": 1}})


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json; charset=utf-8", FLAVOR_JSON, JSON),
        ("application/xml", FLAVOR_XML, XML),
        ("Application/XML; charset=UTF-8", FLAVOR_XML, XML),
        ("text/xml", FLAVOR_XML, TEXT_XML),
        ("application/xml", "<flavor>", XML),
        ("text/xml", "no XML", TEXT_XML),
        ("text/plain", "tiny", JSON),
        ("application/xml", "", JSON),
    ],
)
def test_where_nothing_is_preferred_the_answer_is_as_the_body(content_type: str, body: str, expected: str) -> None:
    client = Client()
    for accept in (None, "", " ", "*/*", "*/*;q=0.1", "text/html, */*;q=0.8"):
        headers = {} if accept is None else {"Accept": accept}
        for path in ("/v1/echo", "/v1/nowhere", "/v1/protected"):
            response = client.generic("POST", path, body, content_type, headers=headers)
            assert response["Content-Type"] == expected, (accept, path, response.status_code)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", JSON),
        ("application/jsom", JSON),
        ("text/html", JSON),
        ("application/json, */*;q=0.5", JSON),
        ("application/*", XML),
        ("application/xml;q=0, */*", JSON),
    ],
)
def test_what_is_preferred_or_cannot_be_had_goes_before_the_body(accept: str, expected: str) -> None:
    headers = {"Accept": accept}
    response = Client().generic("POST", "/v1/echo", FLAVOR_XML, "application/xml", headers=headers)
    assert (response.status_code, response["Content-Type"]) == (201, expected)


def test_a_chunked_body_is_one_whose_type_counts() -> None:
    """WSGI shows none of it, and so it is refused: in its own format."""
    response = Client().post(
        "/v1/echo", content_type="application/xml", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=""
    )
    assert response["Content-Type"] == XML


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("text/plain", 'The Content-Type "text/plain" is not supported'),
        ("application/x-www-form-urlencoded", 'The Content-Type "application/x-www-form-urlencoded" is not supported'),
        ("multipart/form-data; boundary=x", 'The Content-Type "multipart/form-data; boundary=x" is not supported'),
        ("application/jsonx", 'The Content-Type "application/jsonx" is not supported'),
        ("application/vnd.api+json", 'The Content-Type "application/vnd.api+json" is not supported'),
        ("*/*", 'The Content-Type "*/*" is not supported'),
        ("", "The body has no Content-Type"),
    ],
)
def test_a_body_of_another_type_or_none_is_415(content_type: str, says: str) -> None:
    response = Client().generic("POST", "/v1/echo", FLAVOR_JSON, content_type)
    assert response.status_code == 415
    message = response.json()["error"]["message"]
    assert message == f"{says}: it must be application/json, application/xml or text/xml"


def test_a_body_without_the_header_is_415() -> None:
    response = Client().post("/v1/echo", data=FLAVOR_JSON, content_type="application/json", CONTENT_TYPE="")
    assert response.status_code == 415
    assert "no Content-Type" in response.json()["error"]["message"]
