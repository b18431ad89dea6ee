"""A database from before sightings were kept: what its runs have last found is what was last seen."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from flavors.catalogue.states import CHANGED, RECORDED, UNRECORDED
from flavors.models import Flavor, Sighting
from synchronisation.coverage import State, coverage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.thorough]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE = ("flavors", "0007_owner_sees_flavors")


class Before:
    """The database as it was."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps
        self._nodes: dict[str, Any] = {}

    def model(self, name: str, app: str = "flavors") -> Any:
        return self._apps.get_model(app, name)

    def flavor(self, id: str, *, changed: int = 0, **values: Any) -> Any:
        """Make a promoted flavor that was last changed at that hour."""
        values = {"vcpus": 1, "ram": 1, "disk": 1, "public": True, "promoted": True, **values}
        flavor = self.model("Flavor").objects.create(flavorid=id, name=id, **values)
        self.model("Flavor").objects.filter(pk=flavor.pk).update(updated_at=NOON.replace(hour=changed))
        return flavor

    def node(self, name: str) -> Any:
        if name not in self._nodes:
            self._nodes[name] = self.model("Infrastructure", "infrastructures").objects.create(name=name)
        return self._nodes[name]

    def install(self, flavor: Any, node: str, *, hour: int = 0, flavorid: str = "") -> None:
        self.model("Installation").objects.create(
            flavor=flavor,
            infrastructure=self.node(node),
            flavorid=flavorid or flavor.flavorid,
            installed_at=NOON.replace(hour=hour),
        )

    def run(self, node: str, hour: int, *outcomes: tuple[str, ...], whole: bool = True) -> None:
        """Write down what a run found: by outcome the flavor's id, its state, the action and the result."""
        at = NOON.replace(hour=hour)
        run = self.model("SyncRun").objects.create(
            state="drift", finished_at=at, flavorids=[] if whole else [id for id, *_ in outcomes]
        )
        part = self.model("SyncNode").objects.create(
            run=run, infrastructure=self.node(node), name=node, state="done", compared_at=at, finished_at=at
        )
        for id, state, action, result in outcomes:
            self.model("SyncOutcome").objects.create(
                node=part,
                flavorid=id,
                name=id,
                state=state,
                action=action,
                result=result,
                differences=[{"member": state}],
            )


@pytest.fixture
def before() -> Iterator[Before]:
    executor = MigrationExecutor(connection)
    executor.migrate([BEFORE])
    try:
        yield Before(executor.loader.project_state([BEFORE]).apps)
    finally:
        call_command("migrate", verbosity=0)


def migrate() -> dict[str, dict[str, str]]:
    """Bring the database up to date, and return the map: the states by node, by flavor."""
    call_command("migrate", verbosity=0)
    found = coverage()
    return {row.name: dict(zip((node.name for node in found.nodes), row.states, strict=True)) for row in found.rows}


def test_what_the_last_runs_found_is_what_was_last_seen(before: Before) -> None:
    for id in ("a", "b", "c"):
        before.flavor(id)
    before.run("Crete", 8, ("a", "different", "cannot", ""), whole=False)
    before.run("Crete", 9, ("a", "missing", "create", "planned"), ("b", "name_taken", "cannot", ""))
    before.run("Crete", 10, ("b", "different", "cannot", ""), whole=False)
    before.run("Rohan", 9, ("a", "in_sync", "adopt", "planned"), ("b", "other_id", "adopt", "planned"))
    assert migrate() == {
        "a": {"Crete": State.MISSING, "Rohan": State.IN_SYNC},
        "b": {"Crete": State.DIFFERENT, "Rohan": State.OTHER_ID},
        "c": {"Crete": UNRECORDED, "Rohan": UNRECORDED},
    }
    kept = Sighting.objects.get(flavor__flavorid="b", infrastructure__name="Crete")
    assert (kept.since, kept.seen_at) == (NOON.replace(hour=10), NOON.replace(hour=10))
    assert kept.differences == [{"member": "different"}]


def test_a_node_in_which_a_flavor_was_found_missing_is_not_among_its_nodes_any_more(before: Before) -> None:
    flavor = before.flavor("a")
    for node in ("Crete", "Mordor", "Rohan", "Spain2"):
        before.install(flavor, node, hour=11 if node == "Spain2" else 0, flavorid=f"a-{node}")
    before.run("Crete", 9, ("a", "missing", "create", "planned"))
    before.run("Mordor", 9, ("a", "missing", "create", "done"))
    before.run("Rohan", 9, ("a", "in_sync", "nothing", ""))
    before.run("Spain2", 9, ("a", "missing", "create", "planned"))  # and was installed there since
    assert migrate() == {
        "a": {"Crete": State.MISSING, "Mordor": State.IN_SYNC, "Rohan": State.IN_SYNC, "Spain2": RECORDED}
    }
    assert Flavor.objects.get().nodes == ["Mordor", "Rohan", "Spain2"]
    assert Sighting.objects.get(infrastructure__name="Crete").flavorid == "a-Crete"


def test_what_is_not_known_to_hold_still_is_not_told(before: Before) -> None:
    before.install(before.flavor("changed", changed=10, extra_specs={"a": "b"}), "Crete")
    before.flavor("deleted since")
    found = [("changed", "in_sync", "nothing", ""), ("deleted since", "in_sync", "nothing", "")]
    before.run("Crete", 9, *found, ("gone", "missing", "create", "planned"))
    assert migrate() == {"changed": {"Crete": CHANGED}, "deleted since": {"Crete": UNRECORDED}}


def test_a_node_that_the_last_run_could_not_ask_is_known_by_the_one_before(before: Before) -> None:
    before.flavor("a")
    before.run("Crete", 9, ("a", "missing", "create", "planned"))
    before.run("Crete", 10, ("a", "unreachable", "cannot", ""))
    before.run("Rohan", 10, ("a", "unreachable", "cannot", ""))
    assert migrate() == {"a": {"Crete": State.UNREACHABLE, "Rohan": State.UNREACHABLE}}
    assert Sighting.objects.get().state == State.MISSING


def test_it_can_be_undone_and_done_again(before: Before) -> None:
    before.flavor("a")
    before.run("Crete", 9, ("a", "missing", "create", "planned"))
    for _ in range(2):
        assert migrate() == {"a": {"Crete": State.MISSING}}
        call_command("migrate", *BEFORE, verbosity=0)
