"""The links in responses: they begin with COMPUTE_PUBLIC_URL, or with the URL at which the client found us."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from django.conf import settings
from django.urls import reverse
from rest_framework.request import Request

VERSION = "v2.1"

Link = dict[str, str]


def root_of(request: Request, node: str | None = None) -> str:
    """Return the root URL of the federation's OpenStack face, or of a node's, without a trailing slash."""
    root = settings.COMPUTE_PUBLIC_URL.rstrip("/") or request.build_absolute_uri(reverse("compute")).rstrip("/")
    return root if node is None else f"{root}/nodes/{quote(node, safe='')}"


def links_of(root: str, collection: str, id: str) -> list[Link]:
    """Return a resource's two links: its URL, and its bookmark, which lacks the version."""
    path = f"{collection}/{quote(id)}"
    return [{"rel": "self", "href": f"{root}/{VERSION}/{path}"}, {"rel": "bookmark", "href": f"{root}/{path}"}]


def next_link(root: str, collection: str, parameters: Mapping[str, str], *, marker: str) -> list[Link]:
    """Return the link to the page after the one that ends with *marker*."""
    query = urlencode({**parameters, "marker": marker})
    return [{"rel": "next", "href": f"{root}/{VERSION}/{collection}?{query}"}]
