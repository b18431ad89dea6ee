"""Wrong requests to a region's flavors: a 4xx that names the problem; no cloud is asked."""

from collections.abc import Iterator

import pytest

from lab import Lab
from regions.tests.clouds import Tokens
from testing.bad_input import IS_MISSED, JSON_VALUES, SOME, VALUES, missed, not_named, not_refused
from testing.wire import WIRES, Api

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
def test_a_body_that_cannot_be_read(admin: Api, method: str, path: str) -> None:
    """Whatever the format of the body, the answer is in the one asked for."""
    assert not_refused(admin, method, path, SOME) == {}


@OPERATIONS
@pytest.mark.parametrize("content_type", ["application/json", "application/xml", ""])
def test_an_empty_body(admin: Api, method: str, path: str, content_type: str) -> None:
    answer = admin.having({"Content-Type": content_type}).send(method, path)
    assert answer.result == (400, {"error": {"message": "The request has no body"}})


@OPERATIONS
def test_a_wrong_value(admin: Api, method: str, path: str) -> None:
    assert not_named(admin, method, path, VALUES, admin.wire) == []


@pytest.mark.parametrize("wire", [WIRES["json"]], ids=["json"])
def test_a_wrong_value_that_only_json_can_write(admin: Api) -> None:
    assert not_named(admin, "POST", URL, JSON_VALUES, admin.wire) == []


def test_a_member_that_a_creation_needs(admin: Api) -> None:
    assert missed(admin, URL) == IS_MISSED
