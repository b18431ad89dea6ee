"""What was deleted from the catalogue goes from the nodes where we have made it, and from no others."""

from dataclasses import replace
from typing import Any

import pytest

from flavors.catalogue.recording import record_installation
from flavors.models import Flavor, Installation
from infrastructures.commits import MayBeWritten
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudUnavailable, Forbidden
from infrastructures.openstack.records import NovaFlavor
from infrastructures.tests.fake_nova import FakeNova, Fault
from synchronisation import repairing
from synchronisation.models import Removal, SyncNode, SyncOutcome, SyncRun
from synchronisation.recording import record_repairs
from synchronisation.removing import note_removals, remove_deleted
from synchronisation.running import carry_out, create_run
from testing.flavors import make_flavor, make_infrastructure, make_installation
from testing.synchronising import clouds_that_lack_a_flavor

pytestmark = pytest.mark.django_db


class NovaWithServers(FakeNova):
    """Counts servers, too."""

    servers = 0

    def count_servers(self, flavorid: str) -> int:
        return self.servers


@pytest.fixture
def spain2(db: None) -> Infrastructure:
    return make_infrastructure("Spain2")


@pytest.fixture
def nano(db: None) -> Flavor:
    return make_flavor(flavorid="nano", extra_specs={"a": "1"})


def deleted(flavor: Flavor) -> NovaFlavor:
    """Take the flavor out of the catalogue, and return it as nodes have it."""
    note_removals(flavor, requested_by="manager")
    was = flavor.as_nova()
    flavor.installations.all().delete()
    flavor.delete()
    return was


def a_plan(flavorid: str, node: Infrastructure, action: SyncOutcome.Action, result: SyncOutcome.Result) -> None:
    part = SyncNode.objects.create(run=SyncRun.objects.create(), infrastructure=node, name=node.name)
    SyncOutcome.objects.create(
        node=part, flavorid=flavorid, name="x", state=SyncOutcome.State.MISSING, action=action, result=result
    )


def test_what_a_run_has_made_is_told_from_what_it_has_found(nano: Flavor, spain2: Infrastructure) -> None:
    found = make_flavor(flavorid="found", name="found")
    a_plan("nano", spain2, SyncOutcome.Action.CREATE, SyncOutcome.Result.DONE)
    outcomes = list(SyncOutcome.objects.all())
    installed = {nano: "nano", found: "found"}
    record_repairs(infrastructure=spain2, installed=installed, outcomes=outcomes, made=[nano])
    made = dict(Installation.objects.values_list("flavor__flavorid", "made"))
    assert made == {"nano": True, "found": False}
    # Found again by a later run, it was made all the same.
    record_repairs(infrastructure=spain2, installed=installed, outcomes=outcomes)
    assert dict(Installation.objects.values_list("flavor__flavorid", "made")) == made
    for flavorid, was_made in made.items():
        flavor = make_flavor(flavorid=f"{flavorid}-alone", name=f"{flavorid}-alone")
        record_installation(flavor=flavor, infrastructure=spain2, flavorid=flavor.flavorid, made=was_made)
        assert flavor.installations.get().made is was_made


def remove(node: Infrastructure, nova: FakeNova) -> str:
    """Remove what is to go, and return why something has to stay."""
    remove_deleted(infrastructure=node, nova=nova)
    return "".join(Removal.objects.values_list("reason", flat=True))


def test_it_goes_from_where_it_was_made_and_stays_where_it_was_found(nano: Flavor, spain2: Infrastructure) -> None:
    make_installation(nano, "Spain2", made=True)
    make_installation(nano, "Lannion2")
    was = deleted(nano)
    assert [removal.infrastructure.name for removal in Removal.objects.all()] == ["Spain2"]
    nova = NovaWithServers(was)
    assert remove(spain2, nova) == ""
    assert not nova.flavors
    assert not Removal.objects.exists()
    assert remove_deleted(infrastructure=make_infrastructure("Lannion2"), nova=NovaWithServers(was)) == []


@pytest.mark.parametrize(
    ("action", "result", "goes"),
    [
        (SyncOutcome.Action.CREATE, SyncOutcome.Result.PLANNED, True),
        (SyncOutcome.Action.CREATE, SyncOutcome.Result.FAILED, True),
        (SyncOutcome.Action.ADOPT, SyncOutcome.Result.DONE, False),
    ],
)
def test_it_goes_from_where_a_run_was_about_to_make_it(
    nano: Flavor, spain2: Infrastructure, action: Any, result: Any, goes: bool
) -> None:
    a_plan("nano", spain2, action, result)
    deleted(nano)
    assert Removal.objects.exists() is goes


def test_it_stays_where_it_was_found_after_a_run_had_been_about_to_make_it(
    nano: Flavor, spain2: Infrastructure
) -> None:
    a_plan("nano", spain2, SyncOutcome.Action.CREATE, SyncOutcome.Result.FAILED)
    make_installation(nano, "Spain2")
    deleted(nano)
    assert not Removal.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("specs", [{}, {"a": "1"}])
def test_it_goes_from_where_a_dead_worker_made_it_without_recording_that(
    monkeypatch: pytest.MonkeyPatch, specs: dict[str, str]
) -> None:
    with clouds_that_lack_a_flavor(1) as federation:
        killed = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)
        with monkeypatch.context() as dying:
            dying.setattr(repairing, "record_repairs", _die)
            with pytest.raises(MayBeWritten):
                carry_out(killed.pk)
        assert "tiny" in federation.clouds["Node00"].flavors
        Flavor.objects.update(extra_specs=specs)
        carry_out(killed.pk)
        deleted(Flavor.objects.get())
        carry_out(create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True).pk)
        assert not federation.clouds["Node00"].flavors


def _die(**_: Any) -> None:
    raise MayBeWritten


@pytest.fixture
def was(nano: Flavor, spain2: Infrastructure) -> NovaFlavor:
    """A flavor that was deleted from the catalogue, and was made in Spain2."""
    make_installation(nano, "Spain2", made=True)
    nano.dropped_specs.create(key="b", value="old")
    return deleted(nano)


@pytest.mark.parametrize(
    "change",
    [
        {"ram": 4096},
        {"name": "theirs"},
        {"is_public": False},
        {"extra_specs": {"a": "1", "theirs": "1"}},
        {"extra_specs": {"a": "2"}},
        {"extra_specs": {"a": "1", "b": "new"}},
    ],
)
def test_what_somebody_else_has_changed_stays(was: NovaFlavor, spain2: Infrastructure, change: dict[str, Any]) -> None:
    nova = NovaWithServers(replace(was, **change))
    assert remove(spain2, nova) == "Somebody else has changed it there."
    assert nova.flavors


@pytest.mark.parametrize("change", [{"description": "before"}, {"extra_specs": {}}, {"extra_specs": {"b": "old"}}])
def test_what_had_not_reached_the_node_keeps_nothing_there(
    was: NovaFlavor, spain2: Infrastructure, change: dict[str, Any]
) -> None:
    nova = NovaWithServers(replace(was, **change))
    assert remove(spain2, nova) == ""
    assert not nova.flavors


def test_what_servers_use_stays_until_they_are_gone(was: NovaFlavor, spain2: Infrastructure) -> None:
    nova = NovaWithServers(was)
    nova.servers = 2
    assert remove(spain2, nova) == "It is used by 2 servers there."
    assert nova.flavors
    nova.servers = 0
    assert remove(spain2, nova) == ""
    assert not nova.flavors


def test_what_is_gone_already_is_as_it_should_be(was: NovaFlavor, spain2: Infrastructure) -> None:
    assert remove(spain2, NovaWithServers()) == ""
    assert not Removal.objects.exists()


def test_what_the_catalogue_wants_again_is_left(was: NovaFlavor, spain2: Infrastructure) -> None:
    make_flavor(flavorid="nano", extra_specs={"a": "2", "b": "new"})
    nova = NovaWithServers(was)
    assert remove(spain2, nova) == ""
    assert nova.flavors
    assert not Removal.objects.exists()


def test_what_is_wanted_after_all_is_left(nano: Flavor, spain2: Infrastructure) -> None:
    """A retirement that is cancelled: the extra specs that the flavor once had are its own matter."""
    make_installation(nano, "Spain2", made=True)
    nano.dropped_specs.create(key="b", value="old")
    note_removals(nano, requested_by="manager")
    nova = NovaWithServers(nano.as_nova())
    assert remove(spain2, nova) == ""
    assert nova.flavors


@pytest.mark.parametrize("specs", [{}, {"a": "1"}, {"b": "old"}])
def test_what_is_wanted_again_without_its_extra_specs_is_made_anew(
    was: NovaFlavor, spain2: Infrastructure, specs: dict[str, str]
) -> None:
    make_flavor(flavorid="nano", extra_specs=specs)
    nova = NovaWithServers(was)
    nova.servers = 2
    assert remove(spain2, nova) == ""
    assert not nova.flavors


@pytest.mark.parametrize(("granted", "stays"), [([], False), (["p1"], False), (["p1", "p2", "p3"], True)])
def test_what_is_wanted_again_for_others_is_made_anew(spain2: Infrastructure, granted: list[str], stays: bool) -> None:
    private = make_flavor(flavorid="nano", is_public=False)
    private.grants.create(project="p1")
    private.grants.create(project="p2", revoked=True)
    make_installation(private, "Spain2", made=True)
    nova = NovaWithServers(deleted(private))
    again = make_flavor(flavorid="nano", is_public=False)
    for project in granted:
        again.grants.create(project=project)
    assert remove(spain2, nova) == ""
    assert bool(nova.flavors) is stays


@pytest.mark.parametrize("servers", [0, 2])
def test_another_flavor_of_the_same_id_takes_its_place(was: NovaFlavor, spain2: Infrastructure, servers: int) -> None:
    make_flavor(flavorid="nano", ram=64)
    nova = NovaWithServers(was)
    nova.servers = servers
    assert remove(spain2, nova) == ""
    assert not nova.flavors


def test_a_refusal_is_told_and_the_others_go_on(was: NovaFlavor, spain2: Infrastructure) -> None:
    nova = NovaWithServers(was)
    nova.refused["delete"] = Forbidden
    assert "refused" in remove(spain2, nova)
    assert Removal.objects.exists()


def test_a_node_that_does_not_answer_is_tried_again(was: NovaFlavor, spain2: Infrastructure) -> None:
    nova = NovaWithServers(was, faults={0: Fault(CloudUnavailable)})
    with pytest.raises(CloudUnavailable):
        remove(spain2, nova)
    assert remove(spain2, nova) == ""
    assert not nova.flavors
