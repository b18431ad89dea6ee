"""What is sent to the promoted flavors and is not as it should be: 4xx that names the trouble, and nothing happens."""

from typing import Any

import pytest

from flavors.models import Flavor
from flavors.tests.bad_input import (
    WRONG_IDS,
    Bad,
    each_json_value,
    each_missing,
    each_raw,
    each_value,
    without,
    written,
)
from flavors.tests.factories import make_flavor
from flavors.tests.fixtures import MANAGER
from flavors.tests.wire import WIRES, Api
from lab import Lab

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


@OPERATIONS
@each_raw
def test_a_body_that_cannot_be_read(manager: Api, method: str, path: str, bad: Bad) -> None:
    """Whatever the format of the body, the answer is in the one asked for."""
    answer = manager.send(method, path, bad.body, content_type=bad.content_type)
    assert answer.status == bad.status
    assert [word for word in bad.words if word not in answer.message] == []
    assert len(answer.message) < 400
    assert unchanged()


@OPERATIONS
@pytest.mark.parametrize("content_type", ["application/json", "application/xml", ""])
def test_an_empty_body(manager: Api, method: str, path: str, content_type: str) -> None:
    answer = manager.having({"Content-Type": content_type}).send(method, path)
    assert answer.result == (400, {"error": {"message": "The request has no body"}})


@OPERATIONS
@each_value
def test_a_wrong_value(manager: Api, method: str, path: str, member: str, value: Any) -> None:
    answer = manager.send(method, path, written(manager.wire, member, value))
    assert (answer.status, answer.message.startswith(f"{member}: must ")) == (400, True)
    assert unchanged()


@OPERATIONS
@each_json_value
def test_a_wrong_value_that_only_json_can_write(manager: Api, method: str, path: str, member: str, value: Any) -> None:
    body = written(WIRES["json"], member, value)
    answer = manager.send(method, path, body, content_type="application/json")
    assert (answer.status, answer.message.startswith(f"{member}: must ")) == (400, True)
    assert unchanged()


@each_missing
def test_a_member_that_a_creation_needs(manager: Api, member: str) -> None:
    answer = manager.send("POST", URL, without(manager.wire, member))
    assert answer.result == (400, {"error": {"message": f"{member}: is required"}})
    assert unchanged()


@pytest.mark.parametrize("flavorid", WRONG_IDS)
def test_an_id_that_nova_would_not_take(manager: Api, flavorid: str) -> None:
    body = written(WIRES["json"], "id", flavorid)
    answer = manager.send("POST", URL, body, content_type="application/json")
    assert (answer.status, answer.message.startswith("id: m")) == (400, True)
    assert unchanged()


@pytest.mark.parametrize(
    ("member", "value"), [("promoted", "yes"), ("promoted", 1), ("public", None), ("nodes", "Spain2"), ("nodes", [1])]
)
def test_a_change_of_what_is_ours(manager: Api, member: str, value: Any) -> None:
    body = written(WIRES["json"], member, value)
    answer = manager.send("PUT", f"{URL}/nano", body, content_type="application/json")
    assert (answer.status, answer.message.startswith(member)) == (400, True)
    assert unchanged()
