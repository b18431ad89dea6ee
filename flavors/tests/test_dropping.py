"""An extra spec that the catalogue has dropped goes from the nodes that had it from there, and from no others."""

import pytest

from flavors.catalogue.comparison import differences_between
from flavors.catalogue.dropping import dropped_values, remember_dropped
from testing.flavors import make_flavor
from testing.infrastructures import make_nova_flavor, make_registered


@pytest.mark.parametrize(
    ("theirs", "differing"),
    [
        ({"dropped": "ours"}, [("extra_specs.dropped", "ours", None)]),
        ({"dropped": "ours before"}, [("extra_specs.dropped", "ours before", None)]),
        ({"dropped": "theirs"}, []),
        ({"other": "ours"}, []),
        ({}, []),
    ],
)
def test_a_value_of_ours_is_left_over(theirs: dict[str, str], differing: list[tuple[str, str, None]]) -> None:
    wanted = make_nova_flavor(extra_specs={})
    has = make_nova_flavor(extra_specs=theirs)
    differences = differences_between(wanted, has, dropped={"dropped": {"ours", "ours before"}})
    assert [(each.member, each.node, each.catalogue) for each in differences] == differing


def test_what_is_set_again_is_not_left_over() -> None:
    flavor = make_nova_flavor(extra_specs={"a": "1"})
    assert differences_between(flavor, flavor, dropped={"a": {"1", "2"}}) == ()


@pytest.mark.django_db
def test_each_value_is_remembered_once() -> None:
    one = make_flavor(flavorid="one", name="one", extra_specs={"a": "1", "b": "2"})
    two = make_flavor(flavorid="two", name="two", extra_specs={"a": "3"})
    remember_dropped(one, ["a", "b"])
    remember_dropped(one, ["a"])
    remember_dropped(two, ["a"])
    node = make_registered("Mordor")
    of_one, of_two = {"a": {"1"}, "b": {"2"}}, {"a": {"3"}}
    assert dropped_values([one], [node]) == {(one.pk, node.pk): of_one}
    assert dropped_values([one, two], [node]) == {(one.pk, node.pk): of_one, (two.pk, node.pk): of_two}
