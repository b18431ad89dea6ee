"""Comparing a node's flavors with the catalogue's, value by value. Asks no cloud and no database."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from flavors.models import NOVA_MEMBERS, Flavor, Sighting
from infrastructures.openstack.records import NovaFlavor

State = Sighting.State

EXTRA_SPECS = "extra_specs"

# What has caused a difference, where that is known
CAUSE = "cause"
CAUSES = NODE, CATALOGUE, BOTH = "node", "catalogue", "both"

Dropped = Mapping[str, Collection[str]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A value that differs between a node and the catalogue.

    `member` is one of `NOVA_MEMBERS`, or `extra_specs.KEY`, where None means no such extra spec.
    """

    member: str
    node: object
    catalogue: object

    @property
    def key(self) -> str | None:
        """Return the key of the extra spec that differs, or None."""
        root, _, key = self.member.partition(".")
        return key if root == EXTRA_SPECS else None

    def as_json(self) -> dict[str, object]:
        """Return it as `SyncOutcome.differences` holds it."""
        return {"member": self.member, "node": self.node, "catalogue": self.catalogue}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A flavor of the catalogue as one node should have it.

    `recorded_as` is the id under which the catalogue records it in the node, or "". `dropped` are the values, by key,
    that its extra specs used to have in the catalogue: a node that still has one got it from there. `ignored` is why
    the node may have it otherwise, or not at all, or "".
    """

    flavor: Flavor
    recorded_as: str = ""
    dropped: Dropped = field(default_factory=dict)
    ignored: str = ""

    @cached_property
    def nova(self) -> NovaFlavor:
        """Return it as the node's Nova should have it."""
        return self.flavor.as_nova(self.recorded_as)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one flavor in a node.

    `has` is the node's flavor with the same id or, in the states OTHER_ID and NAME_TAKEN, with the same
    name. `name_taken_by` is the id of another flavor there that has the name which a different one should
    get.
    """

    wanted: Wanted
    state: Sighting.State
    has: NovaFlavor | None = None
    differences: tuple[Difference, ...] = ()
    name_taken_by: str = ""
    recorded: bool = False
    """Whether the catalogue records it in the node, under this id."""


@dataclass(frozen=True, kw_only=True)
class NodeFlavors:
    """All flavors of a node's Nova, to look up by id, and by name in any case.

    `keeps_descriptions` is False for a Nova before microversion 2.55, which has none to compare.
    """

    by_id: Mapping[str, NovaFlavor] = field(repr=False)
    by_name: Mapping[str, NovaFlavor] = field(repr=False)
    keeps_descriptions: bool = True

    @classmethod
    def of(cls, flavors: Iterable[NovaFlavor], *, keeps_descriptions: bool = True) -> Self:
        """Index the flavors of one list."""
        flavors = list(flavors)
        return cls(
            by_id={flavor.id: flavor for flavor in flavors},
            by_name={flavor.name.lower(): flavor for flavor in flavors} | {flavor.name: flavor for flavor in flavors},
            keeps_descriptions=keeps_descriptions,
        )

    def named(self, name: str) -> NovaFlavor | None:
        """Return the flavor of this name, else of this name in another case."""
        return self.by_name.get(name) or self.by_name.get(name.lower())


def compare(wanted: Wanted, node: NodeFlavors, *, exact: bool = False, of_others: Collection[str] = ()) -> Finding:
    """Say whether and how *node* has a flavor.

    The same id means the same flavor, whatever else differs. The name counts only when the id is missing.

    Args:
        exact: whether extra specs that the catalogue does not name count as a difference.
        of_others: the ids, in the node, of the catalogue's other flavors: none of these is this one, whatever its name.
    """
    nova, recorded_as = wanted.nova, wanted.recorded_as
    if nova.id not in node.by_id and wanted.flavor.flavorid in node.by_id:
        nova, recorded_as = wanted.flavor.as_nova(), ""
    has = node.by_id.get(nova.id)
    namesake = node.named(nova.name)
    if has is None:
        return _without_id(wanted, nova, namesake, node, exact=exact, of_others=of_others)
    differences = differences_between(
        nova, has, exact=exact, descriptions=node.keeps_descriptions, dropped=wanted.dropped
    )
    return Finding(
        wanted=wanted,
        state=State.DIFFERENT if differences else State.IN_SYNC,
        has=has,
        differences=differences,
        name_taken_by=namesake.id if namesake and namesake.id != nova.id else "",
        recorded=bool(recorded_as),
    )


def cause_of(difference: Mapping[str, object], applied: Mapping[str, object] | None) -> str:
    """Return what has changed since we last applied a value: `NODE` (behind our back), `CATALOGUE` or `BOTH`.

    "" if we have not applied it there, or do not know.

    Args:
        difference: as `Difference.as_json`.
        applied: as in a `Sighting`. What we have made has all of its members there: no other extra spec is from us.
    """
    member, has_all = difference["member"], applied and NOVA_MEMBERS[0] in applied
    if not applied or (member not in applied and not has_all):
        return ""
    last = applied.get(str(member))
    changed = (difference["node"] != last, difference["catalogue"] != last)
    return {(True, False): NODE, (False, True): CATALOGUE, (True, True): BOTH}.get(changed, "")


def without_cause(differences: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return differences as they were compared, without what was told of their cause."""
    return [{key: value for key, value in each.items() if key != CAUSE} for each in differences]


def values_by_member(flavor: NovaFlavor) -> dict[str, object]:
    """Return all values of a flavor but its id, by member as in a `Difference`."""
    members: dict[str, object] = {member: getattr(flavor, member) for member in NOVA_MEMBERS}
    return members | {f"{EXTRA_SPECS}.{key}": value for key, value in (flavor.extra_specs or {}).items()}


def differences_between(
    wanted: NovaFlavor,
    has: NovaFlavor,
    *,
    exact: bool = False,
    descriptions: bool = True,
    dropped: Dropped | None = None,
) -> tuple[Difference, ...]:
    """Return where *has* differs from *wanted*, apart from the id: numbers and texts first, then extra specs by key.

    Extra specs that Nova does not show (None) count as missing: we do not know that they are equal. An extra spec
    that the catalogue does not name is the node's own, unless its value is one that was *dropped*.
    """
    members = [member for member in NOVA_MEMBERS if descriptions or member != "description"]
    differences = [
        Difference(member=member, node=getattr(has, member), catalogue=getattr(wanted, member))
        for member in members
        if getattr(has, member) != getattr(wanted, member)
    ]
    ours, theirs = dict(wanted.extra_specs or {}), dict(has.extra_specs or {})
    left_over = {key for key, values in (dropped or {}).items() if theirs.get(key) in values}
    keys = ours.keys() | (theirs.keys() if exact else left_over)
    differences += [
        Difference(member=f"{EXTRA_SPECS}.{key}", node=theirs.get(key), catalogue=ours.get(key))
        for key in sorted(keys)
        if theirs.get(key) != ours.get(key)
    ]
    return tuple(differences)


def _without_id(
    wanted: Wanted,
    nova: NovaFlavor,
    namesake: NovaFlavor | None,
    node: NodeFlavors,
    *,
    exact: bool,
    of_others: Collection[str],
) -> Finding:
    if namesake is None:
        return Finding(wanted=wanted, state=State.MISSING)
    differences = differences_between(nova, namesake, exact=exact, descriptions=node.keeps_descriptions)
    return Finding(
        wanted=wanted,
        state=State.NAME_TAKEN if differences or namesake.id in of_others else State.OTHER_ID,
        has=namesake,
        differences=differences,
    )
