"""Prometheus metrics of the federation's state, as the database knows it."""

import logging
from collections.abc import Iterable, Iterator

from django.db import Error as DatabaseError
from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flavors.catalogue.states import CHANGED
from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure, Replacement
from synchronisation.models import SyncRun
from synchronisation.summary import known_flavors, summaries

logger = logging.getLogger(__name__)

# The states in which a node does not have a flavor as it should
FINE = (Sighting.State.IN_SYNC, Sighting.State.IGNORED)
DRIFT = [state for state in [*Sighting.State.values, CHANGED] if state not in FINE]


class StateCollector(Collector):
    """Reads the database on every scrape. Cost: six queries, and those of `summaries`.

    Without the database it yields `flavorsync_database_up 0` and nothing else.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield the state as gauges."""
        try:
            metrics = [*_catalogue(), *_synchronisation(), *_drift()]
        except DatabaseError:
            logger.exception("The state of the federation could not be read from the database")
            metrics = []
        yield _gauge("flavorsync_database_up", "Whether the database answers.", [((), float(bool(metrics)))])
        yield from metrics


def _gauge(
    name: str, documentation: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str
) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(name, documentation, labels=labels)
    for label_values, value in values:
        metric.add_metric(label_values, value)
    return metric


def _catalogue() -> Iterator[Metric]:
    flavors = Flavor.objects.aggregate(public=Count("pk"), promoted=Count("pk", filter=Q(promoted=True)))
    yield _gauge(
        "flavorsync_catalogue_flavors",
        "Flavors in the catalogue.",
        [((kind,), count) for kind, count in flavors.items()],
        "kind",
    )
    half_way = Q(replacements__is_met=False) & ~Q(replacements__goal=Replacement.Goal.NONE)
    nodes = Infrastructure.objects.annotate(
        half_way=Count("replacements", filter=half_way), watched=Count("replacements", filter=~half_way)
    ).order_by("name")
    counts = list(nodes.values_list("name", "half_way", "watched"))
    yield _gauge(
        "flavorsync_open_replacements",
        "Replacements of flavors that were cut short and wait for the node to answer.",
        [((name,), count) for name, count, _ in counts],
        "node",
    )
    yield _gauge(
        "flavorsync_watched_flavors",
        "Flavors of which a change was sent that may still be carried out.",
        [((name,), count) for name, _, count in counts],
        "node",
    )


def _synchronisation() -> Iterator[Metric]:
    runs = dict(SyncRun.objects.order_by().values_list("state").annotate(Count("pk")))
    yield _gauge(
        "flavorsync_sync_runs",
        "Synchronisation runs that are kept.",
        [((state,), runs.get(state, 0)) for state in SyncRun.State.values],
        "state",
    )
    yield _gauge("flavorsync_sync_queue_length", "Runs that wait.", [((), runs.get(SyncRun.State.WAITING, 0))])
    oldest = SyncRun.objects.filter(state=SyncRun.State.WAITING).aggregate(oldest=Min("created_at"))["oldest"]
    waited = (timezone.now() - oldest).total_seconds() if oldest else 0
    yield _gauge("flavorsync_sync_queue_seconds", "How long the first of them has waited.", [((), max(waited, 0))])


def _drift() -> Iterator[Metric]:
    """Yield the last known state of each node that a run has ever asked."""
    flavors = known_flavors(Flavor.objects.wanted_in_nodes())
    nodes = [node for node in summaries(Infrastructure.objects.all(), flavors) if node.compared_at]
    yield _gauge(
        "flavorsync_drift_flavors",
        "Promoted flavors that a node did not have as it should when they were last seen there.",
        [((node.name, state), node.counts[state]) for node in nodes for state in DRIFT],
        "node",
        "state",
    )
    yield _gauge(
        "flavorsync_ignored_flavors",
        "Promoted flavors that the synchronisation leaves alone in a node, because somebody has said so.",
        [((node.name,), node.counts[Sighting.State.IGNORED.value]) for node in nodes],
        "node",
    )
    yield _gauge(
        "flavorsync_node_compared_timestamp_seconds",
        "When a node was last compared with the whole catalogue, in seconds since 1970.",
        [((node.name,), node.compared_at.timestamp()) for node in nodes if node.compared_at],
        "node",
    )
