"""What clients ask a Nova for besides flavors: servers, of which there are none, and the nodes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from compute.federation.nodes import NodeState, node_states
from compute.wire.microversions import Microversion
from compute.wire.views import ComputeView
from flavors.permissions import PROMOTE

BINARY = "nova-compute"
FORCED_DOWN_IS_TOLD, IDS_ARE_UUIDS = Microversion(2, 11), Microversion(2, 53)

# Nova's extensions that apply here; the others concern servers.
EXTENSIONS = {
    "OS-FLV-DISABLED": ("FlavorDisabled", "Support to show the disabled status of a flavor."),
    "OS-FLV-EXT-DATA": ("FlavorExtraData", "Provide additional data for flavors."),
    "os-availability-zone": ("AvailabilityZone", "1. Add availability_zone to the Create Server API."),
    "os-flavor-access": ("FlavorAccess", "Flavor access support."),
    "os-flavor-extra-specs": ("FlavorExtraSpecs", "Flavors extra specs support."),
    "os-flavor-manage": ("FlavorManage", "Flavor create/delete API support."),
    "os-flavor-rxtx": ("FlavorRxtx", "Support to show the rxtx status of a flavor."),
    "os-services": ("Services", "Services support."),
}
# Nova's limits and usage, all 0 here: there are no servers.
LIMITS = (
    "maxTotalCores",
    "maxTotalInstances",
    "maxTotalKeypairs",
    "maxServerMeta",
    "maxTotalRAMSize",
    "maxServerGroups",
    "maxServerGroupMembers",
    "totalRAMUsed",
    "totalCoresUsed",
    "totalInstancesUsed",
    "totalServerGroupsUsed",
)


class ExtensionsView(ComputeView):
    """The extensions of the API."""

    def get(self, request: Request) -> Response:
        """List the extensions that apply here."""
        return Response({"extensions": [_extension(alias) for alias in EXTENSIONS]})


class ServersView(ComputeView):
    """The servers, always an empty list: they are in the nodes."""

    def get(self, request: Request) -> Response:
        """Return an empty list."""
        return Response({"servers": []})


class LimitsView(ComputeView):
    """The limits of a project."""

    def get(self, request: Request) -> Response:
        """Show that all limits are 0."""
        return Response({"limits": {"rate": [], "absolute": dict.fromkeys(LIMITS, 0)}})


class ServicesView(ComputeView):
    """The nodes, each as a compute service."""

    def get(self, request: Request) -> Response:
        """List the nodes with the state of the promoted flavors in each."""
        self.require(PROMOTE, "os_compute_api:os-services:list")
        host, binary = (request.query_params.get(name) for name in ("host", "binary"))
        nodes = node_states() if binary in (None, BINARY) else ()
        return Response({"services": [self._service(node) for node in nodes if host is None or host == node.name]})

    def _service(self, node: NodeState) -> dict[str, Any]:
        service = {
            "id": str(UUID(int=node.key)) if self.microversion >= IDS_ARE_UUIDS else node.key,
            "binary": BINARY,
            "host": node.name,
            "zone": node.name,
            "status": "enabled",
            "state": "up" if node.is_up else "down",
            "updated_at": _written(node.compared_at),
            "disabled_reason": node.remark,
        }
        return service | {"forced_down": False} if self.microversion >= FORCED_DOWN_IS_TOLD else service


class ZonesView(ComputeView):
    """The nodes, each as an availability zone."""

    def get(self, request: Request) -> Response:
        """List the zones."""
        return _zones([_zone(node) for node in node_states()])


class ZonesDetailView(ComputeView):
    """The availability zones, each with its services."""

    def get(self, request: Request) -> Response:
        """List the zones with their services."""
        self.require(PROMOTE, "os_compute_api:os-availability-zone:detail")
        return _zones([{**_zone(node), "hosts": _hosts(node)} for node in node_states()])


def _extension(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": "2014-12-03T00:00:00Z",
        "links": [],
    }


def _zones(zones: list[dict[str, Any]]) -> Response:
    return Response({"availabilityZoneInfo": zones})


def _zone(node: NodeState) -> dict[str, Any]:
    return {"zoneName": node.name, "zoneState": {"available": node.is_up}, "hosts": None}


def _hosts(node: NodeState) -> dict[str, Any] | None:
    service = {"available": node.is_up, "active": True, "updated_at": _written(node.compared_at)}
    return {node.name: {BINARY: service}} if node.is_up else None


def _written(moment: datetime | None) -> str | None:
    """Format a time as Nova does: in UTC, without a time zone."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}" if moment else None
