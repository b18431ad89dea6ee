"""Of every change that a Nova was sent it is known whether it may still be carried out."""

from typing import Any

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from infrastructures.openstack.errors import (
    CloudError,
    CloudNotConnected,
    CloudUnavailable,
    FlavorNotFound,
    FlavorRefused,
)
from infrastructures.openstack.nova import MAX_CREATIONS, Nova
from infrastructures.openstack.records import Doubt
from testing.cloud import Cloud, access_document, flavor_document
from testing.infrastructures import make_nova_flavor

LOST: dict[str, Any] = {"exc": requests.exceptions.ReadTimeout}
NEVER_CONNECTED: dict[str, Any] = {
    "exc": requests.exceptions.ConnectionError(
        MaxRetryError(None, "/", NewConnectionError(None, "Connection refused"))  # type: ignore[arg-type]
    )
}
GONE = {"status_code": 404, "json": {"itemNotFound": {"code": 404, "message": "Flavor 42 could not be found."}}}
REFUSED = {"status_code": 400, "json": {"badRequest": {"message": "no"}}}
CREATED = {"json": {"flavor": flavor_document(extra_specs={})}}
SPECIFIED: dict[str, Any] = {"json": {"extra_specs": {}}}
SPECS = "/flavors/42/os-extra_specs"


@pytest.fixture
def nova(cloud: Cloud) -> Nova:
    cloud.nova("POST", "/flavors", CREATED)
    cloud.nova("POST", SPECS, SPECIFIED)
    cloud.nova("POST", "/flavors/42/action", {"json": access_document("p1", "p2")})
    cloud.nova("GET", "/flavors/42", {"json": {"flavor": flavor_document()}})
    cloud.nova("GET", "/flavors/42/os-flavor-access", {"json": access_document("p1", "p2")})
    cloud.nova("DELETE", "/flavors/42", {"status_code": 202})
    return cloud.open()


CHANGES: dict[str, tuple[str, str, Any]] = {
    "create": ("POST", "/flavors", lambda nova: nova.create_flavor(make_nova_flavor())),
    "complete": ("POST", SPECS, lambda nova: nova.create_flavor(make_nova_flavor())),
    "grant": ("POST", "/flavors/42/action", lambda nova: nova.create_flavor(make_nova_flavor())),
    "delete": ("DELETE", "/flavors/42", lambda nova: nova.delete_flavor("42")),
    "describe": ("PUT", "/flavors/42", lambda nova: nova.describe_flavor("42", "other")),
    "unset": ("DELETE", f"{SPECS}/key", lambda nova: nova.unset_extra_spec("42", "key")),
}


def attempt(nova: Nova, change: str) -> None:
    with pytest.raises(CloudError):
        CHANGES[change][2](nova)


@pytest.mark.parametrize(
    "answer", [LOST, {"status_code": 500}, {"status_code": 504}, {"status_code": 200, "text": "<"}]
)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_without_a_clear_answer_may_still_be_carried_out(
    cloud: Cloud, nova: Nova, change: str, answer: dict[str, Any]
) -> None:
    if change in ("describe", "unset") and answer.get("status_code") == 200:
        pytest.skip("nothing of the answer is read")
    method, path, _ = CHANGES[change]
    cloud.nova(method, path, answer)
    if change == "create":
        cloud.nova("GET", "/flavors/42", GONE)
    attempt(nova, change)
    assert nova.doubt == Doubt.OPEN


@pytest.mark.parametrize("answer", [REFUSED, NEVER_CONNECTED])
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_refused_or_never_sent_is_in_no_doubt(
    cloud: Cloud, nova: Nova, change: str, answer: dict[str, Any]
) -> None:
    method, path, _ = CHANGES[change]
    cloud.nova(method, path, answer)
    attempt(nova, change)
    assert nova.doubt == Doubt.NONE


def test_nothing_is_looked_for_after_what_was_never_sent(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("DELETE", "/flavors/42", NEVER_CONNECTED)
    with pytest.raises(CloudNotConnected, match="could not be reached"):
        nova.delete_flavor("42")
    assert not any(call.startswith("GET /flavors") for call in cloud.calls)


def test_reading_leaves_no_doubt(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("GET", "/flavors/42", LOST)
    with pytest.raises(CloudUnavailable):
        nova.get_flavor("42")
    assert nova.doubt == Doubt.NONE


def test_a_deletion_that_is_seen_to_be_carried_out(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("DELETE", "/flavors/42", LOST)
    cloud.nova("GET", "/flavors/42", GONE)
    nova.delete_flavor("42")
    assert nova.doubt == Doubt.SEEN


def test_a_creation_that_is_seen_to_be_carried_out(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("POST", "/flavors", LOST)
    nova.create_flavor(make_nova_flavor())
    assert nova.doubt == Doubt.SEEN


def test_what_is_seen_of_one_says_nothing_of_another(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("DELETE", "/flavors/42", LOST)
    attempt(nova, "delete")
    cloud.nova("POST", "/flavors", LOST)
    nova.create_flavor(make_nova_flavor())
    assert nova.doubt == Doubt.OPEN


# A flavor that vanishes while it is being made


def test_a_flavor_that_vanishes_while_it_is_completed_is_made_anew(cloud: Cloud, nova: Nova) -> None:
    """A deletion of before, whose answer was lost, is carried out between the creation and its extra specs."""
    cloud.nova("POST", SPECS, GONE, SPECIFIED)
    cloud.nova("DELETE", "/flavors/42", GONE)
    assert nova.create_flavor(make_nova_flavor()) == make_nova_flavor()
    assert cloud.calls.count("POST /flavors") == 2
    assert nova.doubt == Doubt.NONE


def test_one_that_always_vanishes_is_given_up(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("POST", SPECS, GONE)
    with pytest.raises(FlavorNotFound):
        nova.create_flavor(make_nova_flavor())
    assert cloud.calls.count("POST /flavors") == MAX_CREATIONS


def test_one_that_cannot_be_completed_is_made_once(cloud: Cloud, nova: Nova) -> None:
    cloud.nova("POST", SPECS, REFUSED)
    with pytest.raises(FlavorRefused):
        nova.create_flavor(make_nova_flavor())
    assert cloud.calls.count("POST /flavors") == 1
