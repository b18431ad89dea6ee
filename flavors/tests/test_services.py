"""The lifecycle of promoted flavors in the catalogue."""

import uuid
from collections import Counter
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from pytest_django import DjangoAssertNumQueries
from rest_framework.exceptions import NotFound

from flavors.catalogue.services import change_promoted_flavor, create_promoted_flavor, delete_promoted_flavor
from flavors.models import Flavor, Installation
from flavorsync_project.api.errors import Conflict, MethodNotAllowedHere
from testing.flavors import make_flavor, make_installation
from testing.threads import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.database]

VALUES: dict[str, Any] = {"name": "m1.tiny", "vcpus": 1, "ram": 512, "disk": 1, "swap": 2}
NAME_TAKEN = "There is already a flavor of this name in the catalogue."
ID_TAKEN = "There is already a flavor of this id in the catalogue."
MALFORMED: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "x" * 256},
    {"vcpus": 0},
    {"ram": 0},
    {"disk": -1},
    {"swap": -1},
    {"ram": 2**31},
    {"vcpus": 10**30},
    {"vcpus": "many"},
]


def stored(flavor: Flavor) -> Flavor:
    return Flavor.objects.get(pk=flavor.pk)


# Creating


@pytest.mark.parametrize("flavorid", [{"flavorid": "42"}, {"flavorid": None}, {}])
def test_a_created_flavor_is_promoted_and_public(flavorid: dict[str, str | None]) -> None:
    flavor = stored(create_promoted_flavor(values=VALUES | flavorid))
    assert {member: getattr(flavor, member) for member in VALUES} == VALUES
    assert (flavor.promoted, flavor.public, flavor.nodes) == (True, True, [])
    given = flavorid.get("flavorid")
    assert flavor.flavorid == (given or str(uuid.UUID(flavor.flavorid, version=4)))


def test_creating_costs_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(3):  # two of them for the savepoint inside of the test's transaction
        create_promoted_flavor(values=VALUES)


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        ({"name": "m1.tiny"}, NAME_TAKEN),
        ({"name": "M1.Tiny"}, NAME_TAKEN),
        ({"name": "m1.tiny", "flavorid": "42"}, NAME_TAKEN),
        ({"name": "other", "flavorid": "42"}, ID_TAKEN),
    ],
)
@pytest.mark.parametrize("public", [True, False])
def test_a_taken_name_or_id_is_a_conflict(taken: dict[str, str], message: str, public: bool) -> None:
    make_flavor(**taken, public=public, promoted=False, ram=7)
    with pytest.raises(Conflict) as caught:
        create_promoted_flavor(values=VALUES | {"flavorid": "42"})
    assert caught.value.detail == message
    assert Flavor.objects.count() == 1


def test_a_published_flavor_that_is_just_so_is_promoted(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    flavor = make_flavor(**VALUES, flavorid="42", promoted=False)
    before = make_flavor(flavorid="other", name="other", promoted=False).updated_at
    for node in ("Spain2", "Mordor"):
        make_installation(flavor, node)
    with django_assert_num_queries(6):  # two of them for the savepoint inside of the test's transaction
        promoted = create_promoted_flavor(values=VALUES | {"flavorid": "42"})
        assert (promoted.pk, promoted.promoted, promoted.nodes) == (flavor.pk, True, ["Spain2", "Mordor"])
    assert stored(flavor).promoted
    assert stored(flavor).updated_at > before
    assert Flavor.objects.promoted().count() == 1


OTHERWISE = [
    {"public": False},
    {"promoted": True},
    {"name": "M1.TINY"},
    {"vcpus": 7},
    {"ram": 7},
    {"disk": 7},
    {"swap": 7},
]


@pytest.mark.parametrize("otherwise", OTHERWISE)
def test_one_that_is_otherwise_is_not_promoted(otherwise: dict[str, Any]) -> None:
    make_flavor(**{**VALUES, "flavorid": "42", "promoted": False} | otherwise)
    before = Flavor.objects.values().get()
    with pytest.raises(Conflict):
        create_promoted_flavor(values=VALUES | {"flavorid": "42"})
    assert Flavor.objects.values().get() == before


@pytest.mark.parametrize("name", ["École", "ÑANDÚ", "Straße", "İstanbul"])
def test_the_conflict_of_a_name_is_said_in_any_script(name: str) -> None:
    make_flavor(name=name)
    with pytest.raises(Conflict) as caught:
        create_promoted_flavor(values=VALUES | {"name": name})
    assert caught.value.detail == NAME_TAKEN


@pytest.mark.parametrize("values", [*MALFORMED, {"flavorid": " "}, {"flavorid": "a/b"}])
def test_malformed_values_are_not_created(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        create_promoted_flavor(values=VALUES | values)
    assert set(caught.value.message_dict) == set(values)
    assert not Flavor.objects.exists()


# Changing


@pytest.mark.parametrize(
    "changes",
    [{"name": "m1.small"}, {"vcpus": 2}, {"ram": 1024, "disk": 0, "swap": 0}, VALUES, {"name": "TESTNANO"}, {}],
)
def test_what_is_named_changes_and_the_rest_stays(changes: dict[str, Any]) -> None:
    flavor = make_flavor()
    before = {field.name: getattr(flavor, field.name) for field in Flavor._meta.concrete_fields}
    assert change_promoted_flavor(flavor=flavor, changes=changes).pk == flavor.pk
    after = {field.name: getattr(stored(flavor), field.name) for field in Flavor._meta.concrete_fields}
    assert after.pop("updated_at") > before.pop("updated_at")
    before.pop("name_key")
    assert after.pop("name_key") == after["name"].lower()
    assert after == before | changes


@pytest.mark.parametrize(
    "said", [{"promoted": True}, {"public": True}, {"promoted": True, "public": True, "nodes": []}]
)
def test_saying_what_holds_is_fine(said: dict[str, Any]) -> None:
    flavor = make_flavor()
    change_promoted_flavor(flavor=flavor, changes=said | {"ram": 7})
    assert (stored(flavor).ram, stored(flavor).promoted, stored(flavor).public) == (7, True, True)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"promoted": False}, Conflict),
        ({"public": False}, Conflict),
        ({"promoted": False, "public": True}, Conflict),
        ({"promoted": True, "public": False}, Conflict),
        ({"nodes": ["Spain2"]}, MethodNotAllowedHere),
        ({"name": "Other"}, Conflict),
        ({"name": "OTHER"}, Conflict),
        *((malformed, ValidationError) for malformed in MALFORMED),
    ],
)
def test_a_refused_change_changes_nothing(changes: dict[str, Any], error: type[Exception]) -> None:
    make_flavor(name="other")
    flavor = make_flavor()
    with pytest.raises(error) as caught:
        change_promoted_flavor(flavor=flavor, changes={"disk": 99} | changes)
    if "name" in changes and error is Conflict:
        assert str(caught.value) == NAME_TAKEN
    if isinstance(caught.value, MethodNotAllowedHere):
        assert caught.value.allow == ("GET", "HEAD", "OPTIONS", "DELETE")
    assert (stored(flavor).name, stored(flavor).disk, stored(flavor).promoted) == ("TestNano", 10, True)


def test_a_flavor_that_was_deleted_meanwhile_is_not_found() -> None:
    flavor = make_flavor()
    Flavor.objects.all().delete()
    with pytest.raises(NotFound):
        change_promoted_flavor(flavor=flavor, changes={"ram": 7})
    assert not Flavor.objects.exists()


# Deleting


def test_a_flavor_that_no_node_has_is_deleted() -> None:
    flavor, other = make_flavor(), make_flavor(name="other")
    delete_promoted_flavor(flavor=flavor)
    assert list(Flavor.objects.all()) == [other]


def test_an_installed_flavor_stays() -> None:
    flavor = make_flavor()
    make_installation(flavor, "Spain2")
    make_installation(flavor, "Mordor")
    with pytest.raises(MethodNotAllowedHere, match=r"still installed in Spain2, Mordor\.$") as caught:
        delete_promoted_flavor(flavor=flavor)
    assert caught.value.allow == ("GET", "HEAD", "OPTIONS", "PUT")
    assert stored(flavor).nodes == ["Spain2", "Mordor"]


def test_a_flavor_that_is_not_promoted_stays() -> None:
    flavor = make_flavor(promoted=False)
    with pytest.raises(MethodNotAllowedHere, match="not promoted") as caught:
        delete_promoted_flavor(flavor=flavor)
    assert caught.value.allow == ("GET", "HEAD", "OPTIONS")
    assert list(Flavor.objects.all()) == [flavor]


def test_deleting_what_is_gone_is_done() -> None:
    flavor = make_flavor()
    delete_promoted_flavor(flavor=flavor)
    delete_promoted_flavor(flavor=flavor)
    assert not Flavor.objects.exists()


# Several at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite in memory has one connection")
class TestAtOnce:
    """Ten rounds each: whoever comes first, the outcome makes sense."""

    @pytest.mark.parametrize("taken", [{"name": "m1.tiny"}, {"name": "M1.TINY"}, {"name": "other", "flavorid": "42"}])
    def test_of_many_creations_one_succeeds(self, taken: dict[str, str]) -> None:
        first = VALUES | {"flavorid": "42"}
        second = VALUES | {"flavorid": "43"} | taken
        for _ in range(10):
            works = [partial(create_promoted_flavor, values=values) for values in (first, second) * 2]
            outcomes = at_once(*works)
            assert Counter(type(outcome) for outcome in outcomes) == {Flavor: 1, Conflict: 3}, outcomes
            assert Flavor.objects.count() == 1
            Flavor.objects.all().delete()

    def test_a_change_and_a_deletion(self) -> None:
        for _ in range(10):
            flavor = make_flavor()
            mine, theirs = stored(flavor), stored(flavor)
            changed, deleted = at_once(
                partial(change_promoted_flavor, flavor=mine, changes={"ram": 7}),
                partial(delete_promoted_flavor, flavor=theirs),
            )
            assert isinstance(changed, Flavor | NotFound), changed
            assert deleted is None
            assert not Flavor.objects.exists()

    def test_an_installation_and_a_deletion(self) -> None:
        for _ in range(10):
            flavor = make_flavor()
            installed, deleted = at_once(
                partial(make_installation, flavor),
                partial(delete_promoted_flavor, flavor=flavor),
            )
            assert Installation.objects.count() == Flavor.objects.count()
            assert isinstance(installed, Installation) or deleted is None, (installed, deleted)
            Installation.objects.all().delete()
            Flavor.objects.all().delete()

    def test_two_renamings_to_one_name(self) -> None:
        for _ in range(10):
            works = [
                partial(change_promoted_flavor, flavor=make_flavor(name=name), changes={"name": "same"})
                for name in ("a", "b")
            ]
            outcomes = at_once(*works)
            assert {type(outcome) for outcome in outcomes} == {Flavor, Conflict}, outcomes
            assert Flavor.objects.filter(name="same").count() == 1
            Flavor.objects.all().delete()
