"""The metrics of the calls to the clouds."""

from collections.abc import Mapping
from typing import Any

import pytest
import requests
from prometheus_client import REGISTRY
from pytest_django import Settings

from infrastructures.openstack.entering import CallersNova
from infrastructures.openstack.errors import CloudError
from infrastructures.openstack.metrics import kind_of
from testing.cloud import TOKEN, Cloud
from testing.infrastructures import make_nova_flavor, make_region

LIST = "/flavors/detail"


def calls() -> dict[tuple[str, str], float]:
    """Return the calls to Spain2 so far, by kind and outcome."""
    return {
        (sample.labels["kind"], sample.labels["outcome"]): sample.value
        for family in REGISTRY.collect()
        if family.name == "flavorsync_upstream_calls"
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["cloud"] == "Spain2"
    }


def since(before: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], int]:
    """Return the calls after *before*."""
    return {key: int(count - before.get(key, 0)) for key, count in calls().items() if count > before.get(key, 0)}


def value(name: str, **labels: str) -> float:
    """Return a figure of Spain2."""
    return REGISTRY.get_sample_value(f"flavorsync_{name}", {"cloud": "Spain2", **labels}) or 0


def test_each_call_is_counted_and_timed(cloud: Cloud) -> None:
    flavor = make_nova_flavor(is_public=True, extra_specs={"a": "b"}, projects=())
    document = {**flavor.as_json(), "OS-FLV-EXT-DATA:ephemeral": 10, "os-flavor-access:is_public": True}
    cloud.nova("GET", LIST, {"json": {"flavors": []}})
    cloud.nova("POST", "/flavors", {"json": {"flavor": {**document, "extra_specs": {}}}})
    cloud.nova("POST", "/flavors/42/os-extra_specs", {"json": {"extra_specs": {"a": "b"}}})
    cloud.nova("DELETE", "/flavors/42", {"status_code": 202})
    before, timed = calls(), value("upstream_call_seconds_count", kind="nova_list")
    nova = CallersNova(make_region(), TOKEN)
    nova.list_flavors()
    nova.create_flavor(flavor)
    nova.delete_flavor("42")
    kinds = ("keystone_validate", "nova_version", "nova_list", "nova_create", "nova_extra_specs", "nova_delete")
    assert since(before) == {(kind, "answered"): 1 for kind in kinds}
    assert value("upstream_call_seconds_count", kind="nova_list") == timed + 1


def test_a_cloud_is_few_series(cloud: Cloud) -> None:
    """With a thousand of them, twelve buckets for each kind of call would be tens of thousands."""
    cloud.nova("GET", LIST, {"json": {"flavors": []}})
    CallersNova(make_region(), TOKEN).list_flavors()
    samples = [sample for family in REGISTRY.collect() for sample in family.samples]
    assert not [sample for sample in samples if {"cloud", "le"} <= sample.labels.keys()]
    kinds = {sample.labels["kind"] for sample in samples if sample.name == "flavorsync_upstream_kind_seconds_bucket"}
    assert "nova_list" in kinds


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"json": {"flavors": []}}, "answered"),
        ({"status_code": 403, "json": {}}, "refused"),
        ({"status_code": 503, "json": {}}, "failed"),
        ({"exc": requests.exceptions.ReadTimeout}, "timed_out"),
        ({"exc": requests.exceptions.ConnectTimeout}, "timed_out"),
        ({"exc": requests.exceptions.SSLError}, "untrusted"),
        ({"exc": requests.exceptions.ConnectionError}, "unreachable"),
        ({"exc": requests.exceptions.InvalidURL}, "broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_by_what_comes_of_it(cloud: Cloud, answer: Mapping[str, Any], outcome: str) -> None:
    cloud.nova("GET", LIST, answer)
    nova, before = cloud.open(), calls()
    try:
        nova._get_once(LIST, dict)
    except CloudError:
        assert outcome != "answered"
    assert since(before) == {("nova_list", outcome): 1}


def test_a_cloud_that_is_taken_for_dead_is_told(cloud: Cloud, settings: Settings) -> None:
    settings.CLOUD_BREAKER_FAILURES, settings.CLOUD_BREAKER_SECONDS = 2, 3600.0
    cloud.nova("GET", LIST, {"exc": requests.exceptions.ConnectionError})
    nova, before, dead = cloud.open(), calls(), value("cloud_dead_hosts")
    timed = value("upstream_call_seconds_count", kind="nova_list")
    for _ in range(5):
        with pytest.raises(CloudError):
            nova._get_once(LIST, dict)
    assert since(before) == {("nova_list", "unreachable"): 2, ("nova_list", "not_asked"): 3}
    assert value("upstream_call_seconds_count", kind="nova_list") == timed + 2
    assert value("cloud_dead_hosts") == dead + 1


def test_a_cloud_that_answers_again_is_told(cloud: Cloud, settings: Settings) -> None:
    settings.CLOUD_BREAKER_FAILURES, settings.CLOUD_BREAKER_SECONDS = 2, 0.0
    cloud.nova("GET", LIST, *[{"exc": requests.exceptions.ConnectionError}] * 2, {"json": {"flavors": []}})
    nova, dead = cloud.open(), value("cloud_dead_hosts")
    for _ in range(2):
        with pytest.raises(CloudError):
            nova._get_once(LIST, dict)
    assert value("cloud_dead_hosts") == dead + 1
    assert nova.list_flavors() == []
    assert value("cloud_dead_hosts") == dead


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "https://x/identity/v3/auth/tokens", "keystone_authenticate"),
        ("GET", "https://x:5000/v3/auth/tokens", "keystone_validate"),
        ("GET", "https://x/v3/auth/projects", "keystone_projects"),
        ("GET", "https://x/v3/domains?name=Default", "keystone_projects"),
        ("GET", "https://x/v2.1/0a1b/flavors/detail?is_public=None", "nova_list"),
        ("GET", "https://x/v2.1/flavors/detail2", "nova_show"),
        ("PUT", "https://x/v2.1/flavors/a%20b", "nova_update"),
        ("GET", "https://x/v2.1/flavors/1/os-extra_specs", "nova_extra_specs"),
        ("DELETE", "https://x/v2.1/flavors/1/os-extra_specs/hw:cpu_policy", "nova_extra_specs"),
        ("GET", "https://x/v2.1/flavors/1/os-flavor-access", "nova_access"),
        ("POST", "https://x/v2.1/flavors/1/action", "nova_access"),
        ("GET", "https://x/v2.1/servers/detail?flavor=1", "nova_servers"),
        ("GET", "https://x/compute/v2.1/", "nova_version"),
        ("GET", "https://x/something/else", "other"),
        ("POST", "https://x/v2.1/servers", "other"),
    ],
)
def test_a_kind_is_of_a_few(method: str, path: str, kind: str) -> None:
    assert kind_of(method, path) == kind
