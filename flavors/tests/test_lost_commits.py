"""A COMMIT whose answer is lost: we find out what it did before we undo or report anything."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from flavors.catalogue import services
from flavors.lifecycle import writing
from flavors.models import Flavor, Installation
from flavors.tests.test_lifecycle_unit import CLOUDS, FLAVOR, OPERATOR, has, in_nova, recorded
from identity.models import User
from infrastructures.commits import MayBeWritten
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import FlavorConflict
from infrastructures.registration import register_infrastructure, unregister_infrastructure
from synchronisation.models import SyncRun
from synchronisation.running import carry_out, create_run
from synchronisation.tasks import start_run
from testing.cloud import Federation
from testing.flavors import make_flavor, make_installation
from testing.infrastructures import make_registered
from testing.lost_commits import LostCommits, lost_commits

pytestmark = pytest.mark.django_db(transaction=True)

on_mariadb = pytest.mark.skipif("connection.vendor != 'mysql'", reason="a connection to SQLite cannot be lost")


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Three clouds without a flavor, registered by OPERATOR."""
    with Federation() as federation:
        for name in CLOUDS:
            federation.add(name)
            make_registered(name)
        yield federation


@pytest.fixture
def commits(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LostCommits]:
    """All COMMITs of the test."""
    with lost_commits(monkeypatch) as commits:
        yield commits


def update(**changes: Any) -> Any:
    return writing.update_flavor(user=OPERATOR, flavorid="42", node=None, changes=changes)


def create() -> Any:
    values = {"id": "42", "name": "m1.custom", "vcpus": 1, "ram": 512, "disk": 1, "public": True}
    return writing.create_flavor(user=OPERATOR, values={**values, "nodes": ["Mordor", "Rohan"]})


def delete() -> None:
    writing.delete_flavor(user=OPERATOR, flavorid="42", node=None)


Act = tuple[str, Callable[[], Any], list[str]]
ACTS: dict[str, Act] = {
    "create": ("nowhere", create, ["Mordor", "Rohan"]),
    "publish": ("private", lambda: update(public=True), ["Mordor"]),
    "publish and install": ("private", lambda: update(public=True, nodes=["Rohan"]), ["Mordor", "Rohan"]),
    "install": ("public", lambda: update(nodes=["Rohan", "Spain2"]), ["Mordor", "Rohan", "Spain2"]),
    "delete": ("public", delete, []),
}
each_act = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)


def prepare(federation: Federation, there: str) -> None:
    """Have Mordor have the flavor, in the catalogue or not, or nobody."""
    if there != "nowhere":
        federation.clouds["Mordor"].flavors["42"] = in_nova()
    if there == "public":
        make_installation(make_flavor(**FLAVOR), "Mordor")


def assert_in(federation: Federation, nodes: list[str]) -> None:
    """Fail unless the catalogue and the Novas agree on where the flavor is."""
    assert recorded() == ({"42": nodes} if nodes else {})
    assert [name for name, ids in has(federation).items() if ids] == nodes


@pytest.mark.parametrize("carried_out", [True, pytest.param(False, marks=on_mariadb)])
@each_act
def test_what_a_commit_without_an_answer_has_done_is_found_out(
    federation: Federation, commits: LostCommits, act: Act, carried_out: bool
) -> None:
    there, do, nodes = act
    prepare(federation, there)
    commits.lose(carried_out=carried_out)
    do()
    assert commits.seen >= 1
    assert_in(federation, nodes)


@on_mariadb
@pytest.mark.parametrize("carried_out", [True, False])
@each_act
def test_nothing_is_taken_back_that_may_be_recorded(
    federation: Federation,
    commits: LostCommits,
    monkeypatch: pytest.MonkeyPatch,
    act: Act,
    carried_out: bool,
) -> None:
    """The database is away for longer than anybody waits: the answer is 503, and the repeat finds it all."""
    monkeypatch.setattr("infrastructures.commits.SECONDS_TO_WAIT_FOR_DATABASE", 0.3)
    there, do, nodes = act
    prepare(federation, there)
    # A creation in two clouds is written down for both, in its own COMMIT, before anything is sent.
    of_the_record = 2 if act in (ACTS["create"], ACTS["install"]) else 1
    commits.lose(of_the_record, carried_out=carried_out, away_afterwards=True)
    with pytest.raises(MayBeWritten):
        do()
    connection.close()
    commits.come_back()
    kept = nodes or ([] if there == "public" else ["Mordor"])
    assert [name for name, ids in has(federation).items() if ids] == kept
    if carried_out:
        assert_in(federation, nodes)
    elif do is create:
        with pytest.raises(FlavorConflict, match="already exists"):
            do()
        assert update(public=True).nodes == nodes
    else:
        do()
    assert_in(federation, nodes)


@on_mariadb
def test_a_publication_looks_at_nova_again_when_its_locks_are_lost(
    federation: Federation, commits: LostCommits
) -> None:
    """Somebody else has deleted the flavor between the loss of the locks and the second attempt."""
    mordor = federation.clouds["Mordor"]
    mordor.flavors["42"] = in_nova()
    reads = []

    def before_call(call: str) -> None:
        if call == "GET /flavors/42":
            reads.append(call)
            if len(reads) == 3:
                mordor.flavors.clear()

    mordor.before_call = before_call
    commits.lose(carried_out=False)
    with pytest.raises(Exception, match="42"):
        update(public=True)
    assert_in(federation, [])


# Without a cloud


def create_promoted() -> None:
    services.create_promoted_flavor(values={"name": "new", "vcpus": 1, "ram": 1, "disk": 1})


def first() -> Flavor:
    return Flavor.objects.get(flavorid="42")


REGISTRATION = {
    "name": "Shire",
    "keystone_url": "https://keystone.shire.example.org/v3",
    "tenant": "operators",
    "username": "frodo",
    "password": "of frodo",
}
WRITES: dict[str, tuple[Callable[[], Any], Callable[[], bool]]] = {
    "create": (create_promoted, lambda: Flavor.objects.filter(name="new").count() == 1),
    "change": (
        lambda: services.change_promoted_flavor(flavor=first(), changes={"ram": 7}),
        lambda: first().ram == 7,
    ),
    "promote": (lambda: services.promote(flavor=first()), lambda: first().promoted),
    "delete": (
        lambda: services.delete_promoted_flavor(flavor=first()),
        lambda: not Flavor.objects.filter(flavorid="42").exists(),
    ),
    "register": (
        lambda: register_infrastructure(values=REGISTRATION, registrant=User.objects.create_superuser("frodo")),
        lambda: Infrastructure.objects.filter(name="Shire").count() == 1,
    ),
    "unregister": (
        lambda: unregister_infrastructure(infrastructure=Infrastructure.objects.get(name="Bree")),
        lambda: not Infrastructure.objects.filter(name="Bree").exists(),
    ),
}


@pytest.mark.parametrize("carried_out", [True, pytest.param(False, marks=on_mariadb)])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_is_only_written_succeeds(
    commits: LostCommits, write: tuple[Callable[[], Any], Callable[[], bool]], carried_out: bool
) -> None:
    do, is_done = write
    make_flavor(**FLAVOR | {"promoted": True})
    make_registered("Bree")
    commits.lose(carried_out=carried_out)
    do()
    assert commits.seen >= 1
    assert is_done()


# The synchronisation


@pytest.mark.parametrize("carried_out", [True, pytest.param(False, marks=on_mariadb)])
def test_a_run_is_started_once(federation: Federation, commits: LostCommits, carried_out: bool) -> None:
    commits.lose(carried_out=carried_out)
    run = start_run(requested_by="test", infrastructures=Infrastructure.objects.all())
    assert list(SyncRun.objects.all()) == [run]
    assert sorted(run.nodes.values_list("name", flat=True)) == sorted(CLOUDS)
    assert run.task_id, "it is in the queue"


@pytest.mark.parametrize("carried_out", [True, pytest.param(False, marks=on_mariadb)])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_run_loses_no_flavor_at_any_of_its_commits(
    federation: Federation, commits: LostCommits, at: int, carried_out: bool
) -> None:
    make_flavor(flavorid="tiny")
    run = create_run(requested_by="test", infrastructures=Infrastructure.objects.all()[:1], repairs=True)
    commits.lose(at, carried_out=carried_out)
    with suppress(OperationalError):
        carry_out(run.pk)
    run.refresh_from_db()
    assert run.state in (SyncRun.State.IN_SYNC, SyncRun.State.RUNNING)
    assert carry_out(run.pk).state == SyncRun.State.IN_SYNC
    assert Installation.objects.filter(installed_at__lte=timezone.now()).count() == 1
    assert list(federation.clouds["Mordor"].flavors) == ["tiny"]
