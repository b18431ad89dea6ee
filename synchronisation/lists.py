"""Lists of compared flavors and of nodes, shared by runs: equal lists are stored once.

A federation's successive runs cover the same nodes and flavors: each costs a reference, and no row.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b

from flavors.models import Flavor
from synchronisation.models import FlavorList, ListedNode, NodeList

Node = tuple[int | None, str]
"""The key of a node, None when it was unregistered, and its name."""


def flavor_list(flavors: Iterable[Flavor]) -> FlavorList:
    """Return the stored list of these flavors, creating it if necessary. One query, two if it is new."""
    told = sorted((flavor.name, flavor.flavorid) for flavor in flavors)
    members = [[flavorid, name] for name, flavorid in told]
    return FlavorList.objects.get_or_create(digest=_digest(members), defaults={"flavors": members})[0]


def node_list(nodes: Iterable[Node]) -> NodeList:
    """Return the stored list of these nodes, creating it if necessary; call this in a transaction.

    One query, three if it is new.
    """
    told = sorted((name, key or 0) for key, name in nodes)
    listed, is_new = NodeList.objects.get_or_create(digest=_digest(told))
    if is_new:
        ListedNode.objects.bulk_create(
            ListedNode(list=listed, infrastructure_id=key or None, name=name) for name, key in told
        )
    return listed


def delete_unused() -> None:
    """Delete the lists that no run refers to any more. Some six queries if there are any."""
    FlavorList.objects.filter(runs=None, nodes=None).delete()
    NodeList.objects.filter(runs=None).delete()


def _digest(members: object) -> str:
    return blake2b(json.dumps(members).encode(), digest_size=16).hexdigest()
