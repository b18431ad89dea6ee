"""A private flavor in several nodes, some of which fail: the answer says where it was done, a repeat does the rest."""

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.exceptions import APIException

from flavors.lifecycle import writing
from flavors.lifecycle.together import PartlyDone
from flavors.tests.test_lifecycle_unit import CLOUDS, OPERATOR, has, in_nova, recorded
from flavorsync_project.api.errors import Conflict
from infrastructures.models import Replacement
from testing.cloud import Federation
from testing.infrastructures import make_registered

pytestmark = pytest.mark.django_db

NO_PERMISSION = "Rohan: it does not let our stored credentials do this."


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Three clouds, registered by OPERATOR; Mordor and Rohan have the private flavor 42."""
    with Federation() as federation:
        for name in CLOUDS:
            federation.add(name)
            make_registered(name)
        for name in ("Mordor", "Rohan"):
            federation.clouds[name].flavors["42"] = in_nova()
        yield federation


def update(node: str | None = None, **changes: Any) -> Any:
    return writing.update_flavor(user=OPERATOR, flavorid="42", node=node, changes=changes)


def values(federation: Federation, member: str = "ram") -> dict[str, Any]:
    """Return a value that each cloud which has the flavor gives it."""
    return {name: cloud.flavors["42"][member] for name, cloud in federation.clouds.items() if "42" in cloud.flavors}


def half_changed(federation: Federation, **changes: Any) -> PartlyDone:
    """Change the flavor while Rohan fails, which is whole again afterwards."""
    federation.clouds["Rohan"].failing["DELETE /flavors/42"] = 403
    with pytest.raises(PartlyDone) as caught:
        update(**changes)
    federation.clouds["Rohan"].failing.clear()
    return caught.value


def test_the_answer_says_where_it_was_changed(federation: Federation) -> None:
    error = half_changed(federation, ram=8192)
    assert (error.status_code, str(error.detail)) == (502, f"Changed in Mordor, but not in Rohan. {NO_PERMISSION}")
    assert values(federation) == {"Mordor": 8192, "Rohan": 4096}


@pytest.mark.parametrize("changes", [{"ram": 8192}, {"ram": 8192, "name": "renamed"}, {"disk": 1, "swap": 0}])
def test_a_repeat_changes_the_rest(federation: Federation, changes: dict[str, Any]) -> None:
    half_changed(federation, **changes)
    federation.clouds["Mordor"].calls.clear()
    flavor = update(**changes)
    assert flavor.nodes == ["Mordor", "Rohan"]
    assert {member: getattr(flavor, member) for member in changes} == changes
    for member, value in changes.items():
        assert values(federation, member) == {"Mordor": value, "Rohan": value}
    assert all(call.startswith("GET") for call in federation.clouds["Mordor"].calls), "it is done there"
    assert values(federation, "extra_specs") == dict.fromkeys(["Mordor", "Rohan"], in_nova()["extra_specs"])
    assert not Replacement.objects.exists()


def test_a_repeat_that_fails_again_says_so_again(federation: Federation) -> None:
    first, second = (str(half_changed(federation, ram=8192).detail) for _ in range(2))
    assert first == second
    assert update(ram=8192).nodes == ["Mordor", "Rohan"]


def test_a_repeat_publishes_and_installs_what_it_has_finished(federation: Federation) -> None:
    everything: dict[str, Any] = {"ram": 8192, "public": True, "nodes": ["Spain2"]}
    half_changed(federation, **everything)
    assert recorded() == {}
    assert update(**everything).nodes == ["Mordor", "Rohan", "Spain2"]
    assert values(federation) == dict.fromkeys(CLOUDS, 8192)
    assert recorded() == {"42": list(CLOUDS)}


@pytest.mark.parametrize(
    "changes",
    [{"ram": 1}, {"disk": 20}, {"public": True}, {"nodes": ["Spain2"]}],
    ids=["another value", "what both have", "publish", "install"],
)
def test_what_finishes_nothing_needs_a_node(federation: Federation, changes: dict[str, Any]) -> None:
    half_changed(federation, ram=8192)
    with pytest.raises(Conflict, match="differs between Mordor, Rohan: name one with"):
        update(**changes)
    assert values(federation) == {"Mordor": 8192, "Rohan": 4096}


def test_flavors_that_differ_otherwise_too_are_not_made_one(federation: Federation) -> None:
    half_changed(federation, ram=8192)
    federation.clouds["Rohan"].flavors["42"]["extra_specs"] = {"quota:vif": "2"}
    with pytest.raises(Conflict, match="differs between"):
        update(ram=8192)
    assert update(node="Rohan", ram=8192).nodes == ["Rohan"]
    assert values(federation) == {"Mordor": 8192, "Rohan": 8192}


def test_all_that_fail_are_named(federation: Federation) -> None:
    for name in ("Mordor", "Rohan"):
        federation.clouds[name].failing["DELETE /flavors/42"] = 403
    with pytest.raises(PartlyDone) as caught:
        update(ram=8192)
    assert str(caught.value.detail).startswith("Not changed in Mordor, Rohan. Mordor: ")


def test_a_deletion_is_finished_by_a_repeat(federation: Federation) -> None:
    federation.clouds["Rohan"].failing["DELETE /flavors/42"] = 403
    with pytest.raises(PartlyDone) as caught:
        writing.delete_flavor(user=OPERATOR, flavorid="42", node=None)
    assert str(caught.value.detail) == f"Deleted in Mordor, but not in Rohan. {NO_PERMISSION}"
    federation.clouds["Rohan"].failing.clear()
    writing.delete_flavor(user=OPERATOR, flavorid="42", node=None)
    assert has(federation) == {"Mordor": [], "Rohan": [], "Spain2": []}


def test_an_installation_of_a_private_flavor_is_finished_by_a_repeat(federation: Federation) -> None:
    del federation.clouds["Mordor"].flavors["42"]
    federation.clouds["Mordor"].failing["POST /flavors"] = 403
    with pytest.raises(PartlyDone) as caught:
        update(nodes=["Mordor", "Spain2"])
    assert str(caught.value.detail).startswith("Installed in Spain2, but not in Mordor. Mordor: ")
    federation.clouds["Mordor"].failing.clear()
    assert update(nodes=["Mordor", "Spain2"]).nodes == ["Rohan", "Spain2", "Mordor"]
    assert values(federation) == dict.fromkeys(CLOUDS, 4096)


def test_a_creation_that_cannot_be_taken_back_says_where_it_stays(federation: Federation) -> None:
    federation.clouds["Mordor"].failing["DELETE /flavors/new"] = 403
    federation.clouds["Rohan"].failing["POST /flavors"] = 409
    new = {"id": "new", "name": "new", "vcpus": 1, "ram": 1, "disk": 1, "nodes": list(CLOUDS)}
    with pytest.raises(APIException) as caught:
        writing.create_flavor(user=OPERATOR, values=new)
    assert caught.value.status_code == 409
    assert str(caught.value.detail) == (
        "Rohan: as the test said It could not be removed from Mordor, where it stays private."
    )
    assert has(federation)["Spain2"] == []
