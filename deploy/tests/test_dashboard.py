"""Every query of the Grafana dashboard is about figures that there are, and every figure is on it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from flavorsync_project.cache import AWAY
from synchronisation.metrics import StateCollector

DASHBOARD = Path(__file__).resolve().parents[1] / "grafana" / "flavor-sync.json"
# What the figures of a kind are called
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "summary": ["_count", "_sum"]}


@pytest.fixture
def labels(db: None) -> dict[str, set[str]]:
    """The labels of every figure by its name, as a query names it."""
    assert AWAY in REGISTRY._collector_to_names  # Django imports a cache when it is first used
    metrics = [*REGISTRY.collect(), *StateCollector().collect()]
    declared = {
        collector._name: set(collector._labelnames)
        for collector in REGISTRY._collector_to_names
        if isinstance(collector, MetricWrapperBase)
    }
    found: dict[str, set[str]] = {}
    for metric in metrics:
        names = set(declared.get(metric.name, getattr(metric, "_labelnames", ())))
        suffixes = SUFFIXES.get(metric.type, [""])
        found |= {metric.name + suffix: names | ({"le"} if suffix == "_bucket" else set()) for suffix in suffixes}
    return {name: names for name, names in found.items() if name.startswith("flavorsync_")}


def panels() -> list[dict[str, Any]]:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return list(dashboard["panels"])


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_every_query_names_figures_that_there_are(labels: dict[str, set[str]]) -> None:
    for query in queries():
        named = re.findall(r"flavorsync_\w+", query)
        assert named, query
        assert set(named) <= set(labels), query
        grouped = {label for part in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", part)}
        assert grouped <= set().union(*(labels[name] for name in named)), query


def test_every_legend_names_labels_that_the_query_keeps() -> None:
    for panel in panels():
        for target in panel["targets"]:
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            kept = {
                label for part in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in re.split(r",\s*", part)
            }
            assert used == kept - {"le"}, panel["title"]


def test_every_figure_is_on_it(labels: dict[str, set[str]]) -> None:
    text = " ".join(queries())
    missing = {name for name in labels if not name.endswith(("_count", "_sum")) and name not in text}
    assert missing == set()


def test_no_panel_covers_another() -> None:
    places = [
        (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
        for panel in panels()
        for dx in range(panel["gridPos"]["w"])
        for dy in range(panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert all(x < 24 for x, _ in places)
    assert len({panel["id"] for panel in panels()}) == len(panels())
