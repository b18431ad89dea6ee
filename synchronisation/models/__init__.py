"""The models of the synchronisation.

The tables have the names that they had when these models were part of `flavors`: see docs/decisions/0006.
"""

from synchronisation.models.nodes import IgnoredFlavor, LastComparison, NodeDay, Removal, WrittenFlavor
from synchronisation.models.runs import (
    FlavorList,
    ListedNode,
    NodeList,
    Progress,
    SyncNode,
    SyncOutcome,
    SyncRun,
)

__all__ = [
    "FlavorList",
    "IgnoredFlavor",
    "LastComparison",
    "ListedNode",
    "NodeDay",
    "NodeList",
    "Progress",
    "Removal",
    "SyncNode",
    "SyncOutcome",
    "SyncRun",
    "WrittenFlavor",
]
