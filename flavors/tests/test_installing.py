"""Installing where the flavor is already recorded: the node is asked, and its answer decides."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from flavors.catalogue.outcomes import Came
from flavors.catalogue.sightings import State
from flavors.lifecycle import writing
from flavors.lifecycle.installing import install_flavor
from flavors.models import Flavor, Installation, Sighting
from flavors.tests.test_admin_actions import act, nodes
from flavors.tests.test_lifecycle_unit import OPERATOR, OTHER
from infrastructures.clouds import open_nova
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import CloudUnavailable, FlavorConflict
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements.replacing import settle_replacements
from synchronisation.comparing import compare_nodes
from testing.cloud import Federation, RegisteredCloud, registered_clouds
from testing.flavors import document_of, make_flavor, make_installation
from testing.infrastructures import make_replacement
from testing.shell import shell

pytestmark = pytest.mark.django_db

ASK, CREATE = "GET /flavors/42", "POST /flavors"
ELSE = "there is already a flavor with the id 42 and different values."


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Two registered clouds without a flavor, which OPERATOR operates."""
    with registered_clouds("Rohan", "Spain2") as federation:
        yield federation


@pytest.fixture
def spain2(federation: Federation) -> RegisteredCloud:
    return federation.clouds["Spain2"]


@pytest.fixture
def flavor(federation: Federation) -> Flavor:
    """A promoted flavor that is recorded in Spain2, where somebody has deleted it by hand."""
    return make_installation(make_flavor(flavorid="42", name="m1.custom"), "Spain2").flavor


def by_command(client: Client, flavor: Flavor) -> str:
    answer = shell("install_flavor", "42", "--node", "Spain2")
    return answer.output if not answer.error else answer.error


def by_page(client: Client, flavor: Flavor) -> str:
    return act(client, "install_flavors", flavor, **nodes("Spain2"))[-1]


def by_api(client: Client, flavor: Flavor) -> str:
    changed = writing.update_flavor(user=OPERATOR, flavorid="42", node=None, changes={"nodes": ["Spain2"]})
    return str(changed.nodes)


def in_spain2() -> list[Infrastructure]:
    return list(Infrastructure.objects.filter(name="Spain2"))


Ask = Callable[[Client, Flavor], str]
each_way = pytest.mark.parametrize(
    ("ask", "created", "present"),
    [
        (by_command, "Spain2: created.\n", "Spain2: already installed.\n"),
        (by_page, "m1.custom: installed in Spain2", "m1.custom: was already in all of these nodes"),
        (by_api, "['Spain2']", "['Spain2']"),
    ],
)


@each_way
def test_what_was_deleted_by_hand_is_created_again(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud, ask: Ask, created: str, present: str
) -> None:
    assert ask(admin_client, flavor) == created
    assert spain2.calls == [ASK, CREATE]
    assert spain2.flavors["42"]["name"] == "m1.custom"
    spain2.calls.clear()
    assert ask(admin_client, flavor) == present
    assert spain2.calls == [ASK]
    assert (flavor.nodes, Sighting.objects.get().state) == (["Spain2"], State.IN_SYNC)


@each_way
def test_what_a_comparison_has_found_missing_is_created(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud, ask: Ask, created: str, present: str
) -> None:
    compare_nodes(infrastructures=in_spain2(), flavors=[flavor])
    assert flavor.nodes == []
    assert ask(admin_client, flavor) == created
    assert list(spain2.flavors) == ["42"]
    assert flavor.nodes == ["Spain2"]


def test_a_dry_run_asks_too(flavor: Flavor, spain2: RegisteredCloud) -> None:
    assert shell("install_flavor", "42", "--node", "Spain2", "--dry-run").output == "Spain2: to be created.\n"
    spain2.flavors["42"] = document_of(flavor, ram=7)
    answer = shell("install_flavor", "42", "--node", "Spain2", "--dry-run")
    assert (answer.output, answer.status) == (f"Spain2: {ELSE}\n", 1)
    spain2.flavors["42"] = document_of(flavor)
    assert shell("install_flavor", "42", "--node", "Spain2", "--dry-run").output == "Spain2: already installed.\n"
    assert not [call for call in spain2.calls if not call.startswith("GET ")]


def test_what_is_there_with_other_values_is_a_conflict_and_known_from_then_on(
    flavor: Flavor, spain2: RegisteredCloud
) -> None:
    spain2.flavors["42"] = document_of(flavor, ram=7)
    with pytest.raises(FlavorConflict, match=ELSE):
        writing.update_flavor(user=OPERATOR, flavorid="42", node=None, changes={"nodes": ["Spain2"]})
    assert spain2.calls == [ASK]
    kept = Sighting.objects.get()
    assert (kept.state, kept.differences) == (State.DIFFERENT, [{"member": "ram", "node": 7, "catalogue": 2}])
    assert flavor.nodes == ["Spain2"]


def test_other_extra_specs_are_the_nodes_own(flavor: Flavor, spain2: RegisteredCloud) -> None:
    spain2.flavors["42"] = document_of(flavor, extra_specs={"quota:vif": "1"})
    (outcome,) = install_flavor(flavor=flavor, infrastructures=in_spain2())
    assert outcome.result is Came.KNOWN


def test_it_is_asked_for_by_the_id_that_it_has_there(flavor: Flavor, spain2: RegisteredCloud) -> None:
    Installation.objects.update(flavorid="a1b2")
    spain2.flavors["a1b2"] = document_of(flavor, id="a1b2")
    (outcome,) = install_flavor(flavor=flavor, infrastructures=in_spain2())
    assert (outcome.result, spain2.calls) == (Came.KNOWN, ["GET /flavors/a1b2"])
    assert Installation.objects.get().flavorid == "a1b2"
    del spain2.flavors["a1b2"]
    (outcome,) = install_flavor(flavor=flavor, infrastructures=in_spain2())
    assert outcome.result is Came.CREATED
    assert Installation.objects.get().flavorid == "42"


@pytest.mark.parametrize("id", ["42", "a1b2"])
def test_what_is_there_stays_though_its_deletion_may_still_come(
    flavor: Flavor, spain2: RegisteredCloud, id: str
) -> None:
    """Whole, with the extra specs that are the node's own."""
    Installation.objects.update(flavorid=id)
    spain2.flavors[id] = document_of(flavor, id=id, extra_specs={"quota:vif": "1"})
    (node,) = in_spain2()
    make_replacement(
        infrastructure=node,
        flavorid=id,
        old=None,
        new=None,
        goal=Replacement.Goal.NONE,
        unsure_until=timezone.now() + timedelta(minutes=1),
    )
    (outcome,) = install_flavor(flavor=flavor, infrastructures=[node])
    assert outcome.result is Came.KNOWN
    before = spain2.flavors.pop(id)
    settle_replacements(infrastructure=node, nova=open_nova(node))
    assert NovaFlavor.from_nova(spain2.flavors[id]) == NovaFlavor.from_nova(before)


@pytest.mark.parametrize(
    ("fail", "state", "known"),
    [
        ({"GET /flavors/42": 503}, None, ["Spain2"]),
        ({CREATE: 403}, State.MISSING, []),
    ],
    ids=["it cannot be asked", "it may not be created"],
)
def test_where_it_fails_what_was_seen_is_told(
    flavor: Flavor, spain2: RegisteredCloud, fail: dict[str, int], state: str | None, known: list[str]
) -> None:
    spain2.failing.update(fail)
    with pytest.raises(CloudUnavailable):
        writing.update_flavor(user=OPERATOR, flavorid="42", node=None, changes={"nodes": ["Spain2"]})
    assert [kept.state for kept in Sighting.objects.all()] == ([state] if state else [])
    assert flavor.nodes == known


@pytest.mark.parametrize(
    ("has", "state", "nodes"),
    [({}, "other_id", ["Spain2"]), ({"ram": 7}, "name_taken", []), ({"name": "M1.CUSTOM"}, "name_taken", [])],
)
def test_what_has_its_name_there_is_seen_as_a_comparison_sees_it(
    flavor: Flavor, spain2: RegisteredCloud, has: dict[str, object], state: str, nodes: list[str]
) -> None:
    install_flavor(flavor=flavor, infrastructures=in_spain2())
    spain2.flavors = {"theirs": document_of(flavor, id="theirs", **has)}
    spain2.failing["POST /flavors"] = 409  # as Nova on MySQL, for which names that differ in case are one
    for look in (
        lambda: install_flavor(flavor=flavor, infrastructures=in_spain2()),
        lambda: compare_nodes(infrastructures=in_spain2(), flavors=[flavor]),
    ):
        look()
        seen = Sighting.objects.get(flavor=flavor)
        assert (seen.state, bool(seen.differences), flavor.nodes) == (state, bool(has), nodes)


def test_a_name_that_is_taken_there_is_told(flavor: Flavor, spain2: RegisteredCloud) -> None:
    spain2.flavors["else"] = document_of(flavor, id="else", ram=7)
    assert shell("install_flavor", "42", "--node", "Spain2").status == 1
    assert (Sighting.objects.get().state, flavor.nodes) == (State.NAME_TAKEN, [])


def test_a_node_of_somebody_else_that_is_known_to_have_it_is_not_asked(
    flavor: Flavor, federation: Federation, spain2: RegisteredCloud
) -> None:
    """Widgets send back whole flavors, with all their nodes."""
    rohan = OTHER.__class__(**{**vars(OTHER), "owned_nodes": frozenset(["Rohan"])})
    changed: Any = writing.update_flavor(user=rohan, flavorid="42", node=None, changes={"nodes": ["Spain2", "Rohan"]})
    assert changed.nodes == ["Spain2", "Rohan"]
    assert spain2.calls == []


def test_a_flavor_that_no_node_has_any_more_is_deleted_by_whoever_had_it(
    flavor: Flavor, spain2: RegisteredCloud
) -> None:
    Flavor.objects.update(promoted=False)
    compare_nodes(infrastructures=in_spain2(), flavors=[flavor])
    assert flavor.nodes == []
    writing.delete_flavor(user=OPERATOR, flavorid="42", node=None)
    assert spain2.calls[-1] == "DELETE /flavors/42"
    assert not Flavor.objects.exists()
