"""The lifecycle where the lab would be too slow or too obedient: the order of steps, and what is undone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, connections
from pytest_django import DjangoAssertNumQueries
from rest_framework.exceptions import APIException

from flavors.lifecycle import reading, writing
from flavors.lifecycle.private import PrivateFlavor
from flavors.lifecycle.together import PartlyDone
from flavors.models import Flavor
from flavorsync_project.api.errors import Conflict
from identity.principals import TokenUser
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import CloudUnavailable
from infrastructures.openstack.records import NovaFlavor
from testing.cloud import Federation, RegisteredCloud, flavor_document
from testing.flavors import make_flavor, make_installation
from testing.infrastructures import make_registered, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]

CLOUDS = ("Mordor", "Rohan", "Spain2")
OPERATOR = TokenUser(id="1", username="sauron", email="", roles=frozenset(), owned_nodes=frozenset(CLOUDS))
OTHER = TokenUser(id="2", username="frodo", email="", roles=frozenset(), owned_nodes=frozenset(["Shire"]))
SIZES = {"vcpus": 1, "ram": 512, "disk": 1}
# The same flavor, as the catalogue has it and as a Nova does
FLAVOR: dict[str, Any] = {
    "flavorid": "42",
    "name": "m1.custom",
    "vcpus": 2,
    "ram": 4096,
    "disk": 20,
    "swap": 512,
    "ephemeral": 10,
    "rxtx_factor": 2.0,
    "description": "for tests",
    "extra_specs": {"hw:cpu_policy": "shared", "quota:vif": "1"},
    "promoted": False,
}


def in_nova(id: str = "42", name: str = "m1.custom", **overrides: Any) -> dict[str, Any]:
    return flavor_document(id=id, name=name, **{"os-flavor-access:is_public": True} | overrides)


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Three clouds without a flavor, registered by OPERATOR."""
    with Federation() as federation:
        for name in CLOUDS:
            federation.add(name)
            make_registered(name)
        yield federation


def has(federation: Federation) -> dict[str, list[str]]:
    """Return the ids of the flavors in the Nova of each cloud."""
    return {name: sorted(cloud.flavors) for name, cloud in federation.clouds.items()}


def recorded() -> dict[str, list[str]]:
    """Return the nodes of each flavor of the catalogue, by its id."""
    return {flavor.flavorid: flavor.nodes for flavor in Flavor.objects.with_nodes()}


def update(node: str | None = None, **changes: Any) -> Any:
    return writing.update_flavor(user=OPERATOR, flavorid="42", node=node, changes=changes)


def create(**values: Any) -> Any:
    return writing.create_flavor(user=OPERATOR, values={"id": "42", "name": "m1.custom", **SIZES, **values})


def delete(node: str | None = None) -> None:
    writing.delete_flavor(user=OPERATOR, flavorid="42", node=node)


# What is done first


@contextmanager
def watched(federation: Federation) -> Iterator[list[str]]:
    """Yield the list of what happens: changes in a Nova, and changes of the catalogue's tables."""
    events: list[str] = []

    def called(cloud: RegisteredCloud) -> Callable[[str], None]:
        def note(call: str) -> None:
            if not call.startswith("GET"):
                events.append(f"{cloud.name}: {call}")

        return note

    def executed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        verb = sql.split(maxsplit=1)[0]
        tables = {
            "infrastructures_replacement": "journal",
            "flavors_installation": "installation",
            "flavors_sighting": "sighting",
            "flavors_droppedspec": "dropped spec",
            "flavors_grant": "grant",
            "flavors_retirement": "retirement",
            "synchronisation_ignoredflavor": "exception",
            "flavors_flavor": "flavor",
        }
        if verb in ("INSERT", "UPDATE", "DELETE"):
            events.append(f"{verb} {next(name for table, name in tables.items() if table in sql)}")
        return execute(sql, params, many, context)

    for cloud in federation.clouds.values():
        cloud.before_call = called(cloud)
    with connection.execute_wrapper(executed):
        yield events


INSTALL = ["INSERT sighting", "INSERT installation"]
PUT_IN = ["INSERT flavor", *INSTALL]
TAKEN = ["sighting", "installation", "sighting", "dropped spec", "grant", "retirement", "exception", "flavor"]
TAKE_OUT = [f"DELETE {table}" for table in TAKEN]


def written_down(*calls: str) -> list[str]:
    """Return the calls that change a cloud, with the journal before and after each."""
    return ["INSERT journal", *calls, "DELETE journal"]


@pytest.mark.parametrize(
    ("there", "act", "events"),
    [
        ("nowhere", lambda: create(nodes=["Mordor"]), written_down("Mordor: POST /flavors")),
        ("nowhere", lambda: create(nodes=["Mordor"], public=True), [*written_down("Mordor: POST /flavors"), *PUT_IN]),
        ("private", lambda: update(public=True), PUT_IN),
        (
            "private",
            lambda: update(public=True, nodes=["Rohan"]),
            [*written_down("Rohan: POST /flavors", "Rohan: POST /flavors/42/os-extra_specs"), *PUT_IN],
        ),
        (
            "public",
            lambda: update(nodes=["Rohan"]),
            [*written_down("Rohan: POST /flavors", "Rohan: POST /flavors/42/os-extra_specs"), *INSTALL],
        ),
        ("private", delete, written_down("Mordor: DELETE /flavors/42")),
        ("public", delete, [*written_down("Mordor: DELETE /flavors/42"), *TAKE_OUT]),
    ],
    ids=["create", "create public", "publish", "publish and install", "install", "delete", "delete the last"],
)
def test_what_is_asked_of_nova_is_written_down_and_what_it_did_is_recorded(
    federation: Federation, there: str, act: Callable[[], Any], events: list[str]
) -> None:
    if there != "nowhere":
        federation.clouds["Mordor"].flavors["42"] = in_nova()
    if there == "public":
        make_installation(make_flavor(**FLAVOR), "Mordor")
    with watched(federation) as seen:
        act()
    assert seen == events


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "act",
    [
        lambda: create(id="new", name="new", nodes=list(CLOUDS), public=True),
        lambda: update(nodes=list(CLOUDS)),
        lambda: update(nodes=["Rohan", "Spain2"], promoted=None),
        delete,
        lambda: reading.list_flavors(user=OPERATOR, promoted=None, public=None, node=None),
        lambda: writing.update_flavor(
            user=OPERATOR, flavorid="own", node=None, changes={"ram": 1, "public": True, "nodes": ["Spain2"]}
        ),
    ],
    ids=["create", "install", "install in two", "delete", "list", "resize, publish and install"],
)
def test_no_transaction_is_open_while_a_cloud_is_called(federation: Federation, act: Callable[[], Any]) -> None:
    """Transactions are each connection's own, and this is the one of the request."""
    ours = connections["default"]
    federation.clouds["Mordor"].flavors = {"42": in_nova(), "own": in_nova("own", "own")}
    make_installation(make_flavor(**FLAVOR), "Mordor")
    open_then: list[bool] = []
    for cloud in federation.clouds.values():
        cloud.before_call = lambda call: open_then.append(ours.in_atomic_block)
    act()
    assert open_then
    assert not any(open_then)


# What is undone


def take_the_id(node: str) -> None:
    """Have the catalogue say that *node* has another flavor under the id 42, which its Nova has not."""
    make_installation(make_flavor(flavorid="other", name="other"), node, flavorid="42")


def test_what_cannot_be_recorded_is_taken_back_from_those_that_were_given_it(federation: Federation) -> None:
    """And not from those that had it before."""
    federation.clouds["Mordor"].flavors["42"] = in_nova()
    federation.clouds["Rohan"].flavors["42"] = in_nova()
    make_installation(make_flavor(**FLAVOR), "Mordor")
    take_the_id("Spain2")
    with pytest.raises(Conflict) as caught:
        update(nodes=["Rohan", "Spain2"])
    assert str(caught.value.detail) == "A node already has a flavor with the id 42."
    assert has(federation) == {"Mordor": ["42"], "Rohan": ["42"], "Spain2": []}
    assert recorded() == {"42": ["Mordor"], "other": ["Spain2"]}


def test_a_creation_that_cannot_be_recorded_is_taken_back_from_all(federation: Federation) -> None:
    take_the_id("Spain2")
    with pytest.raises(Conflict):
        create(public=True, nodes=["Mordor", "Spain2"])
    assert has(federation) == {"Mordor": [], "Rohan": [], "Spain2": []}
    assert recorded() == {"other": ["Spain2"]}


def test_a_publication_that_cannot_be_recorded_leaves_the_private_flavor(federation: Federation) -> None:
    federation.clouds["Mordor"].flavors["42"] = in_nova()
    federation.clouds["Rohan"].flavors["42"] = in_nova(ram=1)
    take_the_id("Spain2")
    with pytest.raises(Conflict):
        update(node="Mordor", public=True, nodes=["Spain2"])
    assert has(federation) == {"Mordor": ["42"], "Rohan": ["42"], "Spain2": []}
    assert recorded() == {"other": ["Spain2"]}


def test_a_creation_in_several_nodes_is_in_all_or_in_none(federation: Federation) -> None:
    federation.clouds["Rohan"].failing["POST /flavors"] = 403
    with pytest.raises(CloudUnavailable) as caught:
        create(nodes=list(CLOUDS))
    assert str(caught.value.detail) == "Rohan: it does not let our stored credentials do this."
    assert has(federation) == {"Mordor": [], "Rohan": [], "Spain2": []}


def test_what_cannot_be_taken_back_is_in_the_log(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    take_the_id("Spain2")
    federation.clouds["Spain2"].failing["DELETE /flavors/42"] = 403
    with pytest.raises(Conflict):
        create(public=True, nodes=["Spain2"])
    assert "Spain2: flavor 42 stays unrecorded: Spain2: it does not let our stored credentials do this." in (
        caplog.messages
    )


@pytest.mark.parametrize("ram", [4096, 1])
def test_only_the_same_flavor_is_adopted(federation: Federation, ram: int) -> None:
    federation.clouds["Mordor"].flavors["42"] = in_nova()
    federation.clouds["Rohan"].flavors["42"] = in_nova(ram=ram)
    make_installation(make_flavor(**FLAVOR), "Mordor")
    if ram == 4096:
        assert update(nodes=["Rohan"]).nodes == ["Mordor", "Rohan"]
        return
    with pytest.raises(APIException) as caught:
        update(nodes=["Rohan"])
    assert (caught.value.status_code, recorded()) == (409, {"42": ["Mordor"]})
    assert federation.clouds["Rohan"].flavors["42"]["ram"] == 1


# Partly done

NO_PERMISSION = "it does not let our stored credentials do this."


@pytest.mark.parametrize(
    ("failing", "status", "message", "nodes"),
    [
        (
            {"Rohan": 403},
            502,
            f"Installed in Spain2, but not in Rohan. Rohan: {NO_PERMISSION}",
            ["Mordor", "Spain2"],
        ),
        (
            {"Rohan": 409, "Spain2": 403},
            409,
            f"Not installed in Rohan, Spain2. Rohan: as the test said Spain2: {NO_PERMISSION}",
            ["Mordor"],
        ),
        (
            {"Spain2": 400},
            400,
            "Installed in Rohan, but not in Spain2. Spain2: as the test said",
            ["Mordor", "Rohan"],
        ),
    ],
)
def test_an_installation_that_fails_in_some_says_what_was_done(
    federation: Federation, failing: dict[str, int], status: int, message: str, nodes: list[str]
) -> None:
    federation.clouds["Mordor"].flavors["42"] = in_nova()
    make_installation(make_flavor(**FLAVOR), "Mordor")
    for name, code in failing.items():
        federation.clouds[name].failing["POST /flavors"] = code
    with pytest.raises(PartlyDone) as caught:
        update(nodes=["Rohan", "Spain2"])
    assert (caught.value.status_code, str(caught.value.detail)) == (status, message)
    assert recorded() == {"42": nodes}
    assert [name for name, ids in has(federation).items() if ids] == nodes


def test_a_deletion_that_fails_in_some_says_what_was_done(federation: Federation) -> None:
    flavor = make_flavor(**FLAVOR)
    for name in CLOUDS:
        federation.clouds[name].flavors["42"] = in_nova()
        make_installation(flavor, name)
    federation.clouds["Rohan"].failing["DELETE /flavors/42"] = 403
    with pytest.raises(PartlyDone) as caught:
        delete()
    assert str(caught.value.detail) == f"Deleted in Mordor, Spain2, but not in Rohan. Rohan: {NO_PERMISSION}"
    assert recorded() == {"42": ["Rohan"]}
    assert has(federation) == {"Mordor": [], "Rohan": ["42"], "Spain2": []}


def test_the_only_ones_failure_is_said_as_it_is(federation: Federation) -> None:
    federation.clouds["Mordor"].flavors["42"] = in_nova()
    make_installation(make_flavor(**FLAVOR), "Mordor")
    federation.clouds["Rohan"].failing["POST /flavors"] = 403
    with pytest.raises(CloudUnavailable) as caught:
        update(nodes=["Rohan"])
    assert str(caught.value.detail) == f"Rohan: {NO_PERMISSION}"


# Lists


def listed(
    user: Any = OPERATOR, *, promoted: bool | None = None, public: bool | None = None, node: str | None = None
) -> Any:
    return [
        (flavor.flavorid, flavor.nodes)
        for flavor in reading.list_flavors(user=user, promoted=promoted, public=public, node=node).flavors
    ]


@pytest.mark.parametrize(("user", "queries"), [(AnonymousUser(), 3), (OTHER, 4), (OPERATOR, 7)])
@pytest.mark.parametrize("rows", [1, 20])
def test_a_list_takes_as_many_queries_whatever_its_length(
    federation: Federation, django_assert_max_num_queries: DjangoAssertNumQueries, user: Any, queries: int, rows: int
) -> None:
    for number in range(rows):
        flavor = make_flavor(name=f"public {number:02}")
        for cloud in federation.clouds.values():
            make_installation(flavor, cloud.name)
            cloud.flavors[f"private-{number}"] = in_nova(f"private-{number}", f"private {number:02}")
    with django_assert_max_num_queries(queries):
        found = listed(user)
    assert len(found) == rows * (2 if user is OPERATOR else 1)
    assert {tuple(nodes) for _, nodes in found} == {CLOUDS}


def test_flavors_alike_are_one_and_others_several(federation: Federation) -> None:
    mordor, rohan, spain2 = federation.clouds.values()
    mordor.flavors = {"a": in_nova("a", "a"), "b": in_nova("b", "b"), "c": in_nova("c", "c")}
    rohan.flavors = {"a": in_nova("a", "a"), "b": in_nova("b", "b", ram=1), "c": in_nova("c", "c", extra_specs={})}
    spain2.flavors = {"a": in_nova("a", "a"), "b": in_nova("b", "b"), "d": in_nova("d", "a")}
    found = listed()
    assert sorted(found) == [
        ("a", ["Mordor", "Rohan", "Spain2"]),
        ("b", ["Mordor", "Spain2"]),
        ("b", ["Rohan"]),
        ("c", ["Mordor"]),
        ("c", ["Rohan"]),
        ("d", ["Spain2"]),
    ]
    assert [flavorid for flavorid, _ in found] == ["a", "d", "b", "b", "c", "c"]  # by name, then id


def test_what_the_catalogue_says_is_installed_is_not_private_too(federation: Federation) -> None:
    """By its id in that node: the same flavor elsewhere is private as long as nobody has recorded it."""
    for cloud in federation.clouds.values():
        cloud.flavors["42"] = in_nova()
    make_installation(make_flavor(**FLAVOR), "Mordor")
    make_installation(
        make_flavor(flavorid="hidden", name="hidden", public=False, promoted=False), "Spain2", flavorid="42"
    )
    assert listed() == [("42", ["Mordor"]), ("42", ["Rohan", "Spain2"])]


FILTERED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["private", "promoted", "public"]),
    ({"public": True}, ["promoted", "public"]),
    ({"public": False}, ["private"]),
    ({"promoted": True}, ["promoted"]),
    ({"promoted": False}, ["private", "public"]),
    ({"promoted": True, "public": True}, ["promoted"]),
    ({"promoted": True, "public": False}, []),
    ({"promoted": False, "public": True}, ["public"]),
    ({"promoted": False, "public": False}, ["private"]),
    ({"node": "Mordor"}, ["private", "public"]),
    ({"node": "Rohan"}, ["promoted"]),
    ({"node": "Spain2"}, []),
    ({"node": "unheard-of"}, []),
    ({"node": "Mordor", "public": False}, ["private"]),
    ({"node": "Rohan", "public": False}, []),
    ({"node": "Mordor", "promoted": True}, []),
]


@pytest.mark.parametrize("user", [OPERATOR, OTHER, AnonymousUser()], ids=["operator", "another", "anybody"])
def test_filters(federation: Federation, user: Any) -> None:
    federation.clouds["Mordor"].flavors["private"] = in_nova("private", "a")
    make_installation(make_flavor(flavorid="promoted", name="b"), "Rohan")
    make_installation(make_flavor(flavorid="public", name="c", promoted=False), "Mordor")
    make_flavor(flavorid="never-published", name="d", promoted=False, public=False)
    for filters, found in FILTERED:
        for cloud in federation.clouds.values():
            cloud.calls.clear()
        expected = [flavorid for flavorid in found if user is OPERATOR or flavorid != "private"]
        assert [flavorid for flavorid, _ in listed(user, **filters)] == expected, filters
        asks = user is OPERATOR and not filters.get("public") and not filters.get("promoted")
        asked = [name for name in CLOUDS if asks and filters.get("node", name) == name]
        assert federation.calls() == {name: ["GET /flavors/detail"] for name in asked}, filters


def test_a_private_flavor_reads_like_one_of_the_catalogue(federation: Federation) -> None:
    federation.clouds["Mordor"].flavors["42"] = in_nova()
    (flavor,) = reading.list_flavors(user=OPERATOR, promoted=None, public=None, node=None).flavors
    assert isinstance(flavor, PrivateFlavor)
    assert {member: getattr(flavor, member) for member in FLAVOR} == FLAVOR
    assert (flavor.public, flavor.nodes) == (False, ["Mordor"])
    with pytest.raises(AttributeError):
        _ = flavor.unheard_of


@pytest.mark.parametrize("rows", [1, 5])
def test_one_takes_as_many_queries_whatever_its_nodes(
    federation: Federation, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    flavor = make_flavor(**FLAVOR)
    for number in range(rows):
        make_installation(flavor, f"Node {number}")
    with django_assert_num_queries(3):
        found = reading.find_flavor(user=OPERATOR, flavorid="42", node=None)
        assert len(found.nodes) == rows


# Resizing


def test_a_resize_that_was_cut_short_is_finished_at_the_next_visit(federation: Federation) -> None:
    """Nova has deleted the old flavor, and then our process was gone."""
    old = NovaFlavor.from_nova(in_nova())
    Replacement.objects.create(
        infrastructure=Infrastructure.objects.get(name="Mordor"),
        flavorid="42",
        old=replace(old, projects=()).as_json(),
        new=replace(old, ram=8192, projects=()).as_json(),
    )
    assert listed(public=False) == [("42", ["Mordor"])]
    assert federation.clouds["Mordor"].flavors["42"]["ram"] == 8192
    assert not Replacement.objects.exists()


def cut_short_in(federation: Federation, name: str) -> None:
    """Have a resize be half way in a cloud whose Nova makes no flavors for now."""
    old = NovaFlavor.from_nova(in_nova())
    make_replacement(
        infrastructure=Infrastructure.objects.get(name=name),
        old=replace(old, projects=()).as_json(),
        new=replace(old, ram=8192, projects=()).as_json(),
    )
    federation.clouds[name].failing["POST /flavors"] = 503


def test_a_flavor_that_cannot_be_made_again_yet_is_not_said_not_to_be(federation: Federation) -> None:
    cut_short_in(federation, "Mordor")
    with pytest.raises(CloudUnavailable, match="Mordor: flavor 42 is being replaced, and is not back yet"):
        reading.find_flavor(user=OPERATOR, flavorid="42", node=None)


@pytest.mark.parametrize(
    "act",
    [
        lambda: update(ram=16384),
        lambda: writing.delete_flavor(user=OPERATOR, flavorid="42", node=None),
    ],
    ids=["resize", "delete"],
)
def test_no_node_is_left_out_since_its_flavor_cannot_be_made_again_yet(
    federation: Federation, act: Callable[[], Any]
) -> None:
    federation.clouds["Rohan"].flavors["42"] = in_nova()
    cut_short_in(federation, "Mordor")
    with pytest.raises(CloudUnavailable, match="Mordor: flavor 42 is being replaced, and is not back yet"):
        act()
    assert federation.clouds["Rohan"].flavors["42"]["ram"] == in_nova()["ram"]


def test_a_private_flavor_is_resized_in_each_of_its_nodes(federation: Federation) -> None:
    for name in ("Mordor", "Rohan"):
        federation.clouds[name].flavors["42"] = in_nova()
    flavor = update(ram=8192)
    assert (flavor.ram, flavor.nodes) == (8192, ["Mordor", "Rohan"])
    found = [cloud.flavors.get("42", {}) for cloud in federation.clouds.values()]
    assert [one.get("ram") for one in found] == [8192, 8192, None]
    assert [one.get("extra_specs") for one in found[:2]] == [FLAVOR["extra_specs"]] * 2
    assert not Replacement.objects.exists()


@pytest.mark.parametrize(("status", "answered"), [(400, 400), (403, 502), (409, 409)])
def test_a_resize_that_nova_refuses_leaves_the_flavor_as_it_was(
    federation: Federation, status: int, answered: int
) -> None:
    mordor = federation.clouds["Mordor"]
    mordor.flavors["42"] = in_nova()
    refused_once = iter([status])

    def refuse_the_new_one(call: str) -> None:
        mordor.failing.clear()
        if call == "POST /flavors" and (code := next(refused_once, 0)):
            mordor.failing[call] = code

    mordor.before_call = refuse_the_new_one
    with pytest.raises(APIException) as caught:
        update(ram=8192)
    assert caught.value.status_code == answered
    assert (mordor.flavors["42"]["ram"], mordor.flavors["42"]["extra_specs"]) == (4096, FLAVOR["extra_specs"])
    assert not Replacement.objects.exists()
