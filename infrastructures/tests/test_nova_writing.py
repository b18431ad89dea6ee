"""Flavors created and deleted in a Nova, whatever becomes of its answers."""

import re
from typing import Any

import pytest
import requests

from infrastructures.openstack.errors import (
    CloudError,
    CloudUnavailable,
    FlavorConflict,
    FlavorNotFound,
    FlavorRefused,
    Forbidden,
    TokenRefused,
)
from testing.cloud import NOVA, Cloud, access_document, flavor_document
from testing.infrastructures import make_nova_flavor

CREATED = {"json": {"flavor": flavor_document(extra_specs={})}}
LOST: dict[str, Any] = {"exc": requests.exceptions.ReadTimeout}
BROKEN: dict[str, Any] = {"exc": requests.exceptions.ConnectionError}
GONE = {"status_code": 404, "json": {"itemNotFound": {"code": 404, "message": "Flavor 42 could not be found."}}}
THERE = {"json": {"flavor": flavor_document()}}
HALF = {"json": {"flavor": flavor_document(extra_specs={})}}
OTHER = {"json": {"flavor": flavor_document(ram=1)}}
REFUSED = {"status_code": 401, "json": {"error": {"message": "expired"}}}
FORBIDDEN = {"status_code": 403, "json": {"forbidden": {"message": "Policy doesn't allow it."}}}
TAKEN = {"status_code": 409, "json": {"conflictingRequest": {"message": "already exists"}}}
ACCEPTED = {"status_code": 202}

POST, SPECS, GRANT = "POST /flavors", "POST /flavors/42/os-extra_specs", "POST /flavors/42/action"
GET, ACCESS, DELETE = "GET /flavors/42", "GET /flavors/42/os-flavor-access", "DELETE /flavors/42"

# What is sent, to the letter: Nova answers 400 to any additional member.
MADE = {
    "flavor": {
        "name": "m1.custom",
        "ram": 4096,
        "vcpus": 2,
        "disk": 20,
        "id": "42",
        "swap": 512,
        "OS-FLV-EXT-DATA:ephemeral": 10,
        "rxtx_factor": 2.0,
        "os-flavor-access:is_public": False,
        "description": "for tests",
    }
}
SPECIFIED = {"extra_specs": {"hw:cpu_policy": "shared", "quota:vif": "1"}}


def granted(project: str) -> dict[str, Any]:
    return {"addTenantAccess": {"tenant": project}}


@pytest.fixture(autouse=True)
def _accepting(cloud: Cloud) -> None:
    """Let the Nova do what it is asked, until a test says otherwise."""
    cloud.nova("POST", "/flavors", CREATED)
    cloud.nova("POST", "/flavors/42/os-extra_specs", {"json": SPECIFIED})
    cloud.nova("POST", "/flavors/42/action", {"json": access_document("p1")})
    cloud.nova("GET", "/flavors/42/os-flavor-access", {"json": access_document("p1", "p2")})


def test_a_whole_flavor_is_sent_to_the_letter(cloud: Cloud) -> None:
    assert cloud.open().create_flavor(make_nova_flavor()) == make_nova_flavor()
    assert cloud.calls == [POST, SPECS, GRANT, GRANT]
    assert cloud.bodies == [MADE, SPECIFIED, granted("p1"), granted("p2")]


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_bare_flavor_costs_one_call(cloud: Cloud, nothing: dict[str, str] | None) -> None:
    cloud.open().create_flavor(make_nova_flavor(extra_specs=nothing, projects=nothing and ()))
    assert cloud.calls == [POST]


@pytest.mark.parametrize(("version", "told"), [("2.1", False), ("2.54", False), ("2.55", True)])
def test_a_description_is_sent_to_those_that_know_one(cloud: Cloud, version: str, told: bool) -> None:
    cloud.version(version)
    cloud.open().create_flavor(make_nova_flavor())
    assert ("description" in cloud.bodies[0]["flavor"]) is told


def test_no_description_is_not_sent(cloud: Cloud) -> None:
    cloud.open().create_flavor(make_nova_flavor(description=""))
    assert "description" not in cloud.bodies[0]["flavor"]


@pytest.mark.parametrize("id", ["auto", "None", "0", "a b", "detail", "."])
def test_the_id_is_sent_whatever_it_is(cloud: Cloud, id: str) -> None:
    cloud.open().create_flavor(make_nova_flavor(id=id, extra_specs={}, projects=()))
    assert cloud.bodies[0]["flavor"]["id"] == id


def test_a_grant_that_is_there_already_is_no_error(cloud: Cloud) -> None:
    cloud.nova("POST", "/flavors/42/action", TAKEN)
    cloud.open().create_flavor(make_nova_flavor())
    assert cloud.calls == [POST, SPECS, GRANT, GRANT]


def test_completing_adds_only_what_is_lacking(cloud: Cloud) -> None:
    nova = cloud.open()
    nova.complete_flavor(make_nova_flavor(), has=make_nova_flavor())
    assert cloud.calls == []
    nova.complete_flavor(make_nova_flavor(), has=make_nova_flavor(extra_specs=None, projects=("p2",)))
    assert cloud.bodies == [SPECIFIED, granted("p1")]
    cloud.http.reset_mock()
    nova.complete_flavor(make_nova_flavor(), has=make_nova_flavor(extra_specs={"quota:vif": "2"}))
    assert cloud.bodies == [SPECIFIED]


# Lost answers to a creation


@pytest.mark.parametrize("lost", [LOST, BROKEN, {"status_code": 500}, {"status_code": 504}, {"text": "<html>"}])
@pytest.mark.parametrize(
    ("has", "completed"),
    [(THERE, []), (HALF, [SPECS])],
    ids=["made whole", "made without its extra specs"],
)
def test_a_creation_that_took_effect_is_a_success(
    cloud: Cloud, lost: dict[str, Any], has: dict[str, Any], completed: list[str]
) -> None:
    cloud.nova("POST", "/flavors", lost)
    cloud.nova("GET", "/flavors/42", has)
    assert cloud.open().create_flavor(make_nova_flavor()) == make_nova_flavor()
    assert cloud.calls == [POST, GET, ACCESS, *completed]


@pytest.mark.parametrize(
    "has",
    [GONE, OTHER, REFUSED, FORBIDDEN, LOST],
    ids=["not made", "another is there", "token refused", "not shown", "no answer either"],
)
def test_a_creation_that_did_not_take_effect_is_not_sent_twice(cloud: Cloud, has: dict[str, Any]) -> None:
    cloud.nova("POST", "/flavors", LOST, CREATED)
    cloud.nova("GET", "/flavors/42", has)
    with pytest.raises(CloudUnavailable, match="did not answer in time"):
        cloud.open().create_flavor(make_nova_flavor())
    assert cloud.calls.count(POST) == 1


@pytest.mark.parametrize(
    ("answer", "expected"), [(TAKEN, FlavorConflict), (FORBIDDEN, Forbidden), (REFUSED, TokenRefused)]
)
def test_a_refused_creation_is_not_read_back(cloud: Cloud, answer: dict[str, Any], expected: type[CloudError]) -> None:
    cloud.nova("POST", "/flavors", answer)
    nova = cloud.open()
    with pytest.raises(expected):
        nova.create_flavor(make_nova_flavor())
    assert cloud.calls == [POST]


@pytest.mark.parametrize("path", ["/flavors/42/os-extra_specs", "/flavors/42/action"])
@pytest.mark.parametrize("answer", [LOST, BROKEN, {"status_code": 500}, {"text": "<html>"}, {"json": {}}])
def test_what_is_not_completed_is_taken_back_and_not_sent_twice(
    cloud: Cloud, path: str, answer: dict[str, Any]
) -> None:
    cloud.nova("POST", path, answer)
    cloud.nova("DELETE", "/flavors/42", ACCEPTED)
    nova = cloud.open()
    with pytest.raises(CloudUnavailable):
        nova.create_flavor(make_nova_flavor())
    assert cloud.calls.count(f"POST {path}") == 1
    assert cloud.calls[-1] == DELETE


def test_what_is_neither_completed_nor_taken_back_is_said_as_the_first_failure(cloud: Cloud) -> None:
    cloud.nova("POST", "/flavors/42/os-extra_specs", {"status_code": 500})
    cloud.nova("DELETE", "/flavors/42", FORBIDDEN)
    nova = cloud.open()
    with pytest.raises(CloudUnavailable, match="answered 500"):
        nova.create_flavor(make_nova_flavor())


# Deleting


def test_a_deletion_costs_one_call(cloud: Cloud) -> None:
    cloud.nova("DELETE", "/flavors/42", ACCEPTED)
    cloud.open().delete_flavor("42")
    assert cloud.calls == [DELETE]


@pytest.mark.parametrize(("answer", "expected"), [(GONE, FlavorNotFound), (FORBIDDEN, Forbidden)])
def test_a_refused_deletion_is_said(cloud: Cloud, answer: dict[str, Any], expected: type[CloudError]) -> None:
    cloud.nova("DELETE", "/flavors/42", answer)
    nova = cloud.open()
    with pytest.raises(expected):
        nova.delete_flavor("42")
    assert cloud.calls == [DELETE]


NO_ANSWERS: list[dict[str, Any]] = [
    LOST,
    BROKEN,
    {"status_code": 500},
    {"status_code": 200, "text": "<html>please log in</html>"},
    {"status_code": 301, "headers": {"Location": "https://elsewhere.example.org"}},
]


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_deletion_that_took_effect_is_a_success(cloud: Cloud, answer: dict[str, Any]) -> None:
    cloud.nova("DELETE", "/flavors/42", answer)
    cloud.nova("GET", "/flavors/42", GONE)
    cloud.open().delete_flavor("42")
    assert cloud.calls == [DELETE, GET]


@pytest.mark.parametrize("has", [THERE, FORBIDDEN, REFUSED, LOST])
@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_deletion_that_may_not_have_taken_effect_is_unavailable_and_not_sent_twice(
    cloud: Cloud, answer: dict[str, Any], has: dict[str, Any]
) -> None:
    """Never a refusal: after one of those, nothing would have happened to the flavor."""
    cloud.nova("DELETE", "/flavors/42", answer)
    cloud.nova("GET", "/flavors/42", has)
    nova = cloud.open()
    with pytest.raises(CloudUnavailable):
        nova.delete_flavor("42")
    assert cloud.calls.count(DELETE) == 1


# What can be changed in a flavor that stands


@pytest.mark.parametrize(("description", "sent"), [("for all", "for all"), ("", None)])
def test_a_description_is_changed_in_place(cloud: Cloud, description: str, sent: str | None) -> None:
    cloud.nova("PUT", "/flavors/42", THERE)
    cloud.open().describe_flavor("42", description)
    assert cloud.calls == ["PUT /flavors/42"]
    assert cloud.bodies == [{"flavor": {"description": sent}}]


def test_extra_specs_are_merged_in_one_call(cloud: Cloud) -> None:
    cloud.open().set_extra_specs("42", {"a:b": "1", "c": "2"})
    assert cloud.calls == [SPECS]
    assert cloud.bodies == [{"extra_specs": {"a:b": "1", "c": "2"}}]


@pytest.mark.parametrize("answer", [{"status_code": 200}, GONE], ids=["there", "gone before"])
def test_an_extra_spec_is_taken_away_whatever_its_key(cloud: Cloud, answer: dict[str, Any]) -> None:
    cloud.nova("DELETE", "/flavors/42/os-extra_specs/a%20b%3Ac.d", answer)
    cloud.open().unset_extra_spec("42", "a b:c.d")
    assert cloud.calls == ["DELETE /flavors/42/os-extra_specs/a%20b%3Ac.d"]


@pytest.mark.parametrize(
    ("answer", "expected"), [(GONE, FlavorNotFound), (FORBIDDEN, Forbidden), (LOST, CloudUnavailable)]
)
def test_a_change_that_is_refused_or_lost_is_said(
    cloud: Cloud, answer: dict[str, Any], expected: type[CloudError]
) -> None:
    cloud.nova("PUT", "/flavors/42", answer)
    cloud.nova("POST", "/flavors/42/os-extra_specs", answer)
    nova = cloud.open()
    with pytest.raises(expected):
        nova.describe_flavor("42", "for all")
    with pytest.raises(expected):
        nova.set_extra_specs("42", {"a": "1"})
    assert cloud.calls == ["PUT /flavors/42", SPECS]


def test_an_extra_spec_that_may_not_be_taken_away_is_said(cloud: Cloud) -> None:
    cloud.nova("DELETE", "/flavors/42/os-extra_specs/a", FORBIDDEN)
    with pytest.raises(Forbidden):
        cloud.open().unset_extra_spec("42", "a")


@pytest.mark.parametrize(("version", "keeps"), [("2.54", False), ("2.55", True), (None, False)])
def test_old_novas_keep_no_descriptions(cloud: Cloud, version: str | None, keeps: bool) -> None:
    cloud.version(version)
    assert cloud.open().keeps_descriptions is keeps


def test_extra_specs_are_set_at_the_last_version_that_does_not_validate_them(cloud: Cloud) -> None:
    cloud.open().set_extra_specs("42", {"a:b": "1"})
    assert cloud.http.request_history[-1].headers["OpenStack-API-Version"] == "compute 2.85"


def test_extra_specs_are_set_at_the_version_of_an_older_nova(cloud: Cloud) -> None:
    cloud.version("2.60")
    cloud.open().set_extra_specs("42", {"a:b": "1"})
    assert cloud.http.request_history[-1].headers["OpenStack-API-Version"] == "compute 2.60"


# What Nova's own rules say of extra specs

ANY_SPECS = re.compile(re.escape(f"{NOVA}/flavors/") + "[0-9a-f-]{36}/os-extra_specs")
WRONG = {"status_code": 400, "json": {"badRequest": {"message": "Validation failed; 'x' is not one of: shared."}}}


def test_extra_specs_are_validated_for_a_flavor_that_there_is_not(cloud: Cloud) -> None:
    cloud.http.register_uri("POST", ANY_SPECS, [GONE])
    cloud.open().check_extra_specs({"hw:cpu_policy": "shared"})
    (request,) = cloud.http.request_history
    assert request.headers["OpenStack-API-Version"] == "compute 2.96"
    assert request.json() == {"extra_specs": {"hw:cpu_policy": "shared"}}


def test_extra_specs_that_nova_refuses_are_said(cloud: Cloud) -> None:
    cloud.http.register_uri("POST", ANY_SPECS, [WRONG])
    with pytest.raises(FlavorRefused, match="'x' is not one of: shared"):
        cloud.open().check_extra_specs({"hw:cpu_policy": "x"})


@pytest.mark.parametrize(("version", "validates"), [("2.85", False), ("2.86", True), (None, False)])
def test_old_novas_validate_no_extra_specs(cloud: Cloud, version: str | None, validates: bool) -> None:
    cloud.version(version)
    assert cloud.open().validates_extra_specs is validates
