"""A run over many nodes: no cloud holds up another, and the connections to the database are few, however many nodes."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.signals import connection_created
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from flavors.models import Flavor
from infrastructures.clouds import CLOUDS_AT_ONCE
from infrastructures.models import Infrastructure
from synchronisation.comparing import expected_by_node
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.node import to_be_settled
from synchronisation.recording import record_ends, record_plans, record_starts
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation
from testing.farm import registered_farm
from testing.flavors import document_of, make_flavor
from testing.infrastructures import make_registered
from testing.synchronising import clouds_that_lack_a_flavor, make_run

pytestmark = pytest.mark.django_db(transaction=True)

NODES = 2 * CLOUDS_AT_ONCE
LIST, CREATE = "GET /flavors/detail", "POST /flavors"


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Many clouds that lack a promoted flavor."""
    with clouds_that_lack_a_flavor(NODES) as federation:
        yield federation


def a_run() -> SyncRun:
    return create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)


def connections_of(run: SyncRun) -> int:
    """Carry the run out, and return how many connections to the database that took."""
    made: list[object] = []

    def note(**_: object) -> None:
        made.append(None)

    connection_created.connect(note)
    try:
        assert carry_out(run.pk).state == SyncRun.State.IN_SYNC
    finally:
        connection_created.disconnect(note)
    return len(made)


def test_asking_takes_no_connection_and_repairing_a_bounded_number(federation: Federation) -> None:
    assert 0 < connections_of(a_run()) <= CLOUDS_AT_ONCE
    assert all(cloud.calls == [LIST, CREATE] for cloud in federation.clouds.values())
    assert connections_of(a_run()) == 0


def test_clouds_that_do_not_answer_hold_up_no_other(settings: Settings) -> None:
    settings.OPENSTACK_TIMEOUT, settings.INFRASTRUCTURE_URL_ALLOWLIST = 120.0, ["127.0.0.1"]
    make_flavor(flavorid="tiny")
    living = {f"Cloud{number}" for number in range(NODES - 4, NODES)}
    ended: list[str] = []
    with registered_farm(NODES) as farm:
        farm.dead = set(range(NODES - 4))

        def listen(node: SyncNode, outcome: SyncOutcome | None) -> None:
            """Have the dead come back when all others have ended."""
            if outcome is None:
                ended.append(node.name)
            if living <= set(ended):
                farm.dead.clear()

        state = carry_out(a_run().pk, listen=listen).state
    assert state == SyncRun.State.IN_SYNC
    assert set(ended[:4]) == living
    assert len(ended) == NODES


def test_what_many_nodes_have_is_written_down_together() -> None:
    flavors = [make_flavor(flavorid=f"f{number}", name=f"f{number}") for number in range(3)]

    def queries_of(count: int) -> int:
        for number in range(count):
            make_registered(f"Node{count}-{number}")
        named = Infrastructure.objects.filter(name__startswith=f"Node{count}-")
        run = make_run(*named.values_list("name", flat=True))
        nodes, found = list(run.nodes.select_related("run")), list(named)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            record_starts(nodes)
            expected_by_node(found, flavors)
            to_be_settled(run, found)
            record_plans(run, dict.fromkeys(nodes, (flavors, [])))
            record_ends(dict.fromkeys(nodes, ""))
        run.refresh_from_db()
        assert (run.nodes_ended, run.nodes_compared, run.flavors_done) == (count, count, 3 * count)
        return len(queries)

    queries_of(1)  # which also writes down the list of the flavors
    assert queries_of(20) == queries_of(2)


def test_one_node_that_cannot_be_written_down_fails_alone(federation: Federation) -> None:
    def unregister(call: str) -> None:
        if call == LIST:
            Infrastructure.objects.filter(name="Node00").delete()

    for cloud in federation.clouds.values():
        cloud.flavors["tiny"] = document_of(Flavor.objects.get())
    federation.clouds["Node00"].before_call = unregister
    ended = carry_out(a_run().pk)
    assert ended.finished_at is not None
    assert ended.nodes_ended == NODES
    assert Flavor.objects.get().installations.count() == NODES - 1
