"""What the database knows of the federation's state, for Prometheus to read."""

import logging
from collections.abc import Iterable, Iterator

from django.db import Error as DatabaseError
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flavors.models import Flavor, SyncNode, SyncOutcome, SyncRun
from infrastructures.models import Infrastructure

logger = logging.getLogger(__name__)


class StateCollector(Collector):
    """Asks the database each time that it is asked. Cost: seven queries.

    Without the database there is `flavorsync_database_up 0` and nothing else.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield the state as gauges."""
        try:
            metrics = [*_catalogue(), *_synchronisation(), *_drift()]
        except DatabaseError:
            logger.exception("The database does not tell the state of the federation")
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
    yield _gauge(
        "flavorsync_catalogue_flavors",
        "Flavors in the catalogue.",
        [(("public",), Flavor.objects.count()), (("promoted",), Flavor.objects.promoted().count())],
        "kind",
    )
    replacements = Infrastructure.objects.annotate(open=Count("replacements")).values_list("name", "open")
    yield _gauge(
        "flavorsync_open_replacements",
        "Replacements of flavors that were cut short and wait for the node to answer.",
        [((name,), count) for name, count in replacements.order_by("name")],
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
    """Yield what each node was like when last compared whole: a run over some flavors hides no drift of others."""
    nodes = {node.pk: node for node in SyncNode.objects.whole().latest_of_each_node().order_by("name")}
    drift = SyncOutcome.objects.order_by().filter(node__in=nodes).exclude(state=SyncOutcome.State.IN_SYNC)
    left = drift.exclude(result=SyncOutcome.Result.DONE).values_list("node", "state").annotate(Count("pk"))
    counts = {(node, state): count for node, state, count in left}
    yield _gauge(
        "flavorsync_drift_flavors",
        "Promoted flavors that a node did not have as it should when all of them were last compared.",
        [
            ((node.name, state), counts.get((pk, state), 0))
            for pk, node in nodes.items()
            for state in SyncOutcome.State.values
            if state != SyncOutcome.State.IN_SYNC
        ],
        "node",
        "state",
    )
    yield _gauge(
        "flavorsync_node_compared_timestamp_seconds",
        "When a node was last compared with the whole catalogue, in seconds since 1970.",
        [((node.name,), node.compared_at.timestamp()) for node in nodes.values() if node.compared_at],
        "node",
    )
