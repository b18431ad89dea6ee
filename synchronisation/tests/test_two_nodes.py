"""The flavors of two nodes, side by side."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infrastructures.openstack.records import NovaFlavor
from synchronisation.two_nodes import TwoNodes, side_by_side

SIZES = {"vcpus": 1, "ram": 512, "disk": 1}


def a(id: str, name: str = "", **values: Any) -> NovaFlavor:
    return NovaFlavor(id=id, name=name or id, **(SIZES | values))


def ids(found: TwoNodes) -> dict[str, list[object]]:
    return {
        "same": [pair.left.id for pair in found.same],
        "different": [(pair.left.id, pair.right.id) for pair in found.different],
        "alike": [(pair.left.id, pair.right.id) for pair in found.alike],
        "only_left": [flavor.id for flavor in found.only_left],
        "only_right": [flavor.id for flavor in found.only_right],
    }


def test_every_flavor_is_in_its_place() -> None:
    found = side_by_side(
        [a("same"), a("other", ram=1), a("old", "renamed", ram=2), a("left", ram=3), a("1", "Taken", ram=4)],
        [a("same"), a("other", ram=9), a("new", "anew", ram=2), a("right", ram=5), a("2", "taken", ram=6)],
    )
    assert ids(found) == {
        "same": ["same"],
        "different": [("other", "other"), ("1", "2")],
        "alike": [("old", "new")],
        "only_left": ["left"],
        "only_right": ["right"],
    }
    other, taken = found.different
    assert [difference.as_json() for difference in other.differences] == [{"member": "ram", "node": 1, "catalogue": 9}]
    assert [difference.member for difference in taken.differences] == ["id", "name", "ram"]


def test_extra_specs_count() -> None:
    one, other = a("1", extra_specs={"quota:vif": "1"}), a("2", "x", extra_specs={"quota:vif": "2"})
    assert ids(side_by_side([one], [other]))["alike"] == []
    (pair,) = side_by_side([one], [a("1", extra_specs={"hw:cpu": "2"})]).different
    assert [difference.member for difference in pair.differences] == ["extra_specs.hw:cpu", "extra_specs.quota:vif"]


def test_of_several_that_are_alike_the_namesake_is_meant() -> None:
    found = side_by_side([a("1", "small"), a("2", "tiny")], [a("3", "TINY"), a("4", "Small")])
    assert ids(found)["alike"] == [("1", "4"), ("2", "3")]


@given(
    left=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(1, 2)), max_size=4),
    right=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(1, 2)), max_size=4),
)
def test_nothing_is_lost_and_nothing_is_there_twice(left: Any, right: Any) -> None:
    ours = {id: a(id, name, ram=ram) for id, name, ram in left}
    theirs = {id: a(id, name, ram=ram) for id, name, ram in right}
    found = side_by_side(ours.values(), theirs.values())
    pairs = [*found.same, *found.different, *found.alike]
    assert sorted([*(pair.left.id for pair in pairs), *(flavor.id for flavor in found.only_left)]) == sorted(ours)
    assert sorted([*(pair.right.id for pair in pairs), *(flavor.id for flavor in found.only_right)]) == sorted(theirs)
