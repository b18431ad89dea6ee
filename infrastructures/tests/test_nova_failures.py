"""Whatever a Nova answers becomes one of our few errors, and nothing of it that strangers should not see."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests
import requests_mock

from infrastructures.openstack.errors import (
    CloudError,
    CloudUnavailable,
    CloudUnreachable,
    FlavorConflict,
    FlavorNotFound,
    FlavorRefused,
    Forbidden,
    TokenRefused,
)
from infrastructures.openstack.nova import Nova
from testing.cloud import TOKEN, Cloud, assert_fit_for_strangers
from testing.infrastructures import make_nova_flavor

CALLS: dict[str, Callable[[Nova], object]] = {
    "list": lambda nova: nova.list_flavors(),
    "get": lambda nova: nova.get_flavor("42"),
    "whole": lambda nova: nova.get_whole_flavor("42"),
    "create": lambda nova: nova.create_flavor(make_nova_flavor()),
    "complete": lambda nova: nova.complete_flavor(
        make_nova_flavor(), has=make_nova_flavor(extra_specs={}, projects=())
    ),
    "grant": lambda nova: nova.complete_flavor(make_nova_flavor(), has=make_nova_flavor(projects=())),
    "delete": lambda nova: nova.delete_flavor("42"),
}
BODIES: dict[str, dict[str, Any]] = {
    "OpenStack": {"json": {"computeFault": {"code": 0, "message": "as Nova says"}}},
    "unwrapped": {"json": {"message": "as Nova says"}},
    "list": {"json": ["as Nova says"]},
    "empty list": {"json": []},
    "string": {"json": "as Nova says"},
    "number": {"json": 5},
    "null": {"json": None},
    "no members": {"json": {}},
    "string inside": {"json": {"error": "as Nova says"}},
    "null inside": {"json": {"error": None}},
    "object as the message": {"json": {"error": {"message": {"a": 1}}}},
    "no message": {"json": {"error": {}}},
    "HTML": {"text": "<html>as Nova says</html>"},
    "empty": {"text": ""},
    "too deep": {"text": "[" * 100_000},
    "not UTF-8": {"content": b"\xff\xfe{"},
}
ODD_VALUES: list[Any] = [None, 5, "x", [5], [[]], {"id": "42"}]
KINDS: dict[int, type[CloudError]] = {
    400: FlavorRefused,
    401: TokenRefused,
    403: Forbidden,
    404: FlavorNotFound,
    409: FlavorConflict,
    413: CloudUnavailable,
    429: CloudUnavailable,
    500: CloudUnavailable,
    503: CloudUnavailable,
}


@pytest.mark.parametrize("call", CALLS)
def test_every_status_of_every_call_is_translated(cloud: Cloud, call: str) -> None:
    nova = cloud.open()
    for status, kind in KINDS.items():
        answer: dict[str, Any] = {"status_code": status, "headers": {"Retry-After": "soon"}} | BODIES["OpenStack"]
        cloud.http.register_uri(requests_mock.ANY, requests_mock.ANY, **answer)
        if (call, status) == ("grant", 409):  # granted already
            CALLS[call](nova)
            continue
        with pytest.raises(CloudError) as caught:
            CALLS[call](nova)
        assert_fit_for_strangers(caught.value)
        about_a_flavor = call != "list" or status not in {400, 404, 409}
        assert type(caught.value) is (kind if about_a_flavor else CloudUnavailable), status


@pytest.mark.parametrize("status", KINDS)
def test_every_status_with_every_body_is_translated(cloud: Cloud, status: int) -> None:
    for body, answer in BODIES.items():
        cloud.nova("GET", "/flavors/42", {"status_code": status} | answer)
        with pytest.raises(CloudError) as caught:
            cloud.open().get_flavor("42")
        assert_fit_for_strangers(caught.value)
        # A refusal that is not in OpenStack's words may as well be taken for a failure.
        assert type(caught.value) in {KINDS[status], CloudUnavailable}, body


@pytest.mark.parametrize(
    ("status", "kind"), [(status, kind) for status, kind in KINDS.items() if kind is not CloudUnavailable]
)
def test_a_refusal_says_what_nova_says(cloud: Cloud, status: int, kind: type[CloudError]) -> None:
    body = {"json": {"itemNotFound": {"code": status, "message": "Flavor 42 is no good."}}}
    headers = {"X-Compute-Request-Id": "req-00000000-0000-4000-8000-000000000007"}
    cloud.nova("DELETE", "/flavors/42", {"status_code": status, "headers": headers, **body})
    nova = cloud.open()
    with pytest.raises(kind) as caught:
        nova.delete_flavor("42")
    said = "its Nova does not accept the token." if status == 401 else "Flavor 42 is no good."
    assert str(caught.value.detail) == f"Spain2: {said}"
    assert (caught.value.request_id, caught.value.retryable) == ("req-00000000-0000-4000-8000-000000000007", False)


@pytest.mark.parametrize(
    ("exception", "kind", "message"),
    [
        (requests.exceptions.ConnectionError("http://10.0.0.1"), CloudUnreachable, "its Nova could not be reached."),
        (
            requests.exceptions.ConnectTimeout("10.0.0.1"),
            CloudUnavailable,
            "its Nova did not take a connection in time.",
        ),
        (requests.exceptions.ReadTimeout("10.0.0.1"), CloudUnavailable, "its Nova did not answer in time."),
        (
            requests.exceptions.SSLError("10.0.0.1"),
            CloudUnavailable,
            "its Nova shows no TLS certificate that can be trusted.",
        ),
    ],
)
@pytest.mark.parametrize("call", CALLS)
def test_silence_is_said_without_addresses(
    cloud: Cloud, call: str, exception: Exception, kind: type[CloudError], message: str
) -> None:
    nova = cloud.open()
    cloud.http.register_uri(requests_mock.ANY, requests_mock.ANY, exc=exception)
    with pytest.raises(kind) as caught:
        CALLS[call](nova)
    assert str(caught.value.detail) == f"Spain2: {message}"
    assert (caught.value.status_code, caught.value.retryable) == (502, True)


NOT_OPENSTACK: list[dict[str, Any]] = [
    *({"json": {key: value}} for key in ("flavors", "flavor") for value in ODD_VALUES),
    {"json": {"flavors": [{"id": "42", "name": "a", "vcpus": float("inf"), "ram": 1, "disk": 1}]}},
    {"json": {"flavor": {"id": "42", "name": "a", "vcpus": float("inf"), "ram": 1, "disk": 1}}},
    {"json": {"flavor": {"id": "42", "name": "a", "vcpus": 1, "ram": 1, "disk": 1, "extra_specs": [1]}}},
    {"status_code": 302, "headers": {"Location": "https://elsewhere.example.org"}},
    {"json": []},
    {"json": None},
    {"text": "<html>"},
    {"text": ""},
]


@pytest.mark.parametrize("call", CALLS)
def test_a_success_of_another_shape_is_unavailable(cloud: Cloud, call: str) -> None:
    nova = cloud.open()
    for answer in NOT_OPENSTACK:
        cloud.http.register_uri(requests_mock.ANY, requests_mock.ANY, **answer)
        with pytest.raises(CloudUnavailable) as caught:
            CALLS[call](nova)
        assert str(caught.value.detail) == "Spain2: its Nova did not answer as OpenStack does.", answer


@pytest.mark.parametrize(
    "answer", [{"status_code": 500}, {"text": "<html>"}, {"exc": requests.exceptions.ConnectionError}], ids=str
)
def test_the_token_is_in_no_log_line(cloud: Cloud, caplog: pytest.LogCaptureFixture, answer: dict[str, Any]) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.nova("GET", "/flavors/42", answer)
    with pytest.raises(CloudUnavailable) as caught:
        cloud.open().get_flavor("42")
    assert "Spain2: Nova" in caplog.text
    assert TOKEN not in caplog.text + repr(caught.value)
