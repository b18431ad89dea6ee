"""What the catalogue wants and a node has may change while a run waits and works: it writes nothing from before."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from synchronisation.comparing import compare_nodes
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.planning import fingerprint, plan
from synchronisation.removing import note_removals
from synchronisation.repairing import UNCONFIRMED
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor
from testing.holder import held_by_a_thread
from testing.infrastructures import make_registered
from testing.proxied import until

pytestmark = pytest.mark.django_db(transaction=True)

COUNT, CREATE = "GET /servers", "POST /flavors"


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A registered cloud without a flavor."""
    make_registered("Mordor")
    with Federation() as federation:
        yield federation.add("Mordor")


def run(**options: Any) -> SyncRun:
    infrastructures = Infrastructure.objects.all()
    return carry_out(create_run(requested_by="test", infrastructures=infrastructures, repairs=True, **options).pk)


def at_first(cloud: RegisteredCloud, call: str, act: Callable[[], object]) -> None:
    """Have something happen when the cloud is called so for the first time."""

    def before_call(made: str) -> None:
        if made == call and cloud.calls.count(call) == 1:
            act()

    cloud.before_call = before_call


def change(flavorid: str, **values: Any) -> Callable[[], object]:
    return lambda: Flavor.objects.filter(flavorid=flavorid).update(**values)


def outcome(flavorid: str) -> tuple[str, str]:
    found = SyncOutcome.objects.filter(flavorid=flavorid).latest("pk")
    return found.result, found.reason


# What the node has


@pytest.mark.parametrize("exact", [False, True])
def test_an_extra_spec_that_is_added_before_a_replacement_is_kept(mordor: RegisteredCloud, exact: bool) -> None:
    tiny = make_flavor(flavorid="tiny", extra_specs={"hw:numa_nodes": "1"})
    mordor.flavors["tiny"] = document_of(tiny, ram=1)
    at_first(mordor, COUNT, lambda: mordor.flavors["tiny"]["extra_specs"].update({"quota:vif": "2"}))
    assert run(replaces=True, exact=exact).state == SyncRun.State.IN_SYNC
    kept = {} if exact else {"quota:vif": "2"}
    assert mordor.flavors["tiny"]["extra_specs"] == {"hw:numa_nodes": "1", **kept}
    assert mordor.flavors["tiny"]["ram"] == tiny.ram


# What the catalogue wants


def test_a_run_that_has_waited_for_a_node_brings_what_is_wanted_then(mordor: RegisteredCloud) -> None:
    for name in ("changed", "renamed", "deleted", "unpromoted"):
        make_flavor(flavorid=name, name=name)
    waiting = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)

    def carry_it_out() -> SyncRun:
        try:
            return carry_out(waiting.pk)
        finally:
            connection.close()

    def is_at_work() -> bool:
        with suppress(OperationalError):  # SQLite's in memory does not wait
            return SyncRun.objects.filter(state=SyncRun.State.RUNNING).exists()
        return False

    with held_by_a_thread(f"synchronisation:{Infrastructure.objects.get().pk}") as let_go, ThreadPoolExecutor() as pool:
        running = pool.submit(carry_it_out)
        until(is_at_work)
        change("changed", ram=77)()
        change("renamed", name="anew")()
        change("unpromoted", promoted=False)()
        Flavor.objects.filter(flavorid="deleted").delete()
        make_flavor(flavorid="promoted", name="promoted")
        let_go.set()
        assert running.result().state == SyncRun.State.IN_SYNC
    assert {id: (flavor["name"], flavor["ram"]) for id, flavor in mordor.flavors.items()} == {
        "changed": ("changed", 77),
        "renamed": ("anew", 2),
        "promoted": ("promoted", 2),
    }


def test_a_flavor_is_created_as_it_is_wanted_by_then(mordor: RegisteredCloud, settings: Settings) -> None:
    settings.CLOUD_CONCURRENCY = 1
    make_flavor(flavorid="a", name="a")
    make_flavor(flavorid="b", name="b")
    at_first(mordor, CREATE, change("b", ram=77, name="renamed"))
    assert run().state == SyncRun.State.IN_SYNC
    assert (mordor.flavors["b"]["name"], mordor.flavors["b"]["ram"]) == ("renamed", 77)


@pytest.mark.parametrize("gone", [{"promoted": False}, None], ids=["unpromoted", "deleted"])
def test_a_flavor_that_is_no_longer_wanted_is_not_created(
    mordor: RegisteredCloud, settings: Settings, gone: dict[str, Any] | None
) -> None:
    settings.CLOUD_CONCURRENCY = 1
    make_flavor(flavorid="a", name="a")
    make_flavor(flavorid="b", name="b")
    at_first(mordor, CREATE, change("b", **gone) if gone else Flavor.objects.filter(flavorid="b").delete)
    assert run().state == SyncRun.State.PARTLY_DONE
    assert outcome("b") == ("failed", "The flavor b does not exist")
    assert list(mordor.flavors) == ["a"]
    assert mordor.calls.count(CREATE) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"description": "new", "extra_specs": {"hw:numa_nodes": "3", "quota:vif": "1"}}, ("done", "")),
        ({"ram": 77}, ("failed", "Somebody else has just changed the flavor b in the catalogue.")),
    ],
    ids=["what can be changed in place", "what cannot"],
)
def test_a_flavor_is_changed_in_place_to_what_is_wanted_by_then(
    mordor: RegisteredCloud, changes: dict[str, Any], told: tuple[str, str]
) -> None:
    make_flavor(flavorid="a", name="a")
    b = make_flavor(flavorid="b", name="b", description="old", extra_specs={"hw:numa_nodes": "2"})
    mordor.flavors["b"] = document_of(b, description="", extra_specs={"ours": "1"})
    at_first(mordor, CREATE, change("b", **changes))
    run()
    assert outcome("b") == told
    wanted: dict[str, Any] = {"description": "", "extra_specs": {}} if told[0] == "failed" else changes
    assert mordor.flavors["b"]["description"] == wanted["description"]
    assert mordor.flavors["b"]["extra_specs"] == wanted["extra_specs"] | {"ours": "1"}


def test_a_flavor_is_replaced_by_what_is_wanted_by_then(mordor: RegisteredCloud) -> None:
    tiny = make_flavor(flavorid="tiny")
    mordor.flavors["tiny"] = document_of(tiny, ram=1)
    at_first(mordor, COUNT, change("tiny", ram=77, extra_specs={"quota:vif": "1"}))
    assert run(replaces=True).state == SyncRun.State.IN_SYNC
    assert (mordor.flavors["tiny"]["ram"], mordor.flavors["tiny"]["extra_specs"]) == (77, {"quota:vif": "1"})


@pytest.mark.parametrize("where", ["in the catalogue", "in the node"])
def test_what_was_confirmed_is_not_done_otherwise(mordor: RegisteredCloud, where: str) -> None:
    tiny = make_flavor(flavorid="tiny")
    mordor.flavors["tiny"] = document_of(tiny, ram=1)
    (comparison,) = compare_nodes(infrastructures=list(Infrastructure.objects.all()), flavors=[tiny])
    step = plan(comparison.findings[0], replaces=True)
    confirmed = [fingerprint(step, node=Infrastructure.objects.get().pk, servers=0)]
    in_the_node = lambda: mordor.flavors["tiny"].update(ram=5)  # noqa: E731
    at_first(mordor, COUNT, change("tiny", ram=77) if where == "in the catalogue" else in_the_node)
    assert run(replaces=True, confirmed=confirmed).state == SyncRun.State.FAILED
    assert outcome("tiny") == ("failed", UNCONFIRMED)
    assert mordor.flavors["tiny"]["ram"] == (1 if where == "in the catalogue" else 5)
    assert not any(call.startswith("DELETE") for call in mordor.calls)


def test_what_was_deleted_from_the_catalogue_goes_by_no_run_that_has_shown_something_else(
    mordor: RegisteredCloud,
) -> None:
    gone = make_flavor(flavorid="gone")
    run()
    note_removals(gone, requested_by="test")
    gone.installations.all().delete()
    Sighting.objects.all().delete()
    gone.delete()
    run(confirmed=[])
    assert "gone" in mordor.flavors
    run()
    assert "gone" not in mordor.flavors


def test_nobody_is_granted_access_by_a_run_that_has_shown_something_else(
    mordor: RegisteredCloud, settings: Settings
) -> None:
    settings.KEYSTONE_URL = Infrastructure.objects.get().keystone_url
    private = make_flavor(flavorid="private", is_public=False)
    run(confirmed=[])
    private.grants.create(project="ours")
    run(confirmed=[])
    assert not [call for call in mordor.calls if call.endswith(("os-flavor-access", "action"))]
