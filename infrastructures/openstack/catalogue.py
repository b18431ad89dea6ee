"""Regions, services and endpoints in a Keystone's catalogue.

Source: Identity API reference, "Regions" and "Service catalog and endpoints".
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from flavorsync_project.api.urls import keystone_v3
from flavorsync_project.telemetry.request_id import note_secret
from infrastructures.openstack import shapes
from infrastructures.openstack.bounds import KEYSTONE
from infrastructures.openstack.sessions import open_session
from infrastructures.openstack.translation import translated

NAME = "The federation"
INTERFACE = "public"
URL_LENGTH = 255


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The endpoint of a service in a region."""

    id: str
    url: str


class KeystoneCatalogue:
    """The catalogue of a Keystone, read and changed with an administrator's token.

    Raises:
        CloudError: Keystone does not let the token do this, or did not answer. Every method raises it.

    Cost: one or two upstream calls for every method.
    """

    def __init__(self, keystone_url: str, token: str) -> None:
        note_secret(token)
        self._url, self._token = keystone_v3(keystone_url), token
        self._session = open_session(NAME)

    def has_region(self, region: str) -> bool:
        """Say whether there is a region with this name."""
        return any(each["id"] == region for each in self._list("regions"))

    def create_region(self, region: str) -> None:
        """Create a region."""
        self._send("POST", "regions", {"region": {"id": region, "description": "The federation (Flavor Sync)"}})

    def service_of(self, kind: str) -> str:
        """Return the id of the first service of this type, or ""."""
        services = self._list("services", type=kind)
        return shapes.line(services[0]["id"], "a service's id") if services else ""

    def create_service(self, kind: str) -> str:
        """Create a service of this type, and return its id."""
        body = {"service": {"type": kind, "name": "flavor-sync"}}
        return shapes.line(self._send("POST", "services", body)["service"]["id"], "a service's id")

    def endpoint(self, region: str, kind: str) -> Endpoint | None:
        """Return the public endpoint of a service of this type in a region, or None."""
        for service in self._list("services", type=kind):
            for each in self._list("endpoints", region_id=region, interface=INTERFACE, service_id=service["id"]):
                url = shapes.line(each["url"], "an endpoint", longest=URL_LENGTH)
                return Endpoint(id=shapes.line(each["id"], "an endpoint's id"), url=url)
        return None

    def create_endpoint(self, region: str, service: str, url: str) -> None:
        """Create the public endpoint of a service in a region."""
        members = {"service_id": service, "region_id": region, "interface": INTERFACE, "url": url}
        self._send("POST", "endpoints", {"endpoint": members})

    def move_endpoint(self, endpoint: Endpoint, url: str) -> None:
        """Change an endpoint's URL."""
        self._send("PATCH", f"endpoints/{quote(endpoint.id, safe='')}", {"endpoint": {"url": url}})

    def delete_endpoint(self, endpoint: Endpoint) -> None:
        """Delete an endpoint."""
        self._send("DELETE", f"endpoints/{quote(endpoint.id, safe='')}")

    def has_no_other(self, region: str, endpoints: Collection[Endpoint]) -> bool:
        """Say whether a region has no endpoints other than these."""
        there = {each["id"] for each in self._list("endpoints", region_id=region)}
        return there <= {endpoint.id for endpoint in endpoints}

    def delete_region(self, region: str) -> None:
        """Delete a region."""
        self._send("DELETE", f"regions/{quote(region, safe='')}")

    def _list(self, kind: str, **query: str) -> list[Any]:
        answer = self._send("GET", f"{kind}?{urlencode(query)}")
        with translated(NAME, KEYSTONE):
            return shapes.items(answer[kind], kind)

    def _send(self, method: str, path: str, body: object = None) -> Any:
        with translated(NAME, KEYSTONE):
            answer = self._session.request(
                f"{self._url}/{path}",
                method,
                json=body,
                headers={"X-Auth-Token": self._token, "Accept": "application/json"},
                authenticated=False,
            )
            return answer.json() if answer.content else None
