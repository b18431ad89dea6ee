"""Previewing what a run would do in nodes, so that people can confirm it before it starts."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from flavors.models import Flavor
from infrastructures.clouds import in_each_cloud
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, CredentialsRefused
from infrastructures.openstack.nova import Nova
from synchronisation.comparing import compare_nodes
from synchronisation.models import SyncOutcome
from synchronisation.planning import DESTROYS, Step, fingerprint, plan

Action = SyncOutcome.Action


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """A step that a run would take in a node.

    `servers` is how many servers use a flavor that is to be replaced; if we may not count them, `uncounted` says why,
    and the flavor is left alone.
    """

    node: Infrastructure
    step: Step
    servers: int | None = None
    uncounted: str = ""

    @property
    def changes_something(self) -> bool:
        """Whether the step will be taken."""
        return self.step.action not in (Action.NOTHING, Action.CANNOT) and not self.uncounted

    @property
    def fingerprint(self) -> str:
        """The fingerprint that confirms the step."""
        return fingerprint(self.step, node=self.node.pk, servers=self.servers)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would do right now in `nodes`; nodes that could not be asked have an error in `errors` instead."""

    nodes: Sequence[Infrastructure]
    prospects: Sequence[Prospect]
    errors: Sequence[CloudError]

    @property
    def confirmed(self) -> list[str]:
        """The fingerprints of the replacements and changes in place."""
        return [each.fingerprint for each in self.prospects if each.step.action in DESTROYS and not each.uncounted]

    @property
    def digest(self) -> str:
        """A hash that changes when a run would do anything else."""
        steps = sorted(
            (each.fingerprint, each.uncounted) for each in self.prospects if each.step.action != Action.NOTHING
        )
        told = [sorted(node.pk for node in self.nodes), steps]
        return sha256(json.dumps(told).encode()).hexdigest()


def preview(
    *, infrastructures: Sequence[Infrastructure], flavors: Sequence[Flavor], replaces: bool, exact: bool
) -> Preview:
    """Return what a run over these nodes and flavors would do right now, without changing anything.

    Cost: as `compare_nodes`; one more upstream call for each flavor to be replaced, the nodes in parallel.
    """
    compared = compare_nodes(infrastructures=infrastructures, flavors=flavors, exact=exact)
    steps = {
        each.infrastructure: [plan(finding, replaces=replaces) for finding in each.findings]
        for each in compared
        if not each.error
    }
    replaced = {node.name: _replaced(found) for node, found in steps.items()}
    counted = in_each_cloud(
        [node for node, found in steps.items() if replaced[node.name]],
        lambda nova: _count_servers(nova, replaced[nova.region.name]),
    )
    errors = {each.infrastructure: each.error for each in compared if each.error}
    errors |= {each.infrastructure: each.error for each in counted if each.error}
    counts = {each.infrastructure: each.result or {} for each in counted}
    return Preview(
        nodes=[node for node in infrastructures if node not in errors],
        prospects=[
            _prospect(node, step, counts.get(node, {}))
            for node, found in steps.items()
            if node not in errors
            for step in found
        ],
        errors=[errors[node] for node in infrastructures if node in errors],
    )


def _replaced(steps: Sequence[Step]) -> list[str]:
    """Return the ids in the node of the flavors that are to be replaced."""
    return [step.finding.has.id for step in steps if step.action == Action.REPLACE and step.finding.has]


def _count_servers(nova: Nova, flavorids: Collection[str]) -> dict[str, int | str]:
    """Return how many servers use each flavor, or why we may not count them."""
    counts: dict[str, int | str] = {}
    for flavorid in flavorids:
        try:
            counts[flavorid] = nova.count_servers(flavorid)
        except CredentialsRefused as error:
            counts[flavorid] = str(error.detail)
    return counts


def _prospect(node: Infrastructure, step: Step, counts: Mapping[str, int | str]) -> Prospect:
    count = counts.get(step.finding.has.id) if step.action == Action.REPLACE and step.finding.has else None
    if isinstance(count, str):
        return Prospect(node=node, step=step, uncounted=count)
    return Prospect(node=node, step=step, servers=count)
