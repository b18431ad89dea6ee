"""The links in Nova's responses, rewritten to lead to Flavor Sync."""

import json
from typing import Any
from urllib.parse import urlsplit

from compute.wire.links import VERSION


def with_links_to(root: str, body: bytes) -> bytes:
    """Rewrite the links in a body of Nova's to begin with *root*; leave a body without links or JSON as it is."""
    if b'"links"' not in body and b'"flavors_links"' not in body:
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    for thing in _things(document):
        for link in (*thing.get("links", ()), *thing.get("flavors_links", ())):
            link["href"] = _moved(link, root)
    return json.dumps(document).encode("ascii")


def _things(document: Any) -> list[dict[str, Any]]:
    """Return the document and the flavors in it."""
    flavors = [*document.get("flavors", ()), *([document["flavor"]] if "flavor" in document else ())]
    return [document, *flavors]


def _moved(link: dict[str, str], root: str) -> str:
    href = urlsplit(link["href"])
    path = href.path[href.path.index("/flavors") :]
    version = "" if link["rel"] == "bookmark" else f"/{VERSION}"
    return f"{root}{version}{path}{'?' if href.query else ''}{href.query}"
