"""A run works on each node in a thread, over a database connection of its own: what leaks and what breaks there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, connection, connections

from flavors.models import Installation
from infrastructures.clouds import CLOUDS_AT_ONCE
from infrastructures.models import Infrastructure
from infrastructures.registration import unregister_infrastructure
from synchronisation.models import SyncNode, SyncRun
from synchronisation.running import carry_out, create_run
from synchronisation.tasks import carry_out_run
from testing.cloud import Federation
from testing.holder import held_by_a_thread
from testing.shell import run
from testing.synchronising import clouds_that_lack_a_flavor

pytestmark = pytest.mark.django_db(transaction=True)

NODES = 20
CREATE = "POST /flavors"


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Twenty clouds that lack a promoted flavor."""
    with clouds_that_lack_a_flavor(NODES) as federation:
        yield federation


def repairing_run() -> SyncRun:
    return create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)


# SQLite itself keeps the files of connections that are closed, for the next ones, while another one is open.
KEPT = CLOUDS_AT_ONCE


def open_connections() -> int:
    """Count the connections to the tests' database, on SQLite its open files, whoever has them."""
    name = connection.settings_dict["NAME"]
    if connection.vendor != "mysql":
        return sum(str(file.resolve()) == name for file in Path("/proc/self/fd").iterdir())
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE db = %s", [name])
        return int(cursor.fetchone()[0])


def in_first_node(federation: Federation, call: str, act: Callable[[], object]) -> None:
    """Have something happen in the thread of Node00 when it makes a call."""

    def before_call(made: str) -> None:
        if made == call:
            act()

    federation.clouds["Node00"].before_call = before_call


def drop_connection() -> None:
    """Break this thread's connection to the database behind Django's back."""
    if connection.vendor == "mysql":
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute("KILL CONNECTION_ID()")
    else:
        connection.connection.close()


def assert_all_but_the_first_are_repaired(run: SyncRun) -> None:
    done = run.nodes.filter(state=SyncNode.State.DONE).values_list("name", flat=True)
    assert list(done) == [f"Node{number:02}" for number in range(1, NODES)]
    assert Installation.objects.exclude(infrastructure__name="Node00").count() == NODES - 1


def test_no_connection_outlives_a_run_of_20_nodes(federation: Federation) -> None:
    before, opened = open_connections(), set()
    for cloud in federation.clouds.values():
        cloud.before_call = lambda call: opened.add(id(connection.connection))
    for _ in range(3):
        ended = carry_out(repairing_run().pk)
        assert (ended.state, Installation.objects.count()) == (SyncRun.State.IN_SYNC, NODES)
    assert open_connections() <= before + (KEPT if connection.vendor == "sqlite" else 0)
    assert id(connection.connection) not in opened
    assert len(opened) > 1


def test_what_a_bug_does_in_one_node_is_written_down_and_ends_the_run(federation: Federation) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    in_first_node(federation, CREATE, fail)
    ended = carry_out(repairing_run().pk)
    node = ended.nodes.get(name="Node00")
    assert (ended.state, node.state) == (SyncRun.State.PARTLY_DONE, SyncNode.State.FAILED)
    assert node.error == "Flavor Sync itself failed here; its log says why."
    assert ended.finished_at
    assert node.finished_at
    assert_all_but_the_first_are_repaired(ended)


def test_a_connection_to_the_database_that_is_dropped_costs_at_most_its_own_node(federation: Federation) -> None:
    in_first_node(federation, CREATE, drop_connection)
    ended = carry_out(repairing_run().pk)
    node = ended.nodes.get(name="Node00")
    if connection.vendor == "mysql":  # whose driver says that it is lost: what was done is recorded over another
        assert (ended.state, node.state) == (SyncRun.State.IN_SYNC, SyncNode.State.DONE)
    else:
        assert (ended.state, node.state) == (SyncRun.State.PARTLY_DONE, SyncNode.State.FAILED)
        assert_all_but_the_first_are_repaired(ended)

    # Nova has the flavor by now, recorded or not; and nobody is left who holds the node.
    in_first_node(federation, CREATE, lambda: None)
    assert carry_out(repairing_run().pk).state == SyncRun.State.IN_SYNC
    assert Installation.objects.count() == NODES


def test_a_run_whose_database_goes_away_stays_open_and_is_taken_up(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructures.commits.SECONDS_TO_WAIT_FOR_DATABASE", 0.5)
    settings_dict, gone = connection.settings_dict, {"NAME": "/nonexistent/database", "HOST": "127.0.0.1", "PORT": "1"}
    here = {name: settings_dict[name] for name in gone}

    def go_away() -> None:
        connection.close()
        settings_dict.update(gone)

    in_first_node(federation, CREATE, go_away)
    interrupted = repairing_run()
    try:
        with pytest.raises(Error):
            carry_out(interrupted.pk)
    finally:
        settings_dict.update(here)
    interrupted.refresh_from_db()
    assert interrupted.state == SyncRun.State.RUNNING

    in_first_node(federation, CREATE, lambda: None)
    assert run("run_scheduler", "--once") == f"Run {interrupted.pk} was cut short and is taken up again.\n"
    carry_out_run.call(interrupted.pk)
    interrupted.refresh_from_db()
    assert (interrupted.state, interrupted.attempts) == (SyncRun.State.IN_SYNC, 2)
    assert interrupted.nodes.filter(state=SyncNode.State.DONE).count() == NODES
    assert Installation.objects.count() == NODES
    assert all(list(cloud.flavors) == ["tiny"] for cloud in federation.clouds.values())


def test_a_run_that_somebody_else_carries_out_is_left_to_them(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synchronisation.running.SECONDS_TO_WAIT_FOR_A_LOOK", 0.1)
    theirs = repairing_run()
    with held_by_a_thread(f"run:{theirs.pk}"):
        assert carry_out(theirs.pk).state == SyncRun.State.WAITING
    assert federation.calls() == {}
    assert carry_out(theirs.pk).attempts == 1
    assert carry_out(theirs.pk).attempts == 1, "it has ended"


def test_a_node_that_another_run_does_not_let_go_of_fails_and_the_others_are_repaired(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synchronisation.crew.SECONDS_TO_WAIT_FOR_A_NODE", 0.1)
    first = Infrastructure.objects.get(name="Node00")
    with held_by_a_thread(f"synchronisation:{first.pk}"):
        ended = carry_out(repairing_run().pk)
    assert ended.state == SyncRun.State.PARTLY_DONE
    assert ended.nodes.get(name="Node00").error == "Another run is at work in this node."
    assert federation.clouds["Node00"].calls == []
    assert_all_but_the_first_are_repaired(ended)


def test_a_node_that_is_unregistered_meanwhile_is_said_to_be(federation: Federation) -> None:
    waiting = repairing_run()
    Infrastructure.objects.get(name="Node00").delete()
    ended = carry_out(waiting.pk)
    assert ended.nodes.get(name="Node00").error == "The node is no longer registered."
    assert_all_but_the_first_are_repaired(ended)


def test_a_node_that_is_unregistered_while_its_run_is_written_down_is_said_to_be(federation: Federation) -> None:
    chosen = list(Infrastructure.objects.all())
    Infrastructure.objects.get(name="Node00").delete()
    ended = carry_out(create_run(requested_by="test", infrastructures=chosen, repairs=True).pk)
    assert ended.nodes.get(name="Node00").error == "The node is no longer registered."
    assert_all_but_the_first_are_repaired(ended)


def test_a_node_is_unregistered_while_a_run_over_it_is_written_down(federation: Federation) -> None:
    """The run waits for that, rather than keep the node registered."""
    written: list[SyncRun] = []

    def write_down() -> None:
        written.append(repairing_run())
        connections.close_all()

    thread = threading.Thread(target=write_down)

    def meanwhile(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("DELETE") and connection.ops.quote_name(Infrastructure._meta.db_table) in sql:
            thread.start()
            thread.join(1)
        return execute(sql, *arguments)

    with connection.execute_wrapper(meanwhile):
        unregister_infrastructure(infrastructure=Infrastructure.objects.get(name="Node00"))
    thread.join()
    assert not Infrastructure.objects.filter(name="Node00").exists()
    assert len(written) == 1
