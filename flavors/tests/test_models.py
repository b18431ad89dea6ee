"""What the catalogue's tables say no to, in words when validated and by themselves when not."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import ProtectedError
from django.db.utils import DataError, OperationalError
from pytest_django import DjangoAssertNumQueries

from flavors.models import Flavor, Installation
from testing.flavors import make_flavor, make_infrastructure, make_installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MAX_INTEGER = 2147483647


def unsaved(**overrides: Any) -> Flavor:
    values: dict[str, Any] = {"name": "m1.tiny", "vcpus": 1, "ram": 512, "disk": 1}
    return Flavor(**values | overrides)


def assert_refused(instance: models.Model, message: str) -> None:
    """Fail unless validation refuses it in these words, and the database without any."""
    with pytest.raises(ValidationError) as caught:
        instance.full_clean()
    assert message in caught.value.messages
    # MariaDB calls a broken check an operational error, and a number below an unsigned column's bad data.
    with pytest.raises((IntegrityError, OperationalError, DataError)), transaction.atomic():
        instance.save()


def test_an_id_is_there_once() -> None:
    make_flavor(flavorid="42")
    assert_refused(unsaved(flavorid="42"), "There is already a flavor of this id in the catalogue.")


def test_ids_that_differ_in_case_are_two() -> None:
    make_flavor(flavorid="abc")
    unsaved(flavorid="ABC").full_clean()
    make_flavor(flavorid="ABC", name="another")


@pytest.mark.parametrize("name", ["m1.tiny", "M1.TINY", "m1.Tiny"])
def test_a_name_is_there_once_in_any_case(name: str) -> None:
    make_flavor(name="M1.tiny")
    assert_refused(unsaved(name=name), "There is already a flavor of this name in the catalogue.")


@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite knows the case of ASCII alone")
def test_a_name_is_there_once_in_any_case_of_any_script() -> None:
    make_flavor(name="ÉCOLE")
    assert_refused(unsaved(name="école"), "There is already a flavor of this name in the catalogue.")


@pytest.mark.parametrize("name", ["m1.tiny2", "m1-tiny", "ｍ1.tiny", "m1.tíny"])
def test_other_names_are_free(name: str) -> None:
    make_flavor(name="m1.tiny")
    unsaved(name=name).full_clean()
    make_flavor(name=name)


def test_a_promoted_flavor_is_public() -> None:
    assert_refused(unsaved(promoted=True, public=False), "A promoted flavor is public.")


@pytest.mark.parametrize(("public", "promoted"), [(False, False), (True, False), (True, True)])
def test_other_flavors_are_as_they_like(public: bool, promoted: bool) -> None:
    unsaved(public=public, promoted=promoted).full_clean()
    make_flavor(public=public, promoted=promoted)


@pytest.mark.parametrize(("member", "minimum"), [("vcpus", 1), ("ram", 1), ("disk", 0), ("swap", 0), ("ephemeral", 0)])
def test_sizes_are_within_novas_limits(member: str, minimum: int) -> None:
    for value in (minimum, MAX_INTEGER):
        unsaved(**{member: value}).full_clean()
        make_flavor(**{member: value, "name": f"{member} {value}"})
    for value in (minimum - 1, MAX_INTEGER + 1):
        flavor = unsaved(**{member: value})
        words = f"{member}: must be between {minimum} and {MAX_INTEGER}."
        with pytest.raises(ValidationError) as caught:
            flavor.validate_constraints()
        assert caught.value.messages == [words]
        bound = f"greater than or equal to {minimum}" if value < minimum else f"less than or equal to {MAX_INTEGER}"
        assert_refused(flavor, f"Ensure this value is {bound}.")


@pytest.mark.parametrize("flavorid", [" a", "a ", " ", "a/b", "a\n", "é", "a?", "x" * 256])
def test_a_malformed_id_is_refused(flavorid: str) -> None:
    with pytest.raises(ValidationError) as caught:
        unsaved(flavorid=flavorid).full_clean()
    assert set(caught.value.message_dict) == {"flavorid"}


@pytest.mark.parametrize("flavorid", ["1", "a b", "a.b_c-d", "auto", "x" * 255])
def test_an_id_has_letters_digits_and_inner_spaces(flavorid: str) -> None:
    unsaved(flavorid=flavorid).full_clean()


def test_a_flavor_without_an_id_gets_a_uuid() -> None:
    first, second = make_flavor(name="a"), make_flavor(name="b")
    assert uuid.UUID(first.flavorid).version == 4
    assert first.flavorid != second.flavorid


def test_flavors_are_ordered_by_name_then_id() -> None:
    for name, flavorid in (("b", "1"), ("a", "2"), ("C", "3"), ("é", "4")):
        make_flavor(name=name, flavorid=flavorid)
    assert [str(flavor) for flavor in Flavor.objects.all()] == ["C", "a", "b", "é"]
    assert Flavor._meta.ordering == ["name", "flavorid"]


def test_promoted_flavors_are_those_that_are_promoted() -> None:
    make_flavor(name="a", promoted=False)
    make_flavor(name="b")
    assert [flavor.name for flavor in Flavor.objects.promoted()] == ["b"]


# Installations


def test_a_flavor_is_installed_once_per_node() -> None:
    installation = make_installation(make_flavor())
    again = Installation(flavor=installation.flavor, infrastructure=installation.infrastructure, flavorid="another")
    assert_refused(again, "The flavor is already installed in this node.")


def test_an_id_is_one_flavors_in_a_node() -> None:
    installation = make_installation(make_flavor(name="a"), flavorid="42")
    other = Installation(flavor=make_flavor(name="b"), infrastructure=installation.infrastructure, flavorid="42")
    assert_refused(other, "Another flavor of the catalogue has this id in this node.")
    make_installation(other.flavor, "Lannion2", flavorid="42")


def test_nodes_are_in_the_order_of_installation(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    flavors = [make_flavor(name=name) for name in ("a", "b")]
    for flavor in flavors:
        for node in ("Spain2", "Lannion2", "Mordor"):
            installation = make_installation(flavor, node)
            if node == "Spain2":  # the first to be stored, the last to be installed
                later = installation.installed_at + timedelta(days=1)
                Installation.objects.filter(pk=installation.pk).update(installed_at=later)
    with django_assert_num_queries(3):
        nodes = [flavor.nodes for flavor in Flavor.objects.with_nodes()]
    assert nodes == [["Lannion2", "Mordor", "Spain2"]] * 2


def test_an_installation_is_named_after_both() -> None:
    assert str(make_installation(make_flavor(name="m1.tiny"))) == "m1.tiny in Spain2"


@pytest.mark.parametrize("side", ["flavor", "infrastructure"])
def test_what_is_installed_somewhere_stays(side: str) -> None:
    installation = make_installation(make_flavor())
    with pytest.raises(ProtectedError):
        getattr(installation, side).delete()


def test_an_infrastructure_without_flavors_may_go() -> None:
    assert make_infrastructure("Mordor").delete()[0] == 1


def test_the_role_of_managers_may_promote() -> None:
    permissions = Group.objects.get(name="InfrastructureManager").permissions
    assert set(permissions.values_list("content_type__app_label", "codename")) == {
        ("flavors", "view_flavor"),
        ("flavors", "promote_flavor"),
    }
