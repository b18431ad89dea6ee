"""The nodes of the federation, as clients see compute services and availability zones."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from synchronisation.coverage import coverage
from synchronisation.models import SyncOutcome

State = SyncOutcome.State

# A flavor that a node has under another id is there.
AS_THEY_SHOULD_BE = (State.IN_SYNC.value, State.OTHER_ID.value)


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
    """Yield the state of each node, by name, as it was last seen. Cost: as `coverage`."""
    seen = coverage()
    for column, node in enumerate(seen.nodes):
        states = Counter(row.states[column] for row in seen.rows)
        yield NodeState(
            key=node.pk,
            name=node.name,
            is_up=node.unreachable_since is None,
            compared_at=node.compared_at,
            flavors=len(seen.rows),
            amiss=states.total() - sum(states[state] for state in AS_THEY_SHOULD_BE),
        )
