"""The federation at a glance: what is in sync, what needs attention and how to repair it, and the last runs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from flavors.admin.looks import LOOKS
from flavors.models import Flavor, Sighting
from flavorsync_project.console.words import counted
from identity.callers import Caller
from infrastructures.models import Infrastructure, Replacement
from pages.charts import Bars, Landscape, Line, bars, landscape, percentages
from pages.nodes import Health, Look, NodeLook, looks
from pages.remedies import Remedy, check, mend
from synchronisation.models import Removal, SyncRun
from synchronisation.runs import visible_runs
from synchronisation.summary import known_flavors, summaries
from synchronisation.trend import trend

State = Sighting.State
DAYS = 30
# The most nodes with a tile, and the most nodes of a kind that are named among the concerns
TILES, NAMED = 60, 4
RUNS = 5
# How many of the last runs have a column, and the most flavors in the landscape
COLUMNS, MOST_FLAVORS = 30, 1_000
# What the columns show; what could not be asked is no drift, but there, too, something is not as it should be
DRIFT = [state.value for state in (State.MISSING, State.DIFFERENT, State.NAME_TAKEN, State.OTHER_ID, State.UNREACHABLE)]
RUN_LOOKS = {
    SyncRun.State.WAITING: Look("…", "unknown", "waiting"),
    SyncRun.State.RUNNING: Look("▶", "promoted", "running"),
    SyncRun.State.IN_SYNC: Look("✓", "good", "in sync"),
    SyncRun.State.DRIFT: Look("≠", "missing", "drift found"),
    SyncRun.State.PARTLY_DONE: Look("◐", "missing", "partly done"),
    SyncRun.State.CANCELLED: Look("⊘", "missing", "cancelled"),
    SyncRun.State.FAILED: Look("✕", "differs", "failed"),
}


@dataclass(frozen=True)
class Concern:
    """Something that needs attention."""

    colour: str
    title: str
    url: str
    words: str = ""
    since: datetime | None = None
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What the user may see and do."""

    sees_reasons: bool
    may_mend: Collection[int]
    may_check: Collection[int]
    sees_changes: bool


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The federation at a glance."""

    flavors: int
    nodes: Sequence[NodeLook]
    concerns: Sequence[Concern]
    runs: Sequence[SyncRun]
    next_run: datetime | None
    chart: Line | None
    drift_of_runs: Bars | None
    landscape: Landscape | None
    tiles: Sequence[NodeLook] = field(default=())

    @property
    def per_cent(self) -> int | None:
        """The percentage of known flavors in nodes that are in sync, 100 only when all are; None if none is known."""
        known = sum(node.known for node in self.nodes)
        return sum(node.in_sync for node in self.nodes) * 100 // known if known else None

    @property
    def drift(self) -> int:
        """The number of flavors in nodes that need attention."""
        return sum(node.drift for node in self.nodes)

    @property
    def away(self) -> int:
        """The number of nodes that are unreachable or in trouble."""
        return sum(node.health in (Health.UNREACHABLE, Health.TROUBLE) for node in self.nodes)

    @property
    def is_due(self) -> bool:
        """Whether the periodic run is due, and only waits for the scheduler's next look."""
        return self.next_run is not None and self.next_run <= timezone.now()

    @property
    def reachable(self) -> int:
        """The number of nodes that could be reached at the last attempt."""
        return sum(node.health == Health.WELL for node in self.nodes)

    @property
    def told_runs(self) -> list[tuple[SyncRun, Look]]:
        """The last runs, each with its look."""
        return [(run, RUN_LOOKS[SyncRun.State(run.state)]) for run in self.runs]

    @property
    def more(self) -> int:
        """The number of nodes without a tile."""
        return len(self.nodes) - len(self.tiles)


def overview(*, user: Caller, rights: Rights) -> Overview:
    """Return the federation as it was last seen; no cloud is asked. Cost: eleven queries, and those of `summaries`."""
    flavors = known_flavors(Flavor.objects.wanted_in_nodes())
    nodes = looks(summaries(Infrastructure.objects.all(), flavors))
    runs = list(visible_runs(user).order_by("-created_at", "-pk")[:RUNS])
    return Overview(
        flavors=len(flavors),
        nodes=nodes,
        tiles=nodes[:TILES],
        concerns=list(_concerns(nodes, runs, len(flavors), rights)),
        runs=runs,
        next_run=_next_run(),
        chart=percentages([(day.day, day.per_cent) for day in trend(days=DAYS)]),
        drift_of_runs=_drift_of_runs(user),
        landscape=landscape(list(Flavor.objects.promoted().values_list("name", "vcpus", "ram")[:MOST_FLAVORS])),
    )


def _drift_of_runs(user: Caller) -> Bars | None:
    """Return a column for each of the last ended runs over all flavors, by the states that it found. One query."""
    ended = visible_runs(user).ended().filter(flavorids=[], found__isnull=False).order_by("-pk")
    rows = []
    found: Any
    for pk, found in reversed(ended.values_list("pk", "found")[:COLUMNS]):
        url = reverse("admin:synchronisation_syncrun_change", args=[pk])
        counts = [(LOOKS[state].colour, LOOKS[state].words, found.get(state, 0)) for state in DRIFT]
        rows.append((f"Run {pk}", url, counts))
    return bars(rows)


def _next_run() -> datetime | None:
    """Return when the periodic run is due next, or None if there is none."""
    if not settings.SYNC_INTERVAL_MINUTES:
        return None
    last = SyncRun.objects.filter(periodic=True).order_by("-pk").values_list("created_at", flat=True).first()
    due = last + timedelta(minutes=settings.SYNC_INTERVAL_MINUTES) if last else timezone.now()
    return max(due, timezone.now())


def _concerns(nodes: Sequence[NodeLook], runs: Sequence[SyncRun], flavors: int, rights: Rights) -> Iterator[Concern]:
    if not nodes:
        yield _nothing("No node is registered yet", "Nodes", "infrastructures_infrastructure_add", "Register a node")
    if not flavors:
        yield _nothing("No flavor is promoted yet", "Flavors", "flavors_flavor_changelist", "See the catalogue")
    away = [node for node in nodes if node.health in (Health.UNREACHABLE, Health.TROUBLE)]
    yield from (_away(node, rights) for node in away[:NAMED])
    if (more := len(away) - NAMED) > 0:
        yield Concern("differs", f"{counted(more, 'more node')} cannot be entered", map_of(only="trouble"))
    yield from _drifts([node for node in nodes if node.drift], rights)
    yield from _never_compared(
        [node for node in nodes if not node.known and node.health in (Health.WELL, Health.UNKNOWN)], rights
    )
    if runs and runs[0].state in (SyncRun.State.FAILED, SyncRun.State.PARTLY_DONE):
        yield _failed(runs[0])
    if rights.sees_changes:
        yield from _unsettled()


def _nothing(title: str, _: str, route: str, label: str) -> Concern:
    url = reverse(f"admin:{route}")
    return Concern("unknown", title, url, remedies=(Remedy(label, url),))


def _away(node: NodeLook, rights: Rights) -> Concern:
    words = "is unreachable" if node.health == Health.UNREACHABLE else "cannot be entered"
    return Concern(
        node.health.value.colour,
        f"{node.name} {words}",
        page_of(node),
        node.reason if rights.sees_reasons else "",
        node.since,
        (check(node.pk),) if node.pk in rights.may_check else (),
    )


def _drifts(nodes: Sequence[NodeLook], rights: Rights) -> Iterator[Concern]:
    mine = [node.pk for node in nodes if node.pk in rights.may_mend]
    if len(nodes) > NAMED or len(mine) > 1:
        total = sum(node.drift for node in nodes)
        yield Concern(
            "missing",
            f"{counted(len(nodes), 'node')} differ from the catalogue",
            map_of(only="trouble"),
            f"{counted(total, 'flavor')} in all, each once for each node",
            remedies=(mend("Repair all…", nodes=mine),) if len(mine) > 1 else (),
        )
    for node in nodes[:NAMED]:
        remedies = (mend("Repair…", nodes=[node.pk]),) if node.pk in rights.may_mend else ()
        title = f"{node.name} has {counted(node.drift, 'flavor')} to mend"
        yield Concern("missing", title, page_of(node), node.told, remedies=remedies)


def _never_compared(nodes: Sequence[NodeLook], rights: Rights) -> Iterator[Concern]:
    if nodes:
        url = reverse("admin:flavors_flavor_compare_now")
        remedies = (Remedy("Compare now", url, (("nodes", ""),)),) if rights.may_mend else ()
        names = ", ".join(node.name for node in nodes[:NAMED])
        title = f"{counted(len(nodes), 'node')} never compared"
        yield Concern("unknown", title, map_of(), names, remedies=remedies)


def _failed(run: SyncRun) -> Concern:
    url = reverse("admin:synchronisation_syncrun_change", args=[run.pk])
    return Concern(
        "differs",
        f"The last run {'failed' if run.state == SyncRun.State.FAILED else 'did not succeed everywhere'}",
        url,
        since=run.finished_at,
        remedies=(Remedy("See why", url),),
    )


def _unsettled() -> Iterator[Concern]:
    """Yield the changes and removals that are stuck. Two queries."""
    models: tuple[tuple[str, str, QuerySet[Any]], ...] = (
        ("change", "under way has met an error", Replacement.objects.exclude(last_error="")),
        ("deleted flavor", "cannot leave a node yet", Removal.objects.exclude(reason="")),
    )
    for thing, words, stuck in models:
        if count := stuck.count():
            url = reverse(f"admin:{stuck.model._meta.app_label}_{stuck.model._meta.model_name}_changelist")
            yield Concern("missing", f"{counted(count, thing)} {words}", url, remedies=(Remedy("See why", url),))


def page_of(node: NodeLook) -> str:
    """Return the URL of a node's page."""
    return reverse("node", args=[node.pk])


def map_of(**query: str) -> str:
    """Return the URL of the coverage map, or of a part of it."""
    url = reverse("admin:flavors_flavor_coverage")
    return f"{url}?{urlencode(query)}" if query else url
