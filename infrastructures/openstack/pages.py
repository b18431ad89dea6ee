"""Reading a page of one of Nova's lists: its items, and the start of the next page.

Source: Compute API guide, "Paginated Collections".
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from infrastructures.openstack import shapes
from infrastructures.openstack.records import NovaFlavor

# The longest link to a next page. Nova's repeats the query; an impostor could send one of any length.
QUERY_LENGTH = 4096


def read_flavors(body: Any) -> tuple[list[NovaFlavor], Mapping[str, str]]:
    """Return a page's flavors, and the query of the next page, empty if there is none.

    The link's host and path are ignored: Nova may know itself under another address than we do.

    Raises:
        KeyError, TypeError, ValueError: it is not a page of flavors.
    """
    flavors = [NovaFlavor.from_nova(answer) for answer in shapes.items(body["flavors"], "flavors")]
    following = _next(body.get("flavors_links", [])) if flavors else ""
    if not following:
        return flavors, {}
    query = {name: values[-1] for name, values in parse_qs(urlsplit(following).query, max_num_fields=20).items()}
    return flavors, {**query, "is_public": "None"}


def read_servers(body: Any) -> tuple[int, str]:
    """Return the number of servers on a page, and the marker of the next page, or "".

    Raises:
        KeyError, TypeError, ValueError: it is not a page of servers.
    """
    servers = shapes.items(body["servers"], "servers")
    has_more = servers and _next(body.get("servers_links", []))
    return len(servers), shapes.line(servers[-1]["id"], "a server's id") if has_more else ""


def read_flavors_of_servers(body: Any) -> tuple[list[str], str]:
    """Return the ids of the flavors of a page's servers, one for each server, and the marker of the next page, or "".

    Before microversion 2.47 Nova says which flavor a server has by its id.

    Raises:
        KeyError, TypeError, ValueError: it is not a page of servers in detail.
    """
    servers = shapes.items(body["servers"], "servers")
    has_more = servers and _next(body.get("servers_links", []))
    flavors = [shapes.line(server["flavor"]["id"], "a flavor's id") for server in servers]
    return flavors, shapes.line(servers[-1]["id"], "a server's id") if has_more else ""


def read_projects(body: Any) -> tuple[str, ...]:
    """Return the projects of a flavor's access list, sorted.

    Raises:
        KeyError, TypeError, ValueError: it is not an access list.
    """
    grants = shapes.items(body["flavor_access"], "flavor_access")
    return tuple(sorted(shapes.line(grant["tenant_id"], "a project") for grant in grants))


def _next(links: object) -> str:
    """Return the link to the next page, or ""."""
    hrefs = [link["href"] for link in shapes.items(links, "the links") if link["rel"] == "next"]
    return shapes.line(hrefs[0], "the link to the next page", longest=QUERY_LENGTH) if hrefs else ""
