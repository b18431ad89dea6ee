"""The documents that describe the versions of the API.

Source: Compute API reference, "API Versions".
"""

from typing import Any

from compute.wire.links import VERSION
from compute.wire.microversions import LOWEST, Microversion

_DOCUMENTATION = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
_MEDIA_TYPES = [{"base": "application/json", "type": f"application/vnd.openstack.compute+json;version={LOWEST}"}]


def all_versions(root: str, highest: Microversion) -> dict[str, Any]:
    """Return the list of versions, which has just one."""
    return {"versions": [{**_version(highest), "links": [_self(root)]}]}


def the_version(root: str, highest: Microversion) -> dict[str, Any]:
    """Return the description of the only version."""
    return {"version": {**_version(highest), "links": [_self(root), _DOCUMENTATION], "media-types": _MEDIA_TYPES}}


def _version(highest: Microversion) -> dict[str, Any]:
    return {
        "id": VERSION,
        "status": "CURRENT",
        "version": str(highest),
        "min_version": str(LOWEST),
        "updated": "2013-07-23T11:33:21Z",
    }


def _self(root: str) -> dict[str, str]:
    return {"rel": "self", "href": f"{root}/{VERSION}/"}
