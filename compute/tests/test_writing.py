"""The promoted flavors, written as administrators write those of a Nova."""

from typing import Any

import pytest

from compute.tests.client import Answer, Nova
from flavors.models import Flavor
from synchronisation.models import WrittenFlavor
from testing.cloud import registered_clouds
from testing.flavors import make_flavor

NUMBERS = {"ram": 512, "vcpus": 1, "disk": 1}
NEW = {"name": "new", **NUMBERS}


def created(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    flavor: dict[str, Any] = answer.body["flavor"]
    return flavor


# Creating


def test_a_flavor_is_made_as_nova_makes_one(admin: Nova) -> None:
    body = {**NEW, "id": "n1", "swap": 64, "rxtx_factor": 2.5, "OS-FLV-EXT-DATA:ephemeral": 3, "description": "new one"}
    flavor = created(admin.at("2.61").post("/flavors", {"flavor": {**body, "os-flavor-access:is_public": False}}))
    assert flavor.items() >= {**body, "os-flavor-access:is_public": False, "extra_specs": {}}.items()
    stored = Flavor.objects.get(flavorid="n1")
    assert (stored.public, stored.promoted, stored.is_public, stored.ephemeral) == (True, True, False, 3)
    assert admin.at("2.61").get("/flavors/n1").body["flavor"] == flavor


@pytest.mark.parametrize("id", [{}, {"id": None}])
def test_without_an_id_there_is_a_random_one(admin: Nova, id: dict[str, None]) -> None:
    flavor = created(admin.post("/flavors", {"flavor": {**NEW, **id}}))
    assert len(flavor["id"]) == 36


@pytest.mark.parametrize(
    ("given", "taken_as"),
    [
        ({"ram": "1024", "vcpus": "2", "disk": "0"}, {"ram": 1024, "vcpus": 2, "disk": 0}),
        ({"id": 42}, {"id": "42"}),
        ({"id": 4.5}, {"id": "4.5"}),
        ({"os-flavor-access:is_public": "False"}, {"os-flavor-access:is_public": False}),
        ({"os-flavor-access:is_public": "on"}, {"os-flavor-access:is_public": True}),
        ({"rxtx_factor": "1.5"}, {"rxtx_factor": 1.5}),
        ({"swap": "0"}, {"swap": ""}),
        ({"OS-FLV-EXT-DATA:ephemeral": "7"}, {"OS-FLV-EXT-DATA:ephemeral": 7}),
    ],
)
def test_values_may_be_written_as_text(admin: Nova, given: dict[str, Any], taken_as: dict[str, Any]) -> None:
    assert created(admin.post("/flavors", {"flavor": {**NEW, **given}})).items() >= taken_as.items()


@pytest.mark.parametrize(
    "change",
    [
        {"ram": 0},
        {"ram": -1},
        {"ram": 2**31},
        {"ram": 1.5},
        {"ram": True},
        {"ram": None},
        {"ram": "+1"},
        {"ram": " 1 "},
        {"ram": "1_000"},
        {"ram": "1.0"},
        {"ram": "\u0661"},
        {"vcpus": "x"},
        {"disk": ""},
        {"swap": -1},
        {"name": ""},
        {"name": " a"},
        {"name": "a" * 256},
        {"name": 5},
        {"id": ""},
        {"id": " a"},
        {"id": "a/b"},
        {"id": "detail"},
        {"id": True},
        {"rxtx_factor": 0},
        {"rxtx_factor": "inf"},
        {"rxtx_factor": "nan"},
        {"rxtx_factor": "1e3"},
        {"rxtx_factor": ".5"},
        {"os-flavor-access:is_public": "perhaps"},
        {"os-flavor-access:is_public": None},
        {"os-flavor-access:is_public": "t"},
        {"os-flavor-access:is_public": 1},
        {"description": "before 2.55"},
        {"extra_specs": {}},
        {"promoted": True},
    ],
)
def test_what_nova_would_not_take_is_refused(admin: Nova, change: dict[str, Any]) -> None:
    assert admin.post("/flavors", {"flavor": {**NEW, **change}}).fault == ("badRequest", 400)
    assert not Flavor.objects.exists()


@pytest.mark.parametrize("missing", ["name", "ram", "vcpus", "disk"])
def test_name_and_sizes_are_required(admin: Nova, missing: str) -> None:
    flavor = {member: value for member, value in NEW.items() if member != missing}
    assert admin.post("/flavors", {"flavor": flavor}).fault == ("badRequest", 400)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"flavor"', b"{}", {"flavor": []}, {"flavor": None}, {"flavor": NEW, "more": 1}, b"\xff"],
)
def test_a_body_of_another_form_is_refused(admin: Nova, body: Any) -> None:
    assert admin.post("/flavors", body).fault == ("badRequest", 400)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_a_body_is_json_whatever_it_is_said_to_be(admin: Nova, content_type: str) -> None:
    created(admin.send("POST", "/flavors", {"flavor": NEW}, content_type=content_type))


def test_descriptions_begin_with_2_55(admin: Nova) -> None:
    assert created(admin.at("2.55").post("/flavors", {"flavor": {**NEW, "description": None}}))["description"] is None


@pytest.mark.parametrize("text", ["a\tb", "two\nlines", "\x00", "beyond the first plane \U0001f600", "x" * 65536])
def test_descriptions_that_nova_would_not_take_are_refused(admin: Nova, text: str) -> None:
    flavor = {**NEW, "description": text}
    assert admin.at("2.55").post("/flavors", {"flavor": flavor}).fault == ("badRequest", 400)


@pytest.mark.parametrize("text", ["ünïcode\u00a0名", "x" * 65535])
def test_descriptions_that_nova_takes_are_taken(admin: Nova, text: str) -> None:
    assert created(admin.at("2.55").post("/flavors", {"flavor": {**NEW, "description": text}}))["description"] == text


@pytest.mark.parametrize("promoted", [True, False])
@pytest.mark.parametrize("taken", [{"id": "nano"}, {"name": "TestNano"}, {"name": "testNANO"}])
def test_a_name_or_an_id_is_taken_by_all_of_the_catalogue(admin: Nova, taken: dict[str, str], promoted: bool) -> None:
    make_flavor(flavorid="nano", promoted=promoted)
    assert admin.post("/flavors", {"flavor": {**NEW, **taken}}).fault == ("conflictingRequest", 409)
    assert not WrittenFlavor.objects.exists()


# Describing


def test_a_description_is_all_that_can_be_changed(admin: Nova) -> None:
    make_flavor(flavorid="nano", description="before")
    answer = admin.at("2.55").put("/flavors/nano", {"flavor": {"description": "after"}})
    assert created(answer)["description"] == "after"
    assert created(admin.at("2.55").put("/flavors/nano", {"flavor": {"description": None}}))["description"] is None
    refused: list[dict[str, Any]] = [{"ram": 5}, {}, {"description": "x", "ram": 5}]
    for flavor in refused:
        assert admin.at("2.55").put("/flavors/nano", {"flavor": flavor}).fault == ("badRequest", 400)
    assert admin.at("2.54").put("/flavors/nano", {"flavor": {"description": "x"}}).fault == ("itemNotFound", 404)
    assert admin.at("2.55").put("/flavors/nobody", {"flavor": {"description": "x"}}).fault == ("itemNotFound", 404)


# Extra specs


def test_extra_specs_are_merged_and_echoed(admin: Nova) -> None:
    make_flavor(flavorid="nano", extra_specs={"a": "1", "b": "2"})
    answer = admin.post("/flavors/nano/os-extra_specs", {"extra_specs": {"b": 3, "c": "4"}})
    assert (answer.status, answer.body) == (200, {"extra_specs": {"b": 3, "c": "4"}})
    assert admin.get("/flavors/nano/os-extra_specs").body == {"extra_specs": {"a": "1", "b": "3", "c": "4"}}


def test_one_extra_spec_is_set(admin: Nova) -> None:
    make_flavor(flavorid="nano", extra_specs={"a": "1"})
    answer = admin.put("/flavors/nano/os-extra_specs/a", {"a": "2"})
    assert (answer.status, answer.body) == (200, {"a": "2"})
    for body in ({"b": "2"}, {"a": "2", "b": "2"}, {}):
        assert admin.put("/flavors/nano/os-extra_specs/a", body).fault == ("badRequest", 400)
    assert Flavor.objects.get().extra_specs == {"a": "2"}


def test_an_extra_spec_is_taken_away(admin: Nova) -> None:
    make_flavor(flavorid="nano", extra_specs={"a": "1"})
    answer = admin.delete("/flavors/nano/os-extra_specs/a")
    assert (answer.status, answer.body) == (200, None)
    assert admin.delete("/flavors/nano/os-extra_specs/a").fault == ("itemNotFound", 404)
    assert Flavor.objects.get().extra_specs == {}


@pytest.mark.parametrize(
    "specs",
    [
        {"a/b": "1"},
        {"": "1"},
        {"a": None},
        {"a": True},
        {"a": []},
        {"a": "x" * 256},
        {"a": "x\ud800"},
        {"a": "\x00"},
        {"a": "\x9b"},
        [],
    ],
)
def test_extra_specs_that_nova_would_not_take_are_refused(admin: Nova, specs: Any) -> None:
    make_flavor(flavorid="nano")
    assert admin.post("/flavors/nano/os-extra_specs", {"extra_specs": specs}).fault == ("badRequest", 400)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/flavors/nano/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "nonsense"}}),
        ("PUT", "/flavors/nano/os-extra_specs/hw:cpu_policy", {"hw:cpu_policy": "nonsense"}),
    ],
)
def test_extra_specs_that_nova_knows_are_validated_from_2_86_on(
    admin: Nova, user: Nova, method: str, path: str, body: object
) -> None:
    make_flavor(flavorid="nano")
    with registered_clouds("Spain2") as federation:
        federation.clouds["Spain2"].rules = {"hw:cpu_policy": {"dedicated", "shared"}}
        assert user.at("2.86").send(method, path, body).fault == ("forbidden", 403)
        assert federation.calls() == {}
        assert admin.at("2.86").send(method, path, body).fault == ("badRequest", 400)
        assert Flavor.objects.get().extra_specs == {}
        assert admin.at("2.85").send(method, path, body).status == 200
        assert Flavor.objects.get().extra_specs == {"hw:cpu_policy": "nonsense"}


# Access


@pytest.fixture
def private(db: None) -> Flavor:
    return make_flavor(flavorid="nano", is_public=False)


def act(client: Nova, name: str, project: object = "p1", flavor: str = "nano") -> Answer:
    return client.post(f"/flavors/{flavor}/action", {name: {"tenant": project}})


def test_access_is_granted_and_revoked(admin: Nova, private: Flavor) -> None:
    both = [{"flavor_id": "nano", "tenant_id": project} for project in ("p1", "p2")]
    assert act(admin, "addTenantAccess", "p2").body == {"flavor_access": both[1:]}
    assert act(admin, "addTenantAccess").body == {"flavor_access": both}
    assert act(admin, "addTenantAccess").fault == ("conflictingRequest", 409)
    assert act(admin, "removeTenantAccess", "p2").body == {"flavor_access": both[:1]}
    assert act(admin, "removeTenantAccess", "p2").fault == ("itemNotFound", 404)
    assert act(admin, "addTenantAccess", "p2").body == {"flavor_access": both}
    assert admin.get("/flavors/nano/os-flavor-access").body == {"flavor_access": both}


def test_a_public_flavor_refuses_grants_from_2_7_on(admin: Nova) -> None:
    make_flavor(flavorid="nano")
    assert act(admin.at("2.7"), "addTenantAccess").fault == ("conflictingRequest", 409)
    assert act(admin.at("2.6"), "addTenantAccess").status == 200


def test_other_actions_are_refused(admin: Nova, private: Flavor) -> None:
    assert act(admin, "resize").fault == ("badRequest", 400)
    assert act(admin, "addTenantAccess", "").fault == ("badRequest", 400)
    assert act(admin, "addTenantAccess", 5).fault == ("badRequest", 400)
    assert act(admin, "addTenantAccess", "\ud800").fault == ("badRequest", 400)
    assert act(admin, "addTenantAccess", flavor="nobody").fault == ("itemNotFound", 404)


# Deleting


def test_a_flavor_is_gone_at_once(admin: Nova) -> None:
    make_flavor(flavorid="nano")
    answer = admin.delete("/flavors/nano")
    assert (answer.status, answer.body) == (202, None)
    assert admin.get("/flavors/nano").fault == ("itemNotFound", 404)
    assert admin.delete("/flavors/nano").fault == ("itemNotFound", 404)


def test_a_published_flavor_that_is_not_promoted_stays(admin: Nova) -> None:
    make_flavor(flavorid="nano", promoted=False)
    assert admin.delete("/flavors/nano").fault == ("itemNotFound", 404)
    assert Flavor.objects.exists()


# Who may, and what comes of it

WRITES = [
    ("POST", "/flavors", {"flavor": NEW}),
    ("PUT", "/flavors/{id}", {"flavor": {"description": "x"}}),
    ("DELETE", "/flavors/{id}", None),
    ("POST", "/flavors/{id}/os-extra_specs", {"extra_specs": {"b": "1"}}),
    ("PUT", "/flavors/{id}/os-extra_specs/a", {"a": "2"}),
    ("DELETE", "/flavors/{id}/os-extra_specs/a", None),
    ("POST", "/flavors/{id}/action", {"addTenantAccess": {"tenant": "p2"}}),
    ("POST", "/flavors/{id}/action", {"removeTenantAccess": {"tenant": "p1"}}),
]


@pytest.mark.parametrize("id", ["nano", "nobody"])
@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_writing_is_for_managers_whether_there_is_such_a_flavor_or_not(
    user: Nova, method: str, path: str, body: object, id: str
) -> None:
    make_flavor(flavorid="nano", extra_specs={"a": "1"})
    answer = user.at("2.85").send(method, path.format(id=id), body)
    assert answer.fault == ("forbidden", 403)
    assert not WrittenFlavor.objects.exists()


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_every_write_is_to_be_brought_to_the_nodes(admin: Nova, method: str, path: str, body: object) -> None:
    flavor = make_flavor(flavorid="nano", extra_specs={"a": "1"}, is_public=False)
    flavor.grants.create(project="p1")
    before = flavor.updated_at
    answer = admin.at("2.85").send(method, path.format(id="nano"), body)
    assert answer.status in (200, 202), answer.body
    (written,) = WrittenFlavor.objects.all()
    assert written.written_by == "manager"
    changed = Flavor.objects.filter(flavorid="nano").first()
    # Whoever remembers lists must see that they are others now.
    assert method == "DELETE" or path == "/flavors" or (changed and changed.updated_at > before)
