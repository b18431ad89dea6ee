"""Nodes as the console shows them, on two axes: whether they can be reached, and whether they are in sync."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from django.db.models import Case, Value, When

from flavors.catalogue.states import CHANGED
from flavors.models import Sighting
from infrastructures.models import Infrastructure
from synchronisation.summary import NodeSummary
from synchronisation.trend import known

State = Sighting.State
# The states that need a synchronisation or a person, and the words after their counts
AMISS = {
    State.MISSING.value: "missing",
    State.DIFFERENT.value: "different",
    State.NAME_TAKEN.value: "with a name that is taken",
    State.OTHER_ID.value: "under another id",
    CHANGED: "changed since",
}


@dataclass(frozen=True)
class Look:
    """The look of something: a mark, a colour and words."""

    mark: str
    colour: str
    words: str


class Health(Enum):
    """Whether a node can be reached with our credentials. The most urgent comes first."""

    UNREACHABLE = Look("✕", "differs", "unreachable")
    TROUBLE = Look("!", "differs", "trouble")
    CLOSED = Look("○", "unknown", "no credentials")
    UNKNOWN = Look("?", "unknown", "never asked")
    WELL = Look("✓", "good", "reachable")


@dataclass(frozen=True, kw_only=True)
class NodeLook:
    """A node as the console shows it.

    Members:
        seen_at: when a comparison, or a check of the connection, last got through to it.
        since: when it was last found unreachable or in trouble; None if it is neither.
        reason: why it is, in our words or its own.
        known, in_sync: the number of promoted flavors whose state in the node is known, and of those in sync.
        amiss: the number of flavors in each state that needs attention.
    """

    pk: int
    name: str
    health: Health
    seen_at: datetime | None
    since: datetime | None
    reason: str
    known: int
    in_sync: int
    amiss: dict[str, int]

    @property
    def drift(self) -> int:
        """The number of flavors that need attention."""
        return sum(self.amiss.values())

    @property
    def per_cent(self) -> int | None:
        """The percentage of known flavors in sync, 100 only when all of them are; None if nothing is known."""
        return self.in_sync * 100 // self.known if self.known else None

    @property
    def sync(self) -> Look:
        """The look of the node compared with the catalogue."""
        if not self.known:
            return Look("?", "unknown", "not known")
        if self.drift:
            return Look("≠", "missing", f"{self.drift} to mend")
        return Look("✓", "good", "in sync")

    @property
    def told(self) -> str:
        """The counts of what is amiss, by state, in words."""
        return ", ".join(f"{count} {AMISS[state]}" for state, count in self.amiss.items())

    @property
    def rank(self) -> tuple[int, int, str]:
        """The sort key that puts the most urgent nodes first."""
        urgent = self.health in (Health.UNREACHABLE, Health.TROUBLE)
        return (0 if urgent else 1 if self.drift else 2, -self.drift, self.name)


def looks(nodes: Sequence[NodeSummary]) -> list[NodeLook]:
    """Return nodes as the console shows them, the most urgent first. Cost: one query."""
    columns = ("last_comparison__whole_at", "check_result__checked_at", "check_result__problem")
    entered = Case(When(encrypted_password="", then=Value(value=False)), default=Value(value=True))
    # Not filtered by their keys: it is always all nodes, or one
    found = Infrastructure.objects.order_by()
    if len(nodes) == 1:
        found = found.filter(pk=nodes[0].pk)
    about = {pk: rest for pk, *rest in found.annotate(entered=entered).values_list("pk", "entered", *columns)}
    return sorted((_look(node, *about[node.pk]) for node in nodes if node.pk in about), key=lambda node: node.rank)


def _look(
    node: NodeSummary, entered: bool, whole_at: datetime | None, checked_at: datetime | None, problem: str | None
) -> NodeLook:
    compared_at = whole_at if node.unreachable_at else node.compared_at
    checked_well = checked_at if checked_at and not problem else None
    health, since, reason = Health.WELL, None, ""
    if node.unreachable_at and not (checked_well and checked_well > node.unreachable_at):
        health, since, reason = Health.UNREACHABLE, node.unreachable_at, node.error
    elif problem and not (compared_at and checked_at and compared_at > checked_at):
        health, since, reason = Health.TROUBLE, checked_at, problem
    elif not entered:
        health = Health.CLOSED
    elif not (compared_at or checked_well):
        health = Health.UNKNOWN
    return NodeLook(
        pk=node.pk,
        name=node.name,
        health=health,
        seen_at=max((at for at in (compared_at, checked_well) if at), default=None),
        since=since,
        reason=reason,
        known=known(node),
        in_sync=node.counts[State.IN_SYNC.value],
        amiss={state: node.counts[state] for state in AMISS if node.counts[state]},
    )
