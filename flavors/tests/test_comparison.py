"""Comparing a flavor of the catalogue with what a node has: each state, and each kind of difference."""

from typing import Any

import pytest

from flavors.catalogue.comparison import Difference, Finding, NodeFlavors, Wanted, compare, differences_between
from flavors.models import Flavor
from infrastructures.openstack.records import NovaFlavor
from synchronisation.models import SyncOutcome

State = SyncOutcome.State

VALUES: dict[str, Any] = {
    "name": "m1.tiny",
    "vcpus": 1,
    "ram": 512,
    "disk": 1,
    "swap": 64,
    "ephemeral": 2,
    "rxtx_factor": 1.5,
    "description": "small",
    "is_public": False,
    "extra_specs": {"hw:cpu_policy": "shared"},
}


def a_flavor(**overrides: Any) -> Flavor:
    return Flavor(**{"flavorid": "tiny", **VALUES, **overrides})


def in_nova(**overrides: Any) -> NovaFlavor:
    return NovaFlavor(**{"id": "tiny", **VALUES, **overrides})


def found(*flavors: NovaFlavor, recorded_as: str = "", exact: bool = False, **node: Any) -> Finding:
    return compare(Wanted(flavor=a_flavor(), recorded_as=recorded_as), NodeFlavors.of(flavors, **node), exact=exact)


def told(finding: Finding) -> list[tuple[str, object, object]]:
    return [(difference.member, difference.node, difference.catalogue) for difference in finding.differences]


def test_the_same_values_under_the_same_id_are_in_sync() -> None:
    finding = found(in_nova(), in_nova(id="other", name="other"))
    assert (finding.state, finding.differences, finding.recorded) == (State.IN_SYNC, (), False)
    assert found(in_nova(), recorded_as="tiny").recorded


def test_neither_id_nor_name_is_missing() -> None:
    finding = found(in_nova(id="other", name="other"))
    assert (finding.state, finding.has) == (State.MISSING, None)
    assert found().state == State.MISSING


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "m1.small"),
        ("vcpus", 2),
        ("ram", 513),
        ("disk", 0),
        ("swap", 0),
        ("ephemeral", 0),
        ("rxtx_factor", 1.0),
        ("description", ""),
        ("is_public", True),
    ],
)
def test_each_member_can_differ(member: str, value: object) -> None:
    finding = found(in_nova(**{member: value}))
    assert finding.state == State.DIFFERENT
    assert told(finding) == [(member, value, VALUES[member])]


def test_all_differences_are_told_extra_specs_last() -> None:
    finding = found(in_nova(vcpus=2, ram=1, extra_specs={"hw:cpu_policy": "dedicated"}))
    assert told(finding) == [
        ("vcpus", 2, 1),
        ("ram", 1, 512),
        ("extra_specs.hw:cpu_policy", "dedicated", "shared"),
    ]


@pytest.mark.parametrize("extra_specs", [{}, None], ids=["none", "not shown"])
def test_an_extra_spec_can_be_missing(extra_specs: dict[str, str] | None) -> None:
    assert told(found(in_nova(extra_specs=extra_specs))) == [("extra_specs.hw:cpu_policy", None, "shared")]


def test_an_extra_spec_of_the_nodes_own_counts_only_when_exact() -> None:
    has = in_nova(extra_specs={"hw:cpu_policy": "shared", "aggregate:ssd": "true"})
    assert found(has).state == State.IN_SYNC
    assert told(found(has, exact=True)) == [("extra_specs.aggregate:ssd", "true", None)]


def test_an_extra_spec_with_a_point_in_its_key_keeps_it() -> None:
    assert Difference(member="extra_specs.hw.numa.nodes", node=None, catalogue="1").key == "hw.numa.nodes"
    assert Difference(member="ram", node=1, catalogue=2).key is None


def test_an_old_nova_has_no_description_to_compare() -> None:
    assert found(in_nova(description=""), keeps_descriptions=False).state == State.IN_SYNC


def test_the_same_values_under_another_id() -> None:
    finding = found(in_nova(id="42"))
    assert finding.state == State.OTHER_ID
    assert finding.has == in_nova(id="42")


def test_under_another_id_that_is_recorded_it_is_in_sync() -> None:
    finding = found(in_nova(id="42"), recorded_as="42")
    assert (finding.state, finding.recorded) == (State.IN_SYNC, True)
    assert told(found(in_nova(id="42", ram=7), recorded_as="42")) == [("ram", 7, 512)]


def test_recorded_under_an_id_that_has_gone_it_is_found_under_its_own() -> None:
    finding = found(in_nova(), recorded_as="42")
    assert (finding.state, finding.has, finding.recorded) == (State.IN_SYNC, in_nova(), False)
    assert found(recorded_as="42").state == State.MISSING


def test_the_name_in_another_case_is_taken() -> None:
    finding = found(in_nova(id="42", name="M1.Tiny"))
    assert finding.state == State.NAME_TAKEN
    assert told(finding) == [("name", "M1.Tiny", "m1.tiny")]


def test_the_name_of_another_flavor_is_taken() -> None:
    finding = found(in_nova(id="42", ram=7))
    assert finding.state == State.NAME_TAKEN
    assert told(finding) == [("ram", 7, 512)]


@pytest.mark.parametrize("order", [1, -1])
def test_of_names_that_differ_in_case_the_exact_one_counts(order: int) -> None:
    finding = found(*[in_nova(id="42", name="M1.TINY"), in_nova(id="43"), in_nova(id="44", name="m1.Tiny")][::order])
    assert (finding.state, finding.has) == (State.OTHER_ID, in_nova(id="43"))


def test_a_name_to_be_given_may_be_another_flavors() -> None:
    finding = found(in_nova(name="old"), in_nova(id="42", name="M1.tiny"))
    assert (finding.state, finding.name_taken_by) == (State.DIFFERENT, "42")
    assert found(in_nova(ram=7)).name_taken_by == ""


def test_ids_are_not_compared() -> None:
    assert differences_between(in_nova(id="a"), in_nova(id="b")) == ()
