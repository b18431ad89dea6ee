"""Which versions there are, and how one is asked for."""

import importlib
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import clear_url_caches
from pytest_django import Settings

from compute.tests.client import ROOT, Nova

VERSION = {
    "id": "v2.1",
    "status": "CURRENT",
    "version": "2.96",
    "min_version": "2.1",
    "updated": "2013-07-23T11:33:21Z",
}


@pytest.mark.parametrize("path", ["//compute", "//compute/"])
def test_the_versions_are_for_everybody(path: str) -> None:
    answer = Nova().get(path)
    assert answer.status == 200
    assert answer.body == {"versions": [{**VERSION, "links": [{"rel": "self", "href": f"{ROOT}/v2.1/"}]}]}


@pytest.mark.parametrize("path", ["//compute/v2.1", "//compute/v2.1/"])
def test_the_version_is_described_to_everybody(path: str) -> None:
    answer = Nova().get(path)
    assert answer.status == 200
    version = answer.body["version"]
    assert version.items() >= VERSION.items()
    assert [link["rel"] for link in version["links"]] == ["self", "describedby"]
    assert version["links"][0]["href"] == f"{ROOT}/v2.1/"
    assert version.keys() == {*VERSION, "links", "media-types"}


def test_a_wrong_credential_does_not_hide_the_versions() -> None:
    assert Nova().having(X_Auth_Token="nobody's").get("//compute/v2.1").status == 200


def test_the_version_answers_to_head_without_a_body() -> None:
    answer = Nova().send("HEAD", "//compute/v2.1")
    assert (answer.status, answer.body) == (200, None)


def test_links_lead_to_the_public_url(settings: Settings) -> None:
    settings.COMPUTE_PUBLIC_URL = "https://flavors.example.org/openstack/"
    (version,) = Nova().get("//compute/").body["versions"]
    assert version["links"] == [{"rel": "self", "href": "https://flavors.example.org/openstack/v2.1/"}]


@pytest.mark.parametrize(
    ("headers", "spoken"),
    [
        ({}, "2.1"),
        ({"OpenStack-API-Version": "compute 2.61"}, "2.61"),
        ({"OpenStack-API-Version": "compute latest"}, "2.96"),
        ({"OpenStack-API-Version": "placement 1.2, compute 2.55"}, "2.55"),
        ({"OpenStack-API-Version": "placement 1.2"}, "2.1"),
        ({"X-OpenStack-Nova-API-Version": "2.75"}, "2.75"),
        ({"X-OpenStack-Nova-API-Version": "latest"}, "2.96"),
        ({"OpenStack-API-Version": "Compute 2.61"}, "2.61"),
        ({"OpenStack-API-Version": "compute 2.55", "X-OpenStack-Nova-API-Version": "2.75"}, "2.55"),
        ({"OpenStack-API-Version": "volume 3.0", "X-OpenStack-Nova-API-Version": "2.75"}, "2.75"),
    ],
)
def test_the_microversion_is_told_in_both_headers(user: Nova, headers: dict[str, str], spoken: str) -> None:
    answer = Nova({**user.headers, **headers}).get("/flavors")
    assert answer.status == 200
    assert answer.headers["OpenStack-API-Version"] == f"compute {spoken}"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == spoken
    vary = {name.strip() for name in answer.headers["Vary"].split(",")}
    assert vary >= {"OpenStack-API-Version", "X-OpenStack-Nova-API-Version"}


@pytest.mark.parametrize("version", ["2.97", "2.0", "1.1", "3.0"])
def test_a_microversion_that_is_not_spoken_is_refused(user: Nova, version: str) -> None:
    answer = user.at(version).get("/flavors")
    assert answer.fault == ("computeFault", answer.status) == ("computeFault", 406)
    assert answer.headers["OpenStack-API-Version"] == f"compute {version}"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == version


@pytest.mark.parametrize("version", ["2", "2.", "two", "2.1.1", "2.01", "-2.1", "2.1 x", "2.9999999999", "LATEST"])
def test_a_malformed_microversion_is_refused(user: Nova, version: str) -> None:
    assert user.at(version).get("/flavors").fault == ("badRequest", 400)


def test_who_calls_comes_before_the_microversion(db: None) -> None:
    assert Nova().at("9.9").get("/flavors").status == 401


@pytest.fixture
def _turned_off(settings: Settings) -> Iterator[None]:
    """A service that was started without this API."""

    def start(*, has_compute: bool) -> None:
        settings.COMPUTE_API = has_compute
        importlib.reload(importlib.import_module(settings.ROOT_URLCONF))
        clear_url_caches()

    start(has_compute=False)
    yield
    start(has_compute=True)


@pytest.mark.usefixtures("_turned_off")
@pytest.mark.parametrize("path", ["", "/", "/v2.1", "/v2.1/flavors", "/nodes/Spain2/v2.1/flavors"])
def test_it_can_be_turned_off(db: None, path: str) -> None:
    assert Client().get(f"/compute{path}").status_code == 404
    assert Client().get("/v1").status_code == 200
