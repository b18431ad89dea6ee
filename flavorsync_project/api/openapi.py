"""What the operations' descriptions in OpenAPI have in common."""

from collections.abc import Iterable, Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from flavorsync_project.api.handlers import NO_ROLE, NO_TOKEN
from flavorsync_project.api.serializers import ErrorDocument

JSON = "application/json"
XML = "application/xml"
TEXT = "text/plain"
XML_ROOTS = {"Infrastructures": "infrastructures"}
"""The root elements that are not called like the JSON member."""

_DESCRIPTIONS = {
    400: "The request is not as it should be; the message names the trouble.",
    401: "A credential is missing or wrong.",
    403: "The caller may not do this.",
    404: "There is no such resource.",
    405: "The resource, as it is now, does not allow the method.",
    409: "The request conflicts with what there is.",
    411: "The request has no Content-Length.",
    413: "The body is larger than 1 MiB.",
    415: "The body is neither JSON nor XML.",
    429: "Too many wrong credentials; try again after `Retry-After` seconds.",
    502: "The cloud could not be reached or did not answer as OpenStack does.",
    503: "The identity provider does not answer; try again after `Retry-After` seconds.",
}
ALWAYS = (400, 401, 429, 503)
WITH_BODY = (411, 413, 415)

KEYSTONE_TOKEN = OpenApiParameter(
    name="X-Auth-Token-KeyStone",
    location=OpenApiParameter.HEADER,
    required=True,
    description="A token of the region's Keystone: scoped to a project, or one that can be.",
)


def errors(*statuses: int, **descriptions: str) -> dict[Any, OpenApiResponse]:
    """Return the descriptions of the error answers of these statuses, in both formats.

    The statuses that every operation can answer are among them without being named.
    *descriptions* replace the usual words, as in `s405="Nodes still carry it."`.
    """
    return {
        (status, media_type): OpenApiResponse(
            ErrorDocument, description=descriptions.get(f"s{status}", _DESCRIPTIONS[status])
        )
        for status in sorted({*statuses, *ALWAYS})
        for media_type in (JSON, XML)
    }


def plain_text(status: int) -> dict[Any, OpenApiResponse]:
    """Return the description of one of the two refusals that are plain text."""
    return {(status, TEXT): OpenApiResponse(str, description={401: NO_TOKEN, 405: NO_ROLE}[status])}


def canonical_paths(endpoints: Iterable[tuple[str, str, str, Any]], **_: Any) -> list[tuple[str, str, str, Any]]:
    """Return one endpoint for each operation, leaving out those that are other names of the same.

    A hook of drf-spectacular (PREPROCESSING_HOOKS): (path, path pattern, method, view) for each.
    """
    return [
        (path.rstrip("/"), pattern, method, view)
        for path, pattern, method, view in endpoints
        if path.startswith("/v1") and not path.startswith(("/v1/nodes", "/v1/region/"))
    ]


def unwrapped_in_xml(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Have XML bodies described without the member that wraps them in JSON: it is their root element.

    A hook of drf-spectacular (POSTPROCESSING_HOOKS): the whole document, changed in place.
    """
    components = result["components"]["schemas"]
    for operations in result["paths"].values():
        for operation in operations.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for media_type in (XML, "text/xml"):
                    if body := part.get("content", {}).get(media_type):
                        body["schema"] = _root_element(body["schema"], components)
    return result


def _root_element(schema: dict[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    wrapper = components[schema["$ref"].rpartition("/")[2]]
    name, content = next(iter(wrapper["properties"].items()))
    element = {"name": XML_ROOTS.get(name, name)}
    if content.get("type") == "array":
        item = {"allOf": [content["items"]], "xml": {"name": element["name"].removesuffix("s")}}
        return {**content, "items": item, "xml": {**element, "wrapped": True}}
    return {"allOf": [content], "xml": element}


def document(serializer: Any) -> Mapping[Any, Any]:
    """Return *serializer* as the body of a request in both formats."""
    return {JSON: serializer, XML: serializer, "text/xml": serializer}
