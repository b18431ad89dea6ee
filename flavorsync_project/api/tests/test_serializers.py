"""Fields take their JSON type and nothing that looks like it, and say what is wrong."""

from typing import Any

import pytest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flavorsync_project.api.serializers import (
    ErrorDocument,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    wrapped,
)
from flavorsync_project.api.tests.site import FlavorSerializer
from infrastructures.fields import FlavorIdField, NameField, NodesField
from infrastructures.openstack.rules import MAX_INTEGER

VCPUS = StrictIntegerField(min_value=1, max_value=MAX_INTEGER)


def problem(field: serializers.Field[Any, Any, Any, Any], value: object) -> Any:
    """What a field has against a value, None if nothing."""
    try:
        assert field.run_validation(value) == value
    except serializers.ValidationError as error:
        detail: Any = error.detail
        return detail[0] if isinstance(detail, list) and len(detail) == 1 else detail
    return None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, None),
        (MAX_INTEGER, None),
        (0, "must be at least 1"),
        (-5, "must be at least 1"),
        (MAX_INTEGER + 1, "must be at most 2147483647"),
        (10**90, "must be at most 2147483647"),
        ("1", 'must be an integer, not "1"'),
        ("x" * 500, 'must be an integer, not "' + "x" * 59 + "…"),
        (True, "must be an integer, not true"),
        (False, "must be an integer, not false"),
        (1.0, "must be an integer, not 1.0"),
        (1.5, "must be an integer, not 1.5"),
        ([1], "must be an integer, not a list"),
        ({"a": 1}, "must be an integer, not an object"),
        (None, "must not be null"),
    ],
)
def test_integers(value: object, expected: str | None) -> None:
    assert problem(VCPUS, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, None),
        (False, None),
        (1, "must be true or false, not 1"),
        (0, "must be true or false, not 0"),
        ("true", 'must be true or false, not "true"'),
        ("", 'must be true or false, not ""'),
        ([], "must be true or false, not a list"),
        ({}, "must be true or false, not an object"),
        (None, "must not be null"),
    ],
)
def test_booleans(value: object, expected: str | None) -> None:
    assert problem(StrictBooleanField(), value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024", None),
        (" kept ", None),
        ("", "must not be empty"),
        (2024, "must be a string, not an integer"),
        (True, "must be a string, not a boolean"),
        (1.5, "must be a string, not a fractional number"),
        (["a"], "must be a string, not a list"),
        ({}, "must be a string, not an object"),
        (None, "must not be null"),
        ("a\x00", "Null characters are not allowed."),
        ("a\ud800", "Surrogate characters are not allowed: U+D800."),
        ("x" * 11, "must not be longer than 10 characters"),
    ],
)
def test_strings(value: object, expected: str | None) -> None:
    assert problem(StrictCharField(max_length=10), value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("m1.tiny", None),
        ("a b", None),
        ("a\u00a0b", None),
        ("a\u3000b", None),
        ("Größe \u2013 大", None),
        ("2024", None),
        ("x" * 255, None),
        ("e\u0301", None),
        ("", "must not be empty"),
        ("x" * 256, "must not be longer than 255 characters"),
        (" a", "must not begin or end with a space"),
        ("a ", "must not begin or end with a space"),
        (" ", "must not begin or end with a space"),
        ("a\u00a0", "must not begin or end with a space"),
        ("\u3000a", "must not begin or end with a space"),
        ("a\tb", "must not hold the character U+0009: printable characters only"),
        ("a\n", "must not hold the character U+000A: printable characters only"),
        ("a\x00", "must not hold the character U+0000: printable characters only"),
        ("a\x7f", "must not hold the character U+007F: printable characters only"),
        ("a\u200bb", "must not hold the character U+200B: printable characters only"),
        ("a\u2028b", "must not hold the character U+2028: printable characters only"),
        ("a\ud800", "must not hold the character U+D800: printable characters only"),
        ("a\ue000", "must not hold the character U+E000: printable characters only"),
        ("a\uffff", "must not hold the character U+FFFF: printable characters only"),
        ("a🎈", "must not hold the character U+1F388: printable characters only"),
        (5, "must be a string, not an integer"),
    ],
)
def test_names(value: object, expected: str | None) -> None:
    assert problem(NameField(), value) == expected


CHARACTERS = "may hold only letters (a to z), digits, '.', '_', '-' and inner spaces"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", None),
        ("567b200e-0aca-49e0-8e9a-8c1f6ad3abe2", None),
        ("a b_C.-", None),
        ("x" * 255, None),
        ("", "must not be empty"),
        ("x" * 256, "must not be longer than 255 characters"),
        (" a", "must not begin or end with a space"),
        ("a ", "must not begin or end with a space"),
        ("a/b", CHARACTERS),
        ("é", CHARACTERS),
        ("a\n", CHARACTERS),
        ("a\u00a0b", CHARACTERS),
        (1, "must be a string, not an integer"),
        (None, "must not be null"),
    ],
)
def test_flavor_ids(value: object, expected: str | None) -> None:
    assert problem(FlavorIdField(), value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], None),
        (["Mordor", "Spain2"], None),
        ("Mordor", 'must be a list of names, not "Mordor"'),
        ({"Mordor": 1}, "must be a list of names, not an object"),
        (1, "must be a list of names, not 1"),
        (None, "must not be null"),
        (["Mordor", 2], {1: ["must be a string, not an integer"]}),
        (["Mordor", None, ""], {1: ["must not be null"], 2: ["must not be empty"]}),
    ],
)
def test_nodes(value: object, expected: Any) -> None:
    assert problem(NodesField(), value) == expected


def test_what_is_missing_is_named_and_what_is_unknown_ignored() -> None:
    serializer = FlavorSerializer(data={"vcpus": 1, "links": [], "OS-FLV": {}})
    assert not serializer.is_valid()
    assert serializer.errors == {"name": [ErrorDetail("is required", code="required")]}
    partial = FlavorSerializer(data={"vcpus": 1, "links": []}, partial=True)
    assert partial.is_valid()
    assert partial.validated_data == {"vcpus": 1}


def test_openapi_shows_the_wrapped_documents() -> None:
    class View(APIView):
        @extend_schema(
            request=wrapped("flavor", FlavorSerializer()),
            responses={200: wrapped("flavors", FlavorSerializer(many=True)), 404: ErrorDocument},
        )
        def post(self, request: Request) -> Response:
            raise NotImplementedError

    generator = SchemaGenerator(patterns=[path("v1/flavors", View.as_view())])  # type: ignore[no-untyped-call]
    schema = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    operation = schema["paths"]["/v1/flavors"]["post"]
    schemas = schema["components"]["schemas"]

    def named(content: Any) -> str:
        name: str = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        return name

    request = named(operation["requestBody"]["content"])
    assert request == "FlavorDocumentRequest"
    assert schemas[request]["required"] == ["flavor"]
    assert schemas[request]["properties"]["flavor"]["$ref"].endswith("/FlavorRequest")
    response = named(operation["responses"]["200"]["content"])
    assert response == "FlavorsDocument"
    assert schemas[response]["properties"]["flavors"]["type"] == "array"
    assert named(operation["responses"]["404"]["content"]) == "ErrorDocument"

    flavor = schemas["FlavorRequest"]["properties"]
    assert flavor["vcpus"] == {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER}
    assert flavor["id"]["xml"] == {"attribute": True}
    assert flavor["nodes"]["items"]["xml"] == {"name": "node"}
