"""Summaries of what nodes have of flavors, as last seen; no cloud is asked."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.dateparse import parse_datetime

from flavors.catalogue.states import CHANGED, RECORDED, UNRECORDED
from flavors.models import DIGESTED, Flavor, Installation, Sighting, digest_of
from infrastructures.models import Infrastructure
from synchronisation.ignoring import ignored_in
from synchronisation.models import IgnoredFlavor

State = Sighting.State

# OTHER_ID is fine: the node has the flavor. IGNORED is what somebody wants there.
AS_THEY_SHOULD_BE = (State.IN_SYNC.value, State.OTHER_ID.value, State.IGNORED.value)
# All states of a flavor in a node
STATES = (*State.values, CHANGED, RECORDED, UNRECORDED)


@dataclass(frozen=True, slots=True)
class Known:
    """A flavor of the catalogue, reduced to what its sightings are judged by."""

    pk: int
    name: str
    promoted: bool
    flavorid: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeSummary:
    """What was last seen of some flavors in a node.

    Members:
        compared_at: the oldest of the flavors' last comparisons, or `unreachable_at`; None is never.
        unreachable_at: when the node could not be asked, None if it responded the last time; *error* says why.
        counts: how many of the flavors are in each of the `STATES`.
    """

    pk: int
    name: str
    compared_at: datetime | None
    unreachable_at: datetime | None
    error: str
    counts: Counter[str]

    @property
    def amiss(self) -> int:
        """The number of flavors that are not known to be as they should be."""
        return self.counts.total() - sum(self.counts[state] for state in AS_THEY_SHOULD_BE)


def known_flavors(flavors: QuerySet[Flavor]) -> list[Known]:
    """Return flavors in the queryset's order. One query, without model instances."""
    found: Any = flavors.values_list("pk", "name", "promoted", *DIGESTED)
    return [Known(pk, name, promoted, values[0], digest_of(values)) for pk, name, promoted, *values in found]


def summaries(
    nodes: QuerySet[Infrastructure], flavors: Sequence[Known], *, only: int | None = None
) -> list[NodeSummary]:
    """Return the summaries of nodes, by name.

    Args:
        only: the key of the only node to summarise, so that nothing is counted for the others.

    Cost: three queries when all flavors were seen in all nodes as they are now; two more when they were not, one more
    when a node could not be asked, and two more where anything is ignored.
    """
    if only is not None:
        nodes = nodes.filter(pk=only)
    columns = [f"last_comparison__{name}" for name in ("whole_at", "parts", "unreachable_at", "error")]
    found: Any = list(nodes.order_by("name").values_list("pk", "name", *columns))
    away = [pk for pk, *_, unreachable_at, _ in found if unreachable_at]
    counts = _Counts(flavors, [pk for pk, *_ in found], only).all(away)
    promoted = {flavor.flavorid for flavor in flavors if flavor.promoted}
    return [
        NodeSummary(
            pk=pk,
            name=name,
            compared_at=unreachable_at or _oldest(whole_at, parts or {}, promoted),
            unreachable_at=unreachable_at,
            error=error or "",
            counts=_with_unseen(*counts[pk], len(flavors), is_reachable=not unreachable_at),
        )
        for pk, name, whole_at, parts, unreachable_at, error in found
    ]


def time_of_part(parts: Mapping[str, str], flavorid: str) -> datetime | None:
    """Return when a flavor was last compared in a partial comparison, from `LastComparison.parts`."""
    return parse_datetime(parts[flavorid]) if flavorid in parts else None


def state_now(digests: Collection[str]) -> Case:
    """Return the expression for the current state of a sighting: `flavors.catalogue.states.state_now` in SQL.

    In a node that could not be asked, only later sightings count; the others are UNREACHABLE.

    Args:
        digests: of all flavors as they are now. No two flavors have the same digest.
    """
    return Case(
        When(infrastructure__last_comparison__unreachable_at__gte=F("seen_at"), then=Value(State.UNREACHABLE.value)),
        When(Q(state=State.MISSING) | Q(digest__in=digests), then=F("state")),
        default=Value(CHANGED),
        output_field=CharField(),
    )


def sightings_now(flavors: Sequence[Known]) -> Any:
    """Return the sightings of flavors, each with its state `now`."""
    seen = Sighting.objects.order_by().filter(flavor__in=[flavor.pk for flavor in flavors])
    return seen.annotate(now=state_now([flavor.digest for flavor in flavors]))


def recorded_alone(flavors: Sequence[Known]) -> QuerySet[Installation]:
    """Return the installations of flavors without a sighting."""
    same = Sighting.objects.filter(flavor=OuterRef("flavor"), infrastructure=OuterRef("infrastructure"))
    installations = Installation.objects.order_by().filter(flavor__in=[flavor.pk for flavor in flavors])
    return installations.filter(~Exists(same))


class _Counts:
    """Counts, in each node, the flavors by what was seen of them, and those recorded that were never seen.

    Nearly all flavors are in nearly all nodes as they were last seen. So these are counted first, from an index that
    has all it takes, and only the nodes with others are looked at more closely: that is three times as fast at 1,000
    nodes of 100 flavors.
    """

    def __init__(self, flavors: Sequence[Known], nodes: Collection[int], only: int | None) -> None:
        self._flavors, self._nodes, self._only = flavors, nodes, only
        self._digests = [flavor.digest for flavor in flavors]
        self._seen: dict[int, Counter[str]] = defaultdict(Counter)
        self._recorded: Counter[int] = Counter()

    def all(self, away: Collection[int]) -> Mapping[int, tuple[Counter[str], int]]:
        """Return both counts of each node; *away* are the nodes that could not be asked."""
        self._count(self._sightings().filter(digest__in=self._digests))
        if rest := self._with_others():
            # Not by the index over flavors: it would lead to each row by itself
            others = self._sightings().filter(infrastructure__in=rest).exclude(digest__in=self._digests)
            others = others.annotate(any_of=F("flavor") + 0).filter(any_of__in=[each.pk for each in self._flavors])
            self._count(others, otherwise=CHANGED)
        if rest := self._with_others():
            self._recorded = _by_node(recorded_alone(self._flavors).filter(infrastructure__in=rest))
        if away:
            in_away = _by_state(sightings_now(self._flavors).filter(infrastructure__in=away))
            self._seen |= {node: in_away[node] for node in away}
        self._set_ignored_apart()
        return {node: (self._seen[node], self._recorded[node]) for node in self._nodes}

    def _sightings(self) -> Any:
        rows = Sighting.objects.order_by()
        return rows if self._only is None else rows.filter(infrastructure=self._only)

    def _count(self, rows: Any, *, otherwise: str = "") -> None:
        for node, state, count in rows.values_list("infrastructure", "state").annotate(count=Count("pk")):
            self._seen[node][otherwise if otherwise and state != State.MISSING else state] += count

    def _with_others(self) -> list[int]:
        """Return the nodes with flavors that are not counted yet."""
        return [node for node in self._nodes if self._seen[node].total() < len(self._flavors)]

    def _set_ignored_apart(self) -> None:
        """Count what is ignored as that alone: there is little of it. One query; two more if there is any."""
        flavors = [flavor.pk for flavor in self._flavors]
        ignored = _by_node(IgnoredFlavor.objects.filter(flavor__in=flavors, infrastructure__in=self._nodes))
        if not ignored:
            return
        same = {"infrastructure__in": ignored, "infrastructure__ignored_flavors__flavor": F("flavor")}
        self._recorded -= _by_node(recorded_alone(self._flavors).filter(**same))
        for node, counts in _by_state(sightings_now(self._flavors).filter(**same)).items():
            self._seen[node] -= counts
        for node, count in ignored.items():
            self._seen[node][State.IGNORED.value] = count


def _by_state(sightings: Any) -> dict[int, Counter[str]]:
    counted = sightings.values_list("infrastructure", "now").annotate(count=Count("pk"))
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for node, state, count in counted:
        found[node][state] = count
    return found


def _by_node(rows: Any) -> Counter[int]:
    return Counter(dict(rows.order_by().values_list("infrastructure").annotate(count=Count("pk"))))


def _with_unseen(seen: Counter[str], recorded: int, flavors: int, *, is_reachable: bool) -> Counter[str]:
    unseen = flavors - seen.total()
    if not is_reachable:
        return seen + Counter({State.UNREACHABLE.value: unseen})
    return seen + Counter({RECORDED: recorded, UNRECORDED: unseen - recorded})


def _oldest(whole_at: datetime | None, parts: Mapping[str, str], flavorids: Collection[str]) -> datetime | None:
    """Return the oldest of the flavors' last comparisons.

    The whole comparison does not count if all of the flavors have been compared by themselves since.
    """
    ages = {flavorid: at for flavorid in parts if flavorid in flavorids and (at := time_of_part(parts, flavorid))}
    return whole_at if whole_at and not ages.keys() >= set(flavorids) else min(ages.values(), default=whole_at)


def only_trouble(flavors: Sequence[Known], nodes: Collection[int], fine: Collection[str]) -> list[Known]:
    """Return the flavors that were seen in any but these states in one of the nodes. Two queries."""
    return _only(flavors, nodes, sightings_now(flavors).exclude(now__in=fine))


def only_in_state(flavors: Sequence[Known], nodes: Collection[int], state: str) -> list[Known]:
    """Return the flavors that are in this state in one of the nodes. Two queries; one for those that are ignored."""
    if state == State.IGNORED:
        keys = set().union(*(those for node, those in ignored_in().items() if node in nodes))
        return [flavor for flavor in flavors if flavor.pk in keys]
    return _only(flavors, nodes, sightings_now(flavors).filter(now=state))


def _only(flavors: Sequence[Known], nodes: Collection[int], seen: Any) -> list[Known]:
    ignored = ignored_in()
    keys = {
        flavor
        for flavor, node in seen.values_list("flavor", "infrastructure").distinct()
        if node in nodes and flavor not in ignored.get(node, ())
    }
    return [flavor for flavor in flavors if flavor.pk in keys]


def total(nodes: Iterator[NodeSummary] | Sequence[NodeSummary]) -> Counter[str]:
    """Return how many flavors are in each state, counting each once for each node."""
    return sum((node.counts for node in nodes), Counter())
