"""The nodes of the federation, which clients see as compute services and availability zones."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.summary import known_flavors, summaries


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """The last known state of the promoted flavors in a node; `is_up` is whether the node could be asked."""

    key: int
    name: str
    is_up: bool
    compared_at: datetime | None
    flavors: int
    amiss: int
    """The number of flavors that are missing from the node or differ there."""

    @property
    def remark(self) -> str | None:
        """Return a short description of the node's problem; None if there is none."""
        if not self.is_up:
            return "It could not be asked."
        if self.compared_at is None:
            return "It was never compared."
        return f"{self.amiss} of {self.flavors} flavors differ" if self.amiss else None


def node_states() -> Iterator[NodeState]:
    """Yield the last known state of each node, by name. Cost: four queries."""
    flavors = known_flavors(Flavor.objects.wanted_in_nodes())
    for node in summaries(Infrastructure.objects.all(), flavors):
        yield NodeState(
            key=node.pk,
            name=node.name,
            is_up=node.unreachable_at is None,
            compared_at=node.compared_at,
            flavors=len(flavors),
            amiss=node.amiss,
        )
