"""What is sent to a region's flavors and is not as it should be: 4xx that names the trouble; no cloud is asked."""

from collections.abc import Iterator
from typing import Any

import pytest

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
from flavors.tests.wire import WIRES, Api
from lab import Lab
from regions.tests.clouds import Tokens

pytestmark = pytest.mark.django_db

URL = "/v1/regions/Spain2/flavors"
OPERATIONS = pytest.mark.parametrize(("method", "path"), [("POST", URL), ("PUT", f"{URL}/5")], ids=["POST", "PUT"])


@pytest.fixture(scope="session")
def lab(lab_without_clouds: Lab) -> Lab:
    """No cloud is asked here."""
    return lab_without_clouds


@pytest.fixture(scope="session")
def tokens(lab: Lab) -> Tokens:
    """Tokens that nobody is asked about."""
    return Tokens(lab)


@pytest.fixture(autouse=True)
def _no_cloud_is_asked(admin: Api, lab: Lab) -> Iterator[None]:
    with lab.counting() as served:
        yield
    assert {cloud for cloud, requests in served.items() if requests} <= {"idm"}


@OPERATIONS
@each_raw
def test_a_body_that_cannot_be_read(admin: Api, method: str, path: str, bad: Bad) -> None:
    """Whatever the format of the body, the answer is in the one asked for."""
    answer = admin.send(method, path, bad.body, content_type=bad.content_type)
    assert answer.status == bad.status
    assert [word for word in bad.words if word not in answer.message] == []
    assert len(answer.message) < 400


@OPERATIONS
@pytest.mark.parametrize("content_type", ["application/json", "application/xml", ""])
def test_an_empty_body(admin: Api, method: str, path: str, content_type: str) -> None:
    answer = admin.having({"Content-Type": content_type}).send(method, path)
    assert answer.result == (400, {"error": {"message": "The request has no body"}})


@OPERATIONS
@each_value
def test_a_wrong_value(admin: Api, method: str, path: str, member: str, value: Any) -> None:
    answer = admin.send(method, path, written(admin.wire, member, value))
    assert (answer.status, answer.message.startswith(f"{member}: must ")) == (400, True)


@OPERATIONS
@each_json_value
def test_a_wrong_value_that_only_json_can_write(admin: Api, method: str, path: str, member: str, value: Any) -> None:
    answer = admin.send(method, path, written(WIRES["json"], member, value), content_type="application/json")
    assert (answer.status, answer.message.startswith(f"{member}: must ")) == (400, True)


@each_missing
def test_a_member_that_a_creation_needs(admin: Api, member: str) -> None:
    answer = admin.send("POST", URL, without(admin.wire, member))
    assert answer.result == (400, {"error": {"message": f"{member}: is required"}})


@pytest.mark.parametrize("flavorid", WRONG_IDS)
def test_an_id_that_nova_would_not_take(admin: Api, flavorid: str) -> None:
    answer = admin.send("POST", URL, written(WIRES["json"], "id", flavorid), content_type="application/json")
    assert (answer.status, answer.message.startswith("id: m")) == (400, True)
