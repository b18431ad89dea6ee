"""Wrong requests to the promoted flavors: a 4xx that names the problem, and nothing changes."""

from typing import Any

import pytest

from flavors.models import Flavor
from lab import Lab
from testing.bad_input import IS_MISSED, JSON_VALUES, RAW, SOME, VALUES, missed, not_named, not_refused, written
from testing.fixtures import MANAGER
from testing.flavors import make_flavor
from testing.wire import WIRES, Api

pytestmark = pytest.mark.django_db

URL = "/v1/promotedflavors"
OPERATIONS = pytest.mark.parametrize(("method", "path"), [("POST", URL), ("PUT", f"{URL}/nano")], ids=["POST", "PUT"])


@pytest.fixture(scope="session")
def lab(lab_without_clouds: Lab) -> Lab:
    """No cloud is asked here."""
    return lab_without_clouds


@pytest.fixture
def manager(api: Api) -> Api:
    """The API for a manager, with one flavor in the catalogue."""
    make_flavor(flavorid="nano")
    return api.having(MANAGER)


def unchanged() -> bool:
    return list(Flavor.objects.values_list("flavorid", "name", "ram")) == [("nano", "TestNano", 2)]


def test_a_body_that_cannot_be_read(manager: Api) -> None:
    """Whatever the format of the body, the answer is in the one asked for."""
    assert not_refused(manager, "POST", URL, RAW) == {}
    assert unchanged()


def test_a_change_that_cannot_be_read(manager: Api) -> None:
    assert not_refused(manager, "PUT", f"{URL}/nano", SOME) == {}
    assert unchanged()


@OPERATIONS
@pytest.mark.parametrize("content_type", ["application/json", "application/xml", ""])
def test_an_empty_body(manager: Api, method: str, path: str, content_type: str) -> None:
    answer = manager.having({"Content-Type": content_type}).send(method, path)
    assert answer.result == (400, {"error": {"message": "The request has no body"}})


@OPERATIONS
def test_a_wrong_value(manager: Api, method: str, path: str) -> None:
    assert not_named(manager, method, path, VALUES, manager.wire) == []
    assert unchanged()


@pytest.mark.parametrize("wire", [WIRES["json"]], ids=["json"])
def test_a_wrong_value_that_only_json_can_write(manager: Api) -> None:
    assert not_named(manager, "POST", URL, JSON_VALUES, manager.wire) == []
    assert unchanged()


def test_a_member_that_a_creation_needs(manager: Api) -> None:
    assert missed(manager, URL) == IS_MISSED
    assert unchanged()


@pytest.mark.parametrize(
    ("member", "value"), [("promoted", "yes"), ("promoted", 1), ("public", None), ("nodes", "Spain2"), ("nodes", [1])]
)
def test_a_change_of_what_is_ours(manager: Api, member: str, value: Any) -> None:
    body = written(WIRES["json"], member, value)
    answer = manager.send("PUT", f"{URL}/nano", body, content_type="application/json")
    assert (answer.status, answer.message.startswith(member)) == (400, True)
    assert unchanged()
