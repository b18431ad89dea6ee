"""What the operations' OpenAPI descriptions have in common."""

from collections.abc import Iterable, Mapping
from typing import Any

from drf_spectacular.utils import OpenApiResponse

from flavorsync_project.api.handlers import NO_ROLE, NO_TOKEN
from flavorsync_project.api.serializers import ErrorDocument
from flavorsync_project.api.vocabulary import ANSWERS, REQUESTS, Resource

JSON = "application/json"
XML = "application/xml"
TEXT_XML = "text/xml"
TEXT = "text/plain"
EXAMPLES: dict[str, Mapping[str, Any]] = {}
"""What a request may hold that does as little as possible, by the name of its component: `document` adds to it."""

OTHER_NAMES: list[str] = []
"""Prefixes of paths that are other names of the same: apps add theirs."""

_DESCRIPTIONS = {
    400: "The request is wrong; the message says what is wrong with it.",
    401: "A credential is missing or wrong.",
    403: "The caller may not do this.",
    404: "There is no such resource.",
    405: "The resource, as it is now, does not allow the method.",
    409: "The request conflicts with what is there.",
    411: "The request has no Content-Length.",
    413: "The body is larger than 1 MiB.",
    415: "The body is neither JSON nor XML.",
    429: "Too many wrong credentials, or too many requests without any; try again after `Retry-After` seconds.",
    502: "The cloud could not be reached or did not answer as OpenStack does.",
    503: "The identity provider or the database does not answer; try again after `Retry-After` seconds.",
}
ALWAYS = (400, 401, 429, 503)
WITH_BODY = (411, 413, 415)


def errors(*statuses: int, **descriptions: str) -> dict[Any, OpenApiResponse]:
    """Return the descriptions of the error answers with these statuses, in each format.

    The statuses that every operation can answer are always among them.
    *descriptions* replace the usual words, as in `s405="Nodes still have it."`.
    """
    return {
        (status, media_type): OpenApiResponse(
            ErrorDocument, description=descriptions.get(f"s{status}", _DESCRIPTIONS[status])
        )
        for status in sorted({*statuses, *ALWAYS})
        for media_type in (JSON, XML, TEXT_XML)
    }


NOT_MODIFIED: dict[Any, OpenApiResponse] = {
    304: OpenApiResponse(description="The client has it already: `If-None-Match` holds its `ETag`.")
}


def plain_text(status: int) -> dict[Any, OpenApiResponse]:
    """Return the description of one of the two refusals that are plain text."""
    return {(status, TEXT): OpenApiResponse(str, description={401: NO_TOKEN, 405: NO_ROLE}[status])}


def canonical_paths(endpoints: Iterable[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """Return one endpoint for each operation, leaving out other names of the same.

    A hook of drf-spectacular (PREPROCESSING_HOOKS): (path, path pattern, method, view) for each.
    """
    return [
        (path.rstrip("/"), pattern, method, view)
        for path, pattern, method, view in endpoints
        if path.startswith("/v1") and not path.startswith(tuple(OTHER_NAMES))
    ]


def with_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give each request its example. A hook of drf-spectacular (POSTPROCESSING_HOOKS), before `unwrapped_in_xml`."""
    components = result["components"]["schemas"]
    for name, example in EXAMPLES.items():
        if name in components:
            components[name]["example"] = dict(example)
    return result


def unwrapped_in_xml(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe XML bodies without the member that wraps them in JSON, which is their root element.

    The objects of a list are elements with the list's name without its s. A hook of drf-spectacular
    (POSTPROCESSING_HOOKS): changes the whole document in place.
    """
    components = result["components"]["schemas"]
    for operations in result["paths"].values():
        for operation in operations.values():
            request = operation.get("requestBody", {})
            for part in (request, *operation["responses"].values()):
                for media_type in (XML, TEXT_XML):
                    if body := part.get("content", {}).get(media_type):
                        body["schema"] = _root_element(body["schema"], components, closed=part is request)
    for component in components.values():
        for name, schema in component.get("properties", {}).items():
            if "$ref" in schema.get("items", {}):
                schema["items"] = _list_item(name, schema["items"])
    return result


def _list_item(name: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"allOf": [item], "xml": {"name": name.removesuffix("s")}}


def _root_element(schema: dict[str, Any], components: Mapping[str, Any], *, closed: bool) -> dict[str, Any]:
    """Return the schema of the element that holds a body; a *closed* one has no other elements than those named."""
    wrapper = _component(schema, components)
    name, content = next(iter(wrapper["properties"].items()))
    element = {"name": ANSWERS[name].in_list or name if name in ANSWERS else name}
    if content.get("type") == "array":
        return {
            **content,
            "items": _list_item(element["name"], content["items"]),
            "xml": {**element, "wrapped": True},
        }
    if not closed:
        return {"allOf": [content], "xml": element}
    component = _component(content, components)
    properties = {**_ignored(REQUESTS[name]), **{key: _never_null(one) for key, one in component["properties"].items()}}
    return {**component, "properties": properties, "additionalProperties": False, "xml": element}


def _never_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without null, which only JSON has."""
    return {key: value for key, value in schema.items() if key != "nullable"}


def _ignored(resource: Resource) -> dict[str, Any]:
    """Return what an element may hold in any request, though not every operation uses it."""
    text = {"type": "string"}
    return {
        **{name: {**text, "xml": {"attribute": True}} for name in resource.attributes},
        **dict.fromkeys(resource.children, text),
        **{name: {"type": "array", "items": {**text, "xml": {"name": item}}} for name, item in resource.lists.items()},
    }


def _component(reference: Mapping[str, str], components: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = components[reference["$ref"].rpartition("/")[2]]
    return found


def document(serializer: Any, *, example: Mapping[str, Any]) -> Mapping[Any, Any]:
    """Return *serializer*, a wrapped one, as the body of a request in both formats.

    Args:
        example: what the page that lets people try the API has them send, unless they write something else. Without one
            it would set everything that there is to true: publish, promote, retire, replace.
    """
    EXAMPLES[f"{type(serializer).__name__.removesuffix('Document')}Request"] = example
    return {JSON: serializer, XML: serializer, TEXT_XML: serializer}
