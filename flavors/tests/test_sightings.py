"""What was last seen of flavors in nodes: what is recorded and when, and which nodes a flavor then has."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from flavors.catalogue import recording, services, sightings
from flavors.catalogue.changes import record_change
from flavors.catalogue.sightings import State
from flavors.models import Flavor, Installation, Sighting
from infrastructures.clouds import open_nova
from infrastructures.models import Infrastructure
from infrastructures.openstack.records import NovaFlavor
from infrastructures.registration import unregister_infrastructure
from synchronisation.models import LastComparison, SyncRun
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor, make_infrastructure, make_installation
from testing.infrastructures import make_registered, make_replacement
from testing.queries import Execute

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /flavors/detail"


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A registered cloud without flavors."""
    make_registered("Mordor")
    with Federation() as federation:
        yield federation.add("Mordor")


@pytest.fixture
def tiny() -> Flavor:
    return make_flavor(flavorid="tiny", name="m1.tiny", ram=512)


def run(**options: Any) -> SyncRun:
    run = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), **options)
    return carry_out(run.pk)


def seen() -> tuple[str, list[str]]:
    """Return the state that is kept, and the nodes of the flavor."""
    return Sighting.objects.get(flavor__flavorid="tiny").state, Flavor.objects.get(flavorid="tiny").nodes


def rows_read_by(work: Callable[[], object]) -> list[str]:
    """Return the queries of *work* that read the rows of sightings, and do not just count them."""
    with CaptureQueriesContext(connection) as queries:
        work()
    read = [query["sql"] for query in queries if "differences" in query["sql"] and "flavors_sighting" in query["sql"]]
    return [sql for sql in read if sql.startswith("SELECT")]


# What comparisons write


def test_a_comparison_that_finds_nothing_new_writes_nothing(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny)
    run()
    before = Sighting.objects.values().get()
    run()
    assert Sighting.objects.values().get() == before
    assert before["since"] == before["seen_at"] <= timezone.now()


def test_what_is_in_sync_and_recorded_so_is_not_read(mordor: RegisteredCloud, tiny: Flavor) -> None:
    """Reading a hundred rows of each of a thousand nodes was most of a run with nothing to do."""
    small = make_flavor(flavorid="small", name="m1.small")
    mordor.flavors |= {flavor.flavorid: document_of(flavor) for flavor in (tiny, small)}
    run()
    assert not rows_read_by(run)
    mordor.flavors["small"]["ram"] = 7
    assert rows_read_by(run)
    assert dict(Sighting.objects.values_list("flavor__flavorid", "state")) == {"tiny": "in_sync", "small": "different"}
    tiny.description = "new"
    tiny.save()
    mordor.flavors["tiny"]["description"] = "new"
    assert rows_read_by(run)
    assert Sighting.objects.get(flavor=tiny).digest == tiny.digest


def test_another_flavors_sighting_does_not_stand_for_one_that_is_new(mordor: RegisteredCloud, tiny: Flavor) -> None:
    """As many rows say "in sync" as there are flavors to compare, but one of them is about another flavor."""
    mordor.flavors["tiny"] = document_of(tiny)
    run()
    Flavor.objects.filter(pk=tiny.pk).update(promoted=False, public=False)
    mordor.flavors["small"] = document_of(make_flavor(flavorid="small", name="m1.small"))
    run()
    assert set(Sighting.objects.values_list("flavor__flavorid", "state")) == {("tiny", "in_sync"), ("small", "in_sync")}


@pytest.mark.parametrize("repairs", [False, True])
def test_a_node_in_which_the_flavor_is_missing_is_not_among_its_nodes_until_it_is_there_again(
    mordor: RegisteredCloud, tiny: Flavor, repairs: bool
) -> None:
    mordor.flavors["tiny"] = document_of(tiny)
    run(repairs=True)
    assert seen() == (State.IN_SYNC, ["Mordor"])
    del mordor.flavors["tiny"]
    run(repairs=False)
    assert seen() == (State.MISSING, [])
    mordor.flavors["tiny"] = document_of(tiny)
    run(repairs=repairs)
    assert seen() == (State.IN_SYNC, ["Mordor"])


def test_it_is_there_again_also_under_the_id_that_it_had_there(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["42"] = document_of(tiny, id="42")
    run(repairs=True)
    del mordor.flavors["42"]
    run()
    assert seen() == (State.MISSING, [])
    mordor.flavors["42"] = document_of(tiny, id="42", ram=7)
    run()
    assert seen() == (State.DIFFERENT, ["Mordor"])
    assert Installation.objects.get().flavorid == "42"


def test_it_does_not_come_back_by_an_id_that_is_another_ones_by_now(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run(repairs=True)
    del mordor.flavors["tiny"]
    run()
    other = make_flavor(flavorid="other", name="other", promoted=False)
    make_installation(other, "Mordor", flavorid="tiny")
    mordor.flavors["tiny"] = document_of(other, id="tiny")
    assert run().state == SyncRun.State.DRIFT
    assert seen() == (State.DIFFERENT, [])
    assert other.nodes == ["Mordor"]


def test_a_flavor_whose_name_another_one_has_there_is_not_there(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run(repairs=True)
    mordor.flavors.clear()
    mordor.flavors["else"] = document_of(tiny, id="else", ram=7)
    run()
    assert seen() == (State.NAME_TAKEN, [])


def test_one_that_is_there_with_other_values_is_there(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run(repairs=True)
    since = Sighting.objects.get().since
    mordor.flavors["tiny"]["ram"] = 7
    run()
    assert seen() == (State.DIFFERENT, ["Mordor"])
    kept = Sighting.objects.get()
    assert kept.differences == [{"member": "ram", "node": 7, "catalogue": 512, "cause": "node"}]
    assert kept.since > since
    mordor.flavors["tiny"]["ram"] = 8
    run()
    again = Sighting.objects.get()
    assert (again.since, again.differences[0]["node"]) == (kept.since, 8)


def test_one_that_a_comparison_finds_and_nobody_recorded_is_none_of_its_nodes_before_it_is_adopted(
    mordor: RegisteredCloud, tiny: Flavor
) -> None:
    mordor.flavors["tiny"] = document_of(tiny)
    run()
    assert seen() == (State.IN_SYNC, [])
    run(repairs=True)
    assert seen() == (State.IN_SYNC, ["Mordor"])


def test_what_is_missing_while_it_is_being_replaced_is_not_taken_for_gone(
    mordor: RegisteredCloud, tiny: Flavor
) -> None:
    run(repairs=True)
    make_replacement(infrastructure=make_infrastructure("Mordor"), flavorid="tiny")
    del mordor.flavors["tiny"]
    run()
    assert seen() == (State.IN_SYNC, ["Mordor"])


def test_what_was_done_since_a_node_was_asked_is_not_written_over(mordor: RegisteredCloud, tiny: Flavor) -> None:
    def install(call: str) -> None:
        if call == LIST:
            recording.record_installations(flavor=tiny, infrastructures=[make_infrastructure("Mordor")])

    mordor.before_call = install  # the list is without it, and the flavor installed before the list is looked at
    run()
    assert seen() == (State.IN_SYNC, ["Mordor"])


def test_a_flavor_that_leaves_the_catalogue_while_a_node_is_compared_keeps_no_other_from_being_seen(
    mordor: RegisteredCloud, tiny: Flavor
) -> None:
    make_flavor(flavorid="gone", name="gone")

    def delete(call: str) -> None:
        Flavor.objects.filter(flavorid="gone").delete()

    mordor.before_call = delete
    assert run().state == SyncRun.State.DRIFT
    assert seen() == (State.MISSING, [])


def test_a_node_that_cannot_be_reached_changes_nothing_of_what_was_seen(mordor: RegisteredCloud, tiny: Flavor) -> None:
    run(repairs=True)
    mordor.failing[LIST] = 503
    ended = run()
    assert ended.nodes.get().unreachable
    assert LastComparison.objects.get().unreachable_at
    assert seen() == (State.IN_SYNC, ["Mordor"])
    del mordor.failing[LIST]
    run()
    assert not LastComparison.objects.get().unreachable_at


# What others write


def changed(flavorid: str, has: NovaFlavor | None) -> None:
    """Write down a change of Mordor that was made through us."""
    node = Infrastructure.objects.get(name="Mordor")
    record_change(infrastructure=node, nova=open_nova(node), flavorid=flavorid, has=has)


@pytest.mark.usefixtures("mordor")
def test_what_a_regions_own_users_do_with_it_through_us_is_seen(tiny: Flavor) -> None:
    run(repairs=True)
    for has, told in (
        (None, (State.MISSING, [])),
        (replace(tiny.as_nova(), ram=7), (State.DIFFERENT, ["Mordor"])),
        (None, (State.MISSING, [])),
        (tiny.as_nova(), (State.IN_SYNC, ["Mordor"])),
    ):
        changed("tiny", has)
        assert seen() == told


@pytest.mark.usefixtures("mordor")
def test_it_is_seen_by_the_id_that_it_has_there(tiny: Flavor) -> None:
    make_installation(tiny, "Mordor", flavorid="42")
    changed("tiny", None)
    assert not Sighting.objects.exists()
    changed("42", None)
    assert seen() == (State.MISSING, [])


@pytest.mark.usefixtures("mordor")
def test_what_is_none_of_the_catalogues_costs_one_query(
    tiny: Flavor, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_flavor(flavorid="published", name="published", promoted=False)
    node = Infrastructure.objects.get()
    nova = open_nova(node)
    for id in ("private", "published"):
        with django_assert_num_queries(1):
            record_change(infrastructure=node, nova=nova, flavorid=id, has=tiny.as_nova(id))
    assert not Sighting.objects.exists()


@pytest.mark.usefixtures("mordor")
def test_a_change_that_cannot_be_written_down_is_done_all_the_same(
    tiny: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(execute: Execute, sql: str, *arguments: Any) -> Any:
        if "INSERT INTO" in sql:
            raise OperationalError("the disk is full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(refuse):
        changed("tiny", tiny.as_nova())
    assert "Mordor: the change of flavor tiny could not be recorded: the disk is full" in caplog.text


def test_what_we_take_out_of_a_node_is_known_to_be_missing_where_it_is_promoted() -> None:
    for promoted in (True, False):
        flavor = make_flavor(flavorid=f"f{promoted}", name=f"f{promoted}", promoted=promoted)
        nodes = [make_infrastructure(name) for name in ("Mordor", "Spain2")]
        recording.record_installations(flavor=flavor, infrastructures=nodes)
        recording.forget_installations(flavor=flavor, infrastructures=nodes[:1])
        assert flavor.nodes == ["Spain2"]
    found = set(Sighting.objects.values_list("flavor__flavorid", "infrastructure__name", "state", "flavorid"))
    assert found == {
        ("fTrue", "Mordor", "missing", ""),
        ("fTrue", "Spain2", "in_sync", "fTrue"),
        ("fFalse", "Spain2", "in_sync", "fFalse"),
    }


def test_what_is_only_said_to_be_there_was_not_seen() -> None:
    flavor, node = make_flavor(flavorid="tiny"), make_infrastructure("Mordor")
    now = timezone.now()
    write(flavor, node, State.MISSING, as_of=now)
    recording.record_unseen(flavor=flavor, infrastructure=node)
    assert flavor.nodes == ["Mordor"]
    assert not Sighting.objects.exists()


def write(flavor: Flavor, node: Infrastructure, state: State, *, as_of: datetime) -> None:
    with transaction.atomic():
        sightings.write([sightings.Seen(flavor=flavor, infrastructure=node, state=state)], as_of=as_of)


def test_the_older_of_two_comparisons_does_not_count_when_it_is_written_down_later() -> None:
    flavor, node, now = make_flavor(flavorid="tiny"), make_infrastructure("Mordor"), timezone.now()
    write(flavor, node, State.IN_SYNC, as_of=now)
    write(flavor, node, State.MISSING, as_of=now - timedelta(seconds=1))
    assert Sighting.objects.get().state == State.IN_SYNC
    write(flavor, node, State.MISSING, as_of=now + timedelta(seconds=1))
    assert Sighting.objects.get().state == State.MISSING


# Cost and form


def test_nothing_new_costs_one_query_and_anything_new_a_few_however_many_flavors(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    node, now = make_infrastructure("Mordor"), timezone.now()
    flavors = [make_flavor(flavorid=f"f{number}", name=f"f{number}") for number in range(20)]

    def seen(state: State) -> list[sightings.Seen]:
        return [
            sightings.Seen(flavor=flavor, infrastructure=node, state=state, flavorid=flavor.flavorid)
            for flavor in flavors
        ]

    with transaction.atomic(), django_assert_num_queries(4):
        sightings.write(seen(State.IN_SYNC))
    assert Installation.objects.count() == 20
    again = [sightings.Seen(flavor=flavor, infrastructure=node, state=State.IN_SYNC) for flavor in flavors]
    with transaction.atomic(), django_assert_num_queries(1):
        sightings.write(again, as_of=now)


def test_a_flavor_is_seen_once_in_a_node_and_never_unreachable() -> None:
    flavor, node, now = make_flavor(), make_infrastructure("Mordor"), timezone.now()
    values = {"flavor": flavor, "infrastructure": node, "since": now, "seen_at": now}
    with pytest.raises(ValidationError, match="Nothing is seen"):
        Sighting(**values, state=State.UNREACHABLE).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        Sighting.objects.create(**values, state=State.UNREACHABLE)
    kept = Sighting.objects.create(**values, state=State.MISSING)
    assert str(kept).startswith("missing since ")
    with pytest.raises(ValidationError, match="already a sighting"):
        Sighting(**values, state=State.MISSING).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        Sighting.objects.create(**values, state=State.MISSING)


def test_what_was_seen_goes_with_the_flavor_and_with_the_node() -> None:
    now = timezone.now()
    flavors, nodes = (
        [make_flavor(name=name) for name in "ab"],
        [make_infrastructure(name) for name in ("Crete", "Rohan")],
    )
    for flavor in flavors:
        for node in nodes:
            write(flavor, node, State.MISSING, as_of=now)
    services.delete_promoted_flavor(flavor=flavors[0])
    unregister_infrastructure(infrastructure=nodes[0])
    kept = Sighting.objects.get()
    assert (kept.flavor, kept.infrastructure) == (flavors[1], nodes[1])
