"""What a run has done in a node is written down many steps at once: the cost, and what happens when it cannot be."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from flavors.models import Flavor, Installation
from infrastructures.models import Infrastructure
from synchronisation import repairing
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor, make_installation
from testing.infrastructures import make_registered
from testing.queries import Execute, counting_in_new_connections, wrapped_in_new_connections

pytestmark = pytest.mark.django_db(transaction=True)

LIST, CREATE = "GET /flavors/detail", "POST /flavors"
# What is wanted and what is ignored are read; then all locks are taken at once and let go at once. Between the two is
# asked whether a replacement is open; and the creations are written down before they are sent, and that goes when they
# are answered. SQLite counts the beginning of a transaction.
QUERIES_PER_FOUR = 7 if connection.vendor == "mysql" else 6
NEVER, AT_ONCE = 1_000_000, 0


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A registered cloud without flavors."""
    make_registered("Mordor")
    with Federation() as federation:
        yield federation.add("Mordor")


@pytest.fixture(autouse=True)
def _in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing written down before the last step of a node has been taken."""
    monkeypatch.setattr(repairing, "SECONDS_BETWEEN_RECORDS", NEVER)


def promote(count: int) -> list[Flavor]:
    """Have so many promoted flavors more."""
    first = Flavor.objects.count()
    return [make_flavor(flavorid=f"f{number:02}", name=f"f{number:02}") for number in range(first, first + count)]


def run() -> SyncRun:
    infrastructures = Infrastructure.objects.all()
    return carry_out(create_run(requested_by="test", infrastructures=infrastructures, repairs=True).pk)


def results(run: SyncRun) -> dict[str, str]:
    return dict(SyncOutcome.objects.filter(node__run=run).values_list("flavorid", "result"))


def recorded() -> dict[str, str]:
    return dict(Installation.objects.values_list("flavor__flavorid", "flavorid"))


# Cost


@pytest.mark.parametrize("known", [False, True], ids=["never there", "has gone"])
def test_four_flavors_that_are_created_cost_a_call_each_and_seven_queries(mordor: RegisteredCloud, known: bool) -> None:
    def queries_of(count: int) -> int:
        for flavor in promote(count):
            if known:
                make_installation(flavor, "Mordor")
        mordor.calls.clear()
        with counting_in_new_connections() as asked:
            assert run().state == SyncRun.State.IN_SYNC
        assert mordor.calls == [LIST, *[CREATE] * count]
        assert recorded().keys() == mordor.flavors.keys()
        return len(asked)

    assert queries_of(24) - queries_of(4) == 5 * QUERIES_PER_FOUR


def test_flavors_that_are_adopted_cost_no_query_each(mordor: RegisteredCloud) -> None:
    def queries_of(count: int) -> int:
        mordor.flavors.update({flavor.flavorid: document_of(flavor) for flavor in promote(count)})
        with counting_in_new_connections() as asked:
            assert run().state == SyncRun.State.IN_SYNC
        assert recorded().keys() == mordor.flavors.keys()
        return len(asked)

    assert queries_of(25) == queries_of(5)


# When


@pytest.mark.parametrize(("seconds", "shown"), [(AT_ONCE, [0, 1, 2]), (NEVER, [0, 0, 0])])
def test_what_was_done_is_shown_before_the_next_step_when_it_is_time(
    mordor: RegisteredCloud, settings: Settings, monkeypatch: pytest.MonkeyPatch, seconds: int, shown: list[int]
) -> None:
    settings.CLOUD_CONCURRENCY = 1
    monkeypatch.setattr(repairing, "SECONDS_BETWEEN_RECORDS", seconds)
    promote(3)
    done: list[int] = []

    def look(call: str) -> None:
        if call == CREATE:
            done.append(SyncOutcome.objects.filter(result=SyncOutcome.Result.DONE, seconds__gte=0).count())
            assert Installation.objects.count() == done[-1]

    mordor.before_call = look
    assert run().state == SyncRun.State.IN_SYNC
    assert done == shown
    assert Installation.objects.count() == 3


def test_what_was_done_before_a_bug_is_written_down(mordor: RegisteredCloud, settings: Settings) -> None:
    settings.CLOUD_CONCURRENCY = 1
    promote(3)

    def fail(call: str) -> None:
        if mordor.calls.count(CREATE) == 3:
            raise RuntimeError("a bug")

    mordor.before_call = fail
    ended = run()
    assert SyncNode.objects.get().error == "Flavor Sync itself failed here; its log says why."
    assert results(ended) == {"f00": "done", "f01": "done", "f02": "planned"}
    assert recorded().keys() == mordor.flavors.keys() == {"f00", "f01"}


# What cannot be recorded


def test_only_the_flavor_that_leaves_the_catalogue_meanwhile_leaves_the_node_again(mordor: RegisteredCloud) -> None:
    promote(3)

    def delete(call: str) -> None:
        if mordor.calls.count(CREATE) == 3:
            Flavor.objects.filter(flavorid="f01").delete()

    mordor.before_call = delete
    ended = run()
    assert ended.state == SyncRun.State.PARTLY_DONE
    assert results(ended) == {"f00": "done", "f01": "failed", "f02": "done"}
    assert SyncOutcome.objects.get(flavorid="f01").reason == "The flavor f01 does not exist"
    assert recorded().keys() == mordor.flavors.keys() == {"f00", "f02"}


def test_only_the_flavor_whose_id_is_another_ones_there_leaves_the_node_again(mordor: RegisteredCloud) -> None:
    promote(3)
    other = make_flavor(flavorid="other", name="other", promoted=False)

    def install(call: str) -> None:
        if call == CREATE and mordor.calls.count(CREATE) == 1:  # after the node was compared
            make_installation(other, "Mordor", flavorid="f01")

    mordor.before_call = install
    ended = run()
    assert results(ended) == {"f00": "done", "f01": "failed", "f02": "done"}
    reason = SyncOutcome.objects.get(flavorid="f01").reason
    assert reason == "Mordor has another flavor of the catalogue under the id f01."
    assert mordor.flavors.keys() == {"f00", "f02"}
    assert recorded() == {"f00": "f00", "f02": "f02", "other": "f01"}


def test_flavors_that_are_there_under_another_id_than_was_known_are_recorded_so(mordor: RegisteredCloud) -> None:
    for flavor in promote(2):
        make_installation(flavor, "Mordor", flavorid=f"was-{flavor.flavorid}")
        mordor.flavors[f"is-{flavor.flavorid}"] = document_of(flavor, id=f"is-{flavor.flavorid}")
    assert results(run()) == {"f00": "done", "f01": "done"}
    assert recorded() == {"f00": "is-f00", "f01": "is-f01"}


def refuse_installations(execute: Execute, sql: str, *arguments: Any) -> Any:
    if sql.startswith("INSERT INTO") and "flavors_installation" in sql:
        raise OperationalError("the disk is full")
    return execute(sql, *arguments)


def test_what_the_database_does_not_take_leaves_the_node_again(mordor: RegisteredCloud) -> None:
    promote(3)
    with wrapped_in_new_connections(refuse_installations):
        ended = run()
    assert ended.state == SyncRun.State.FAILED
    assert results(ended) == dict.fromkeys(["f00", "f01", "f02"], "planned")
    assert (mordor.flavors, recorded()) == ({}, {})
    assert run().state == SyncRun.State.IN_SYNC
    assert recorded().keys() == mordor.flavors.keys() == {"f00", "f01", "f02"}


def test_what_the_node_keeps_of_it_is_adopted_by_the_next_run(
    mordor: RegisteredCloud, caplog: pytest.LogCaptureFixture
) -> None:
    promote(3)
    mordor.failing["DELETE /flavors/f00"] = 409
    with wrapped_in_new_connections(refuse_installations):
        assert run().state == SyncRun.State.FAILED
    assert mordor.flavors.keys() == {"f00"}
    assert not recorded()
    assert "Mordor keeps flavor f00, which is not recorded" in caplog.text
    assert "the disk is full" in caplog.text
    del mordor.failing["DELETE /flavors/f00"]
    assert run().state == SyncRun.State.IN_SYNC
    assert recorded().keys() == mordor.flavors.keys() == {"f00", "f01", "f02"}
