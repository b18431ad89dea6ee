"""Selecting cells of the coverage map: promoted flavors, nodes, and the state that the flavors were seen in there."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from flavors.catalogue.states import CHANGED
from flavors.models import Flavor, Sighting
from flavors.natural import natural
from infrastructures.models import Infrastructure
from infrastructures.querysets import InfrastructureQuerySet
from synchronisation.ignoring import Key
from synchronisation.models import IgnoredFlavor
from synchronisation.summary import Known, known_flavors, sightings_now

State = Sighting.State

# The states in which nothing differs, or nothing is known
FINE = (State.IN_SYNC.value, State.UNREACHABLE.value)
# The states that can be selected: those of a sighting
SEEN = (*(state for state in State.values if state != State.UNREACHABLE), CHANGED)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Promoted flavors and nodes, by name, and a state; "" is every state in which something differs."""

    flavors: Sequence[Known]
    nodes: Sequence[Infrastructure]
    state: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was last seen of a flavor in a node; in the state IGNORED `reason` is why, and `since` when it was said."""

    flavor: Known
    node: Infrastructure
    since: datetime
    state: str = State.IGNORED.value
    differences: Sequence[Mapping[str, Any]] | None = None
    reason: str = ""

    @property
    def key(self) -> Key:
        """The keys of the flavor and the node."""
        return self.flavor.pk, self.node.pk


def keys_in(texts: Iterable[str]) -> list[int]:
    """Return the keys among texts that came with a request."""
    return [int(text) for text in texts if re.fullmatch("[0-9]{1,18}", text)]


def select(
    *,
    among: InfrastructureQuerySet,
    flavors: Collection[int] = (),
    nodes: Collection[int] = (),
    flavor: str = "",
    node: str = "",
    state: str = "",
) -> Selection:
    """Return a selection of all promoted flavors and of the nodes *among*.

    Args:
        flavors, nodes: the keys of the only ones to select; none are all.
        flavor, node: text that the names contain, in any case.

    Cost: two queries.
    """
    promoted = Flavor.objects.wanted_in_nodes()
    chosen = known_flavors(promoted.filter(pk__in=flavors) if flavors else promoted)
    where = among.filter(pk__in=nodes) if nodes else among
    return Selection(
        flavors=sorted((each for each in chosen if flavor.lower() in each.name.lower()), key=_by_name),
        nodes=[each for each in where.order_by("name") if node.lower() in each.name.lower()],
        state=state,
    )


def seen_in(selection: Selection, *, most: int) -> tuple[list[Seen], int]:
    """Return the first cells that were seen in the selection's state, and the number of all. Cost: two queries.

    What is ignored has no other state than that.
    """
    nodes = {node.pk: node for node in selection.nodes}
    flavors = {flavor.pk: flavor for flavor in selection.flavors}
    rows, members = _rows(selection, list(nodes))
    found = rows.order_by("flavor__name", "infrastructure__name").values_list("flavor", "infrastructure", *members)
    cells = [
        Seen(flavor=flavors[flavor], node=nodes[node], **dict(zip(members.values(), values, strict=True)))
        for flavor, node, *values in found[:most]
    ]
    return sorted(cells, key=lambda cell: (_by_name(cell.flavor), cell.node.name)), rows.count()


def _rows(selection: Selection, nodes: Sequence[int]) -> tuple[QuerySet[Any], Mapping[str, str]]:
    """Return the rows of a selection, and their columns, with the member of `Seen` that each is."""
    if selection.state == State.IGNORED:
        flavors = [flavor.pk for flavor in selection.flavors]
        ignored = IgnoredFlavor.objects.filter(flavor__in=flavors, infrastructure__in=nodes)
        return ignored, {"created_at": "since", "reason": "reason"}
    same = IgnoredFlavor.objects.filter(flavor=OuterRef("flavor"), infrastructure=OuterRef("infrastructure"))
    found = sightings_now(selection.flavors).filter(~Exists(same), infrastructure__in=nodes)
    found = found.filter(now=selection.state) if selection.state else found.exclude(now__in=FINE)
    return found, {"now": "state", "since": "since", "differences": "differences"}


def _by_name(flavor: Known) -> Any:
    return natural(flavor.name)
