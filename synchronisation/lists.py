"""Lists that runs share, of flavors that were compared and of nodes: each is kept once while it stays the same.

A federation's runs follow each other over the same nodes and the same flavors: each costs a reference, and no row.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b

from flavors.models import Flavor
from synchronisation.models import FlavorList, ListedNode, NodeList

Node = tuple[int | None, str]
"""The key of a node, None when it was unregistered, and its name."""


def flavor_list(flavors: Iterable[Flavor]) -> FlavorList:
    """Return the list of these flavors, stored now or before. One query, two where it is new."""
    told = sorted((flavor.name, flavor.flavorid) for flavor in flavors)
    members = [[flavorid, name] for name, flavorid in told]
    return FlavorList.objects.get_or_create(digest=_digest(members), defaults={"flavors": members})[0]


def node_list(nodes: Iterable[Node]) -> NodeList:
    """Return the list of these nodes, stored now or before; to be called in a transaction.

    One query, three where it is new.
    """
    told = sorted((name, key or 0) for key, name in nodes)
    listed, is_new = NodeList.objects.get_or_create(digest=_digest(told))
    if is_new:
        ListedNode.objects.bulk_create(
            ListedNode(list=listed, infrastructure_id=key or None, name=name) for name, key in told
        )
    return listed


def delete_unused() -> None:
    """Delete the lists that no run refers to any more. Some six queries where there are any."""
    FlavorList.objects.filter(runs=None, nodes=None).delete()
    NodeList.objects.filter(runs=None).delete()


def _digest(members: object) -> str:
    return blake2b(json.dumps(members).encode(), digest_size=16).hexdigest()
