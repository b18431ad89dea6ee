"""Which microversion a Nova is spoken to in."""

from typing import Any

import pytest
from pytest_django import Settings

from infrastructures.openstack.entering import CallersNova
from infrastructures.openstack.errors import CloudUnavailable
from testing.cloud import KEYSTONE, NOVA, TOKEN, Cloud, assert_fit_for_strangers, token_document, version_document
from testing.infrastructures import make_region

LIST = "/flavors/detail?is_public=None"


@pytest.mark.parametrize(
    ("known", "wanted", "spoken"),
    [
        ("2.96", "2.96", "2.96"),
        ("2.87", "2.96", "2.87"),
        ("2.60", "2.96", "2.60"),
        ("2.54", "2.96", "2.54"),
        ("2.102", "2.96", "2.96"),
        ("3.0", "2.96", "2.96"),
        ("2.96", "2.61", "2.61"),
        ("2.9", "2.61", "2.9"),
        (None, "2.96", "2.1"),
    ],
)
def test_is_the_highest_that_both_know_up_to_the_setting(
    cloud: Cloud, settings: Settings, known: str | None, wanted: str, spoken: str
) -> None:
    settings.NOVA_API_VERSION = wanted
    cloud.version(known)
    cloud.nova("GET", LIST, {"json": {"flavors": []}})
    cloud.open().list_flavors()
    headers = cloud.http.request_history[0].headers
    # The header's name before 2.27; and 2.1 is what a Nova speaks that is not told otherwise.
    before = headers.get("X-OpenStack-Nova-API-Version", "2.1")
    assert headers.get("OpenStack-API-Version", f"compute {before}") == f"compute {spoken}"


def test_is_asked_for_once_per_endpoint(cloud: Cloud) -> None:
    cloud.http.get("https://lannion.example.org/v2.1/", json=version_document("2.90"))
    endpoints = {"Spain2": NOVA, "Lannion2": "https://lannion.example.org/v2.1"}
    cloud.keystone("GET", "/auth/tokens", {"json": token_document(endpoints=endpoints)})
    spain = make_region(central_keystone_url=KEYSTONE)
    lannion = make_region(name="Lannion2", region_name="Lannion2", central_keystone_url=KEYSTONE)
    for region in (spain, spain, lannion, lannion):
        CallersNova(region, TOKEN)
    assert cloud.calls == ["GET /auth/tokens", "GET /", "GET https://lannion.example.org/v2.1/"]


@pytest.mark.parametrize(
    ("endpoint", "root"),
    [
        ("https://nova.example.org/v2.1", "https://nova.example.org/v2.1/"),
        ("https://nova.example.org/v2.1/", "https://nova.example.org/v2.1/"),
        ("https://nova.example.org/v2.1/0123abcd", "https://nova.example.org/v2.1/"),
        ("https://nova.example.org/v2/0123abcd/", "https://nova.example.org/v2/"),
        ("https://nova.example.org/compute/v2.1", "https://nova.example.org/compute/v2.1/"),
    ],
)
def test_is_asked_where_the_endpoint_describes_its_version(cloud: Cloud, endpoint: str, root: str) -> None:
    cloud.keystone("GET", "/auth/tokens", {"json": token_document(endpoints={"Spain2": endpoint})})
    cloud.http.get(root, json=version_document("2.87"))
    cloud.http.get(f"{endpoint.rstrip('/')}/flavors/detail", json={"flavors": []})
    CallersNova(make_region(), TOKEN).list_flavors()
    assert cloud.http.request_history[-1].headers["OpenStack-API-Version"] == "compute 2.87"


def test_a_region_that_the_catalogue_does_not_know_is_said(cloud: Cloud) -> None:
    with pytest.raises(CloudUnavailable, match="Spain2: the Keystone catalogue has no compute endpoint") as caught:
        CallersNova(make_region(region_name="RegionOne"), TOKEN)
    assert_fit_for_strangers(caught.value)


def test_a_region_may_have_another_name_in_the_catalogue(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", {"json": token_document(endpoints={"RegionOne": NOVA})})
    assert CallersNova(make_region(region_name="RegionOne"), TOKEN).region.name == "Spain2"


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<html>welcome</html>"},
        {"json": []},
        {"json": None},
        {"json": {"versions": []}},
        {"json": {"version": "2.96"}},
        {"json": {"version": {"version": "latest"}}},
        {"json": {"version": {"version": 2.96}}},
        {"status_code": 300, "json": {"choices": []}},
        {"status_code": 302, "headers": {"Location": "https://elsewhere.example.org"}},
        {"status_code": 400, "json": {}},
        {"status_code": 404, "text": "not found"},
        {"status_code": 500, "json": {}},
    ],
)
def test_an_endpoint_that_is_no_nova_is_said_and_not_remembered(cloud: Cloud, answer: dict[str, Any]) -> None:
    cloud.nova("GET", "/", answer)
    with pytest.raises(CloudUnavailable) as caught:
        CallersNova(make_region(), TOKEN)
    assert_fit_for_strangers(caught.value)
    cloud.version("2.96")
    assert cloud.open().region.name == "Spain2"
