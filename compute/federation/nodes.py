"""The nodes of the federation, as clients see compute services and availability zones."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.summary import known_flavors, summaries


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """What was last seen of the promoted flavors in a node; `is_up` is whether it could be asked."""

    key: int
    name: str
    is_up: bool
    compared_at: datetime | None
    flavors: int
    amiss: int
    """How many of the flavors are not in it as they should be."""

    @property
    def remark(self) -> str | None:
        """Return in a few words what there is to say of it, None when all is well."""
        if not self.is_up:
            return "It could not be asked."
        if self.compared_at is None:
            return "It was never compared."
        return f"{self.amiss} of {self.flavors} flavors differ" if self.amiss else None


def node_states() -> Iterator[NodeState]:
    """Yield the state of each node, by name, as it was last seen. Cost: four queries."""
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
