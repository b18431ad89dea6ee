"""Comparing the flavors of two nodes, without asking a cloud or the database."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from flavors.catalogue.comparison import Difference, differences_between
from flavors.natural import natural
from infrastructures.openstack.records import NovaFlavor

# What a server gets from a flavor; these values identify the same flavor under another name
VALUES = ("vcpus", "ram", "disk", "swap", "ephemeral", "rxtx_factor")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A flavor of the left node and the flavor of the right node that it is compared with.

    In a difference, `node` is the left one's value, and `catalogue` the right one's.
    """

    left: NovaFlavor
    right: NovaFlavor
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TwoNodes:
    """Every flavor of two nodes, once, ordered by name.

    `alike` are pairs with the same values but another name or id; `different` are pairs with the same id, or the same
    name in any case, but other values.
    """

    same: Sequence[Pair]
    different: Sequence[Pair]
    alike: Sequence[Pair]
    only_left: Sequence[NovaFlavor]
    only_right: Sequence[NovaFlavor]


def side_by_side(left: Iterable[NovaFlavor], right: Iterable[NovaFlavor]) -> TwoNodes:
    """Compare all flavors of two nodes: by id, then by values, then by name."""
    ours, theirs = _by_name(left), {flavor.id: flavor for flavor in _by_name(right)}
    pairs = [(flavor, theirs.pop(flavor.id)) for flavor in ours if flavor.id in theirs]
    paired = {flavor.id for flavor, _ in pairs}
    rest = [flavor for flavor in ours if flavor.id not in paired]
    alike, rest, others = _paired_by(_values, rest, theirs.values())
    namesakes, only_left, only_right = _paired_by(lambda flavor: flavor.name.lower(), rest, others)
    compared = [Pair(left=ours, right=theirs, differences=_differences(ours, theirs)) for ours, theirs in pairs]
    different = [pair for pair in compared if pair.differences]
    different += [Pair(left=ours, right=theirs, differences=_differences(ours, theirs)) for ours, theirs in namesakes]
    return TwoNodes(
        same=[pair for pair in compared if not pair.differences],
        different=sorted(different, key=lambda pair: natural(pair.left.name)),
        alike=[Pair(left=ours, right=theirs) for ours, theirs in alike],
        only_left=only_left,
        only_right=only_right,
    )


def _paired_by(
    key: Callable[[NovaFlavor], object], ours: Iterable[NovaFlavor], theirs: Iterable[NovaFlavor]
) -> tuple[list[tuple[NovaFlavor, NovaFlavor]], list[NovaFlavor], list[NovaFlavor]]:
    """Pair flavors with equal keys, preferring the same name; return the pairs, and what is left of both sides."""
    candidates = defaultdict(list)
    for flavor in theirs:
        candidates[key(flavor)].append(flavor)
    pairs, alone = [], []
    for flavor in ours:
        found = candidates.get(key(flavor))
        if not found:
            alone.append(flavor)
            continue
        namesake = next((each for each in found if each.name.lower() == flavor.name.lower()), found[0])
        found.remove(namesake)
        pairs.append((flavor, namesake))
    return pairs, alone, _by_name(flavor for left in candidates.values() for flavor in left)


def _differences(left: NovaFlavor, right: NovaFlavor) -> tuple[Difference, ...]:
    differences = differences_between(right, left, exact=True)
    if left.id == right.id:
        return differences
    return (Difference(member="id", node=left.id, catalogue=right.id), *differences)


def _values(flavor: NovaFlavor) -> object:
    return (*(getattr(flavor, member) for member in VALUES), frozenset((flavor.extra_specs or {}).items()))


def _by_name(flavors: Iterable[NovaFlavor]) -> list[NovaFlavor]:
    return sorted(flavors, key=lambda flavor: (natural(flavor.name), flavor.id))
