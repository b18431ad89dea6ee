"""Where things are, as answers tell it: Nova's links lead to where a client has found it, or to COMPUTE_PUBLIC_URL."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from django.conf import settings
from django.urls import reverse
from rest_framework.request import Request

VERSION = "v2.1"

Link = dict[str, str]


def root_of(request: Request, node: str | None = None) -> str:
    """Return the URL of the versions of the federation's face, or of a node's, without a slash at its end."""
    root = settings.COMPUTE_PUBLIC_URL.rstrip("/") or request.build_absolute_uri(reverse("compute")).rstrip("/")
    return root if node is None else f"{root}/nodes/{quote(node, safe='')}"


def links_of(root: str, collection: str, id: str) -> list[Link]:
    """Return the two links of a thing: its URL, and one without the version."""
    path = f"{collection}/{quote(id)}"
    return [{"rel": "self", "href": f"{root}/{VERSION}/{path}"}, {"rel": "bookmark", "href": f"{root}/{path}"}]


def next_link(root: str, collection: str, parameters: Mapping[str, str], *, marker: str) -> list[Link]:
    """Return the link to the page after the one that ends with *marker*."""
    query = urlencode({**parameters, "marker": marker})
    return [{"rel": "next", "href": f"{root}/{VERSION}/{collection}?{query}"}]
