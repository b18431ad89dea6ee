"""Planning what brings a node's flavors in sync: a plan is data, and planning asks no cloud and no database."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from flavors.catalogue.comparison import EXTRA_SPECS, Finding
from synchronisation.models import SyncOutcome

State = SyncOutcome.State
Action = SyncOutcome.Action

# What Nova can change in an existing flavor, besides extra specs; anything else takes a replacement.
IN_PLACE = ("description",)


@dataclass(frozen=True, kw_only=True)
class Step:
    """The action for a finding, and the reason: for CANNOT why nothing can be done, for what is ignored why it is."""

    finding: Finding
    action: SyncOutcome.Action
    reason: str = ""

    @property
    def takes_row(self) -> bool:
        """Whether it takes a row in a run: a flavor that is in sync, and needs no action, takes none."""
        return self.action != Action.NOTHING or bool(self.finding.wanted.ignored)

    def as_outcome(self) -> SyncOutcome:
        """Return the step as an outcome, unsaved and without a node."""
        flavor = self.finding.wanted.flavor
        return SyncOutcome(
            flavorid=flavor.flavorid,
            name=flavor.name,
            state=State.IGNORED if self.finding.wanted.ignored else self.finding.state,
            differences=[difference.as_json() for difference in self.finding.differences],
            action=self.action,
            reason=self.reason,
        )


# Actions that change or delete what a node has
DESTROYS = (Action.UPDATE, Action.REPLACE)


def fingerprint(step: Step, *, node: int, servers: int | None) -> str:
    """Return a hash that stays the same while a step does the same to the same flavor of a node.

    Args:
        node: its key.
        servers: how many servers use the flavor there; only whether any do affects the fingerprint.
    """
    has = step.finding.has
    told = [node, step.action, has and has.as_json(), step.finding.wanted.nova.as_json(), servers and servers > 0]
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def unreachable(flavorid: str, name: str, reason: str) -> SyncOutcome:
    """Return the outcome of a flavor in a node that could not be asked."""
    return SyncOutcome(flavorid=flavorid, name=name, state=State.UNREACHABLE, action=Action.CANNOT, reason=reason)


def as_it_should_be(flavorid: str, name: str) -> SyncOutcome:
    """Return the outcome of a flavor that was in sync and needed no action."""
    return SyncOutcome(flavorid=flavorid, name=name, state=State.IN_SYNC, action=Action.NOTHING)


def takes_replacement(members: Iterable[str]) -> bool:
    """Say whether Nova can only bring these members of a flavor in sync by deleting it and creating it again."""
    return any(member not in IN_PLACE and not member.startswith(f"{EXTRA_SPECS}.") for member in members)


def plan(finding: Finding, *, replaces: bool = False) -> Step:
    """Return the step that brings the node in sync.

    Args:
        replaces: whether a flavor whose numbers differ may be deleted and created again.

    Source: Compute API reference, "Update Flavor Description" and "Create extra specs for a flavor".
    """
    if finding.wanted.ignored:
        return Step(finding=finding, action=Action.NOTHING, reason=finding.wanted.ignored)
    match finding.state:
        case State.IN_SYNC:
            return Step(finding=finding, action=Action.NOTHING if finding.recorded else Action.ADOPT)
        case State.MISSING:
            return Step(finding=finding, action=Action.CREATE)
        case State.OTHER_ID:
            reason = f"Its id there is {finding.has.id}." if finding.has else ""
            return Step(finding=finding, action=Action.ADOPT, reason=reason)
        case State.DIFFERENT:
            return _plan_for_differences(finding, replaces=replaces)
        case _:
            return _cannot(finding, _about_the_name(finding))


def _plan_for_differences(finding: Finding, *, replaces: bool) -> Step:
    fixed = [
        difference.member
        for difference in finding.differences
        if difference.key is None and difference.member not in IN_PLACE
    ]
    if not fixed:
        return Step(finding=finding, action=Action.UPDATE)
    if finding.name_taken_by:
        return _cannot(finding, f"Flavor {finding.name_taken_by} there has its name.")
    if not replaces:
        return _cannot(
            finding, f"Nova cannot change {', '.join(fixed)} in place, and replacing flavors was not asked for."
        )
    return Step(finding=finding, action=Action.REPLACE)


def _about_the_name(finding: Finding) -> str:
    has = finding.has
    if has is None:
        return ""
    if not finding.differences:
        return f"Flavor {has.id} there has its name {has.name}, and is a different flavor of the catalogue."
    if [difference.member for difference in finding.differences] == ["name"]:
        return f"Flavor {has.id} there has its name in another case, {has.name}."
    return f"Flavor {has.id} there has its name {has.name} and different values."


def _cannot(finding: Finding, reason: str) -> Step:
    return Step(finding=finding, action=Action.CANNOT, reason=reason)
