"""What the clouds are asked bears the id of our own request, and their ids are in our log."""

import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpRequest, HttpResponse

from flavorsync_project.telemetry.request_id import HEADER, RequestIdFilter, RequestIdMiddleware
from infrastructures.clouds import in_each_cloud
from infrastructures.openstack.calls import upstream_id
from infrastructures.openstack.entering import CallersNova
from infrastructures.openstack.errors import CloudError
from infrastructures.openstack.nova import Nova
from testing.cloud import TOKEN, Cloud, Federation, flavor_document
from testing.infrastructures import a_registered, make_region

AN_ID = "req-7f9c1d7e-5e0f-4ac9-9d5e-3f1c5d1f6a10"


def of_a_request(work: Any) -> str:
    """Return the id of a request during which *work* is done."""
    return str(RequestIdMiddleware(lambda request: work() or HttpResponse())(HttpRequest())[HEADER])


def sent(http: Any) -> set[str | None]:
    """Return the ids that the clouds were sent; None for a request without one."""
    return {request.headers.get("X-OpenStack-Request-ID") for request in http.request_history}


@pytest.fixture
def federation() -> Iterator[Federation]:
    """Two clouds."""
    with Federation() as federation:
        for name in ("Mordor", "Spain2"):
            federation.add(name, flavor_document())
        yield federation


def names(nova: Nova) -> list[str]:
    return [flavor.name for flavor in nova.list_flavors()]


def test_keystone_and_nova_are_told_with_a_callers_token(cloud: Cloud) -> None:
    cloud.nova("GET", "/flavors/detail", {"json": {"flavors": []}})
    cloud.nova("POST", "/flavors", {"status_code": 409, "json": {}})

    def work() -> None:
        nova = CallersNova(make_region(), TOKEN)
        nova.list_flavors()
        with pytest.raises(CloudError):
            nova._post("/flavors", {}, dict)

    request_id = of_a_request(work)
    assert cloud.calls == ["GET /auth/tokens", "GET /", "GET /flavors/detail?is_public=None", "POST /flavors"]
    assert sent(cloud.http) == {request_id}


def test_they_are_told_with_our_own_credentials_from_every_thread(federation: Federation) -> None:
    """The sessions are the process's: what one request has opened bears the next one's id."""
    infrastructures = [a_registered(name) for name in federation.clouds]
    for calls in (6, 2):
        federation.http.reset_mock()
        request_id = of_a_request(lambda: [] if in_each_cloud(infrastructures, names) else None)
        assert sent(federation.http) == {request_id}
        assert federation.http.call_count == calls


def test_outside_of_a_request_there_is_no_id(federation: Federation) -> None:
    in_each_cloud([a_registered("Mordor")], names)
    assert federation.http.call_count == 3
    assert sent(federation.http) == {None}


def test_what_the_clouds_call_it_is_in_the_access_line(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(RequestIdFilter())
    first, second = f"req-{uuid4()}", f"req-{uuid4()}"
    answers: list[dict[str, Any]] = [
        {"json": {"flavors": []}, "headers": {"X-Openstack-Request-Id": first}},
        {"status_code": 503, "headers": {"X-Openstack-Request-Id": second, "X-Compute-Request-Id": second}},
        {"json": {"flavors": []}, "headers": {"X-Openstack-Request-Id": "the password that you sent me"}},
    ]
    cloud.nova("GET", "/flavors/detail", *answers)

    def work() -> None:
        nova = CallersNova(make_region(), TOKEN)
        nova.list_flavors()
        with pytest.raises(CloudError):
            nova.list_flavors()
        nova.list_flavors()

    of_a_request(work)
    (access,) = [record.__dict__ for record in caplog.records if record.name == "flavorsync.access"]
    assert (access["nodes"], access["upstream_request_ids"]) == (["Spain2"], [first, second])
    (failed,) = [record.__dict__ for record in caplog.records if "answered 503" in record.getMessage()]
    assert (failed["nodes"], failed["upstream_request_ids"]) == (["Spain2"], [second])


@pytest.mark.parametrize("text", [None, "", "req-7", "7", f"{AN_ID} ", f"{AN_ID}\n{AN_ID}"])
def test_only_an_id_is_taken_for_one(text: str | None) -> None:
    assert upstream_id(text) == ""
