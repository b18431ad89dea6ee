"""Comparing the catalogue's flavors with what nodes have right now."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from rest_framework.exceptions import APIException

from flavors.catalogue import sightings
from flavors.catalogue.comparison import Finding, NodeFlavors, Wanted, compare
from flavors.catalogue.dropping import dropped_values
from flavors.models import Flavor
from flavorsync_project.api.errors import Conflict
from infrastructures.clouds import Outcome, in_each_cloud
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import (
    CloudError,
    CredentialsRefused,
    FlavorNotFound,
)
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from synchronisation.ignoring import reasons
from synchronisation.models import SyncOutcome


@dataclass(frozen=True, kw_only=True)
class NodeComparison:
    """What a node has of each flavor, or the error that kept it from being compared."""

    infrastructure: Infrastructure
    compared_at: datetime
    findings: tuple[Finding, ...] = ()
    error: CloudError | None = None


def compare_nodes(
    *, infrastructures: Sequence[Infrastructure], flavors: Sequence[Flavor], exact: bool = False
) -> list[NodeComparison]:
    """Compare flavors of the catalogue with what nodes have right now, and record what was seen.

    Other flavors that the catalogue knows these nodes to have are recorded, too.

    Cost: four queries or five, and those of `record_findings`; in each node, in parallel, what `read_node` costs,
    retried once when the node fails.
    """
    expected = expected_by_node(infrastructures, flavors)
    as_of = timezone.now()
    outcomes = in_each_cloud(infrastructures, lambda nova: read_node(nova, flavors), retries=True)
    compared = [
        NodeComparison(
            infrastructure=outcome.infrastructure,
            compared_at=timezone.now(),
            findings=findings_of(expected[outcome.infrastructure.pk].wanted, outcome.result, exact=exact),
            error=outcome.error,
        )
        for outcome in outcomes
    ]
    seen = {each.infrastructure: list(each.findings) for each in compared}
    for outcome in outcomes:
        seen[outcome.infrastructure] += seen_besides(expected[outcome.infrastructure.pk], outcome.result)
    sightings.record_findings(seen, as_of=as_of)
    return compared


def look_into(infrastructures: Sequence[Infrastructure]) -> list[Outcome[NodeFlavors]]:
    """Return all flavors that nodes have right now, and record what they show of the catalogue's flavors.

    Cost: two queries or three, and those of `record_findings`; in each node, in parallel, one upstream call per page
    of Nova's list.
    """
    expected = expected_by_node(infrastructures, ())
    as_of = timezone.now()
    outcomes = in_each_cloud(infrastructures, lambda nova: read_node(nova, ()))
    seen = {each.infrastructure: list(seen_besides(expected[each.infrastructure.pk], each.result)) for each in outcomes}
    sightings.record_findings(seen, as_of=as_of)
    return outcomes


def read_node(nova: Nova, flavors: Collection[Flavor]) -> NodeFlavors:
    """Return all flavors that a node has, with the extra specs of those that *flavors* may be compared with.

    Cost: one upstream call per page of Nova's list; one more for each of those flavors if Nova does not list extra
    specs (before microversion 2.61).
    """
    ids = {flavor.flavorid for flavor in flavors}
    names = {flavor.name.lower() for flavor in flavors}
    return NodeFlavors.of(
        (
            _with_extra_specs(nova, flavor) if flavor.id in ids or flavor.name.lower() in names else flavor
            for flavor in nova.list_flavors()
        ),
        keeps_descriptions=nova.keeps_descriptions,
    )


def promoted_flavors(
    flavorids: Collection[str] = (), *, absent: Callable[[str], APIException] = Conflict
) -> list[Flavor]:
    """Return the promoted flavors that nodes should have, or those with these ids.

    Raises:
        Conflict, or what *absent* returns: no promoted flavor has one of the ids.

    Cost: one query.
    """
    flavors = list(Flavor.objects.wanted_in_nodes().chosen(flavorids))
    if missing := sorted(set(flavorids) - {flavor.flavorid for flavor in flavors}):
        raise absent(f"flavors: there is no promoted flavor {', '.join(missing)}")
    return flavors


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a node should have, and the other public flavors that it is known to have."""

    wanted: Sequence[Wanted]
    besides: Sequence[Wanted]


def expected_by_node(infrastructures: Collection[Infrastructure], flavors: Collection[Flavor]) -> dict[int, Expected]:
    """Return, by the nodes' keys, what each should have of these flavors, and what else it is known to have.

    Cost: four queries; one more if other flavors are known, and one if extra specs were dropped.
    """
    recorded, dropped = sightings.known_ids(infrastructures), dropped_values(flavors, infrastructures)
    ignored = reasons(infrastructures) if flavors else {}
    others = {flavor for flavor, _ in recorded} - {flavor.pk for flavor in flavors}
    published = Flavor.objects.published().in_bulk(others)
    besides: dict[int, list[Wanted]] = defaultdict(list)
    for (flavor, node), flavorid in recorded.items():
        if flavor in published:
            besides[node].append(Wanted(flavor=published[flavor], recorded_as=flavorid))
    # Nearly all nodes should have the same under the same ids: they share it.
    alike: dict[tuple[int, str], Wanted] = {}

    def wanted(flavor: Flavor, node: int) -> Wanted:
        key, recorded_as = (flavor.pk, node), recorded.get((flavor.pk, node), "")
        if key in dropped or key in ignored:
            return Wanted(
                flavor=flavor,
                recorded_as=recorded_as,
                dropped=dropped.get(key, {}),
                ignored=ignored.get(key, ""),
            )
        if (flavor.pk, recorded_as) not in alike:
            alike[flavor.pk, recorded_as] = Wanted(flavor=flavor, recorded_as=recorded_as)
        return alike[flavor.pk, recorded_as]

    return {
        node.pk: Expected(wanted=[wanted(flavor, node.pk) for flavor in flavors], besides=besides[node.pk])
        for node in infrastructures
    }


def tell_causes(outcomes: Mapping[sightings.Key, SyncOutcome]) -> None:
    """Have outcomes, by the keys of flavor and node, tell what caused their differences, as the record has it by now.

    Cost: one query; none without differences.
    """
    recorded = sightings.causes({key: outcome.differences for key, outcome in outcomes.items()})
    for key, differences in recorded.items():
        outcomes[key].differences = differences


def seen_besides(expected: Expected, has: NodeFlavors | None) -> Iterator[Finding]:
    """Yield what a node's list shows of the other flavors, which no run repairs.

    A flavor with extra specs in the catalogue is left out if the list does not show extra specs.
    """
    for finding in findings_of(expected.besides, has, others=expected.wanted):
        if finding.has is None or finding.has.extra_specs is not None or not finding.wanted.flavor.extra_specs:
            yield finding


def findings_of(
    wanted: Collection[Wanted], has: NodeFlavors | None, *, exact: bool = False, others: Collection[Wanted] = ()
) -> tuple[Finding, ...]:
    if has is None:
        return ()
    # A flavor renamed in the catalogue still has its old name in the node; another flavor may have that name by now.
    ids = {known for each in (*wanted, *others) for known in (each.flavor.flavorid, each.recorded_as)}
    return tuple(compare(each, has, exact=exact, of_others=ids) for each in wanted)


def _with_extra_specs(nova: Nova, flavor: NovaFlavor) -> NovaFlavor:
    """Return the flavor with its extra specs, or unchanged if Nova does not let us see them."""
    try:
        return nova.with_extra_specs(flavor)
    except (CredentialsRefused, FlavorNotFound):
        return flavor
