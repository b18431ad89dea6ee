"""A caller with a token of the central Keystone needs no other token for its regions."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from identity import exchange
from testing.accounts import make_project, make_role
from testing.cloud import ENDPOINTS, KEYSTONE, NOVA, TOKEN, Cloud, flavor_document, token_document
from testing.infrastructures import make_infrastructure

pytestmark = pytest.mark.django_db
OTHERS_KEYSTONE = "https://keystone.mordor.example.org/v3"


@pytest.fixture(autouse=True)
def cloud(settings: Settings) -> Iterator[Cloud]:
    """Spain2, whose Keystone is the federation's, and Mordor, which has its own."""
    settings.KEYSTONE_URL, settings.KEYSTONE_IDENTITY, settings.KEYROCK_URL = KEYSTONE, True, ""
    settings.KEYSTONE_MANAGERS = ["flavor_manager@project:federation/Default"]
    make_infrastructure("Spain2")
    make_infrastructure("Mordor", keystone_url=OTHERS_KEYSTONE)
    exchange.close()
    with Cloud() as cloud:
        document = token_document(endpoints=ENDPOINTS)
        document["token"] |= {"roles": [make_role("flavor_manager")], "project": make_project()}
        cloud.keystone("GET", "/auth/tokens", {"json": document})
        cloud.nova("GET", "/flavors/detail?is_public=None", {"json": {"flavors": [flavor_document()]}})
        yield cloud


def ask(region: str, **headers: str) -> Any:
    return APIClient().get(f"/v1/regions/{region}/flavors", headers={"X-Auth-Token": TOKEN, **headers})


def test_the_callers_own_token_opens_a_region_of_the_central_keystone(cloud: Cloud) -> None:
    answer = ask("Spain2")
    assert [flavor["name"] for flavor in answer.json()["flavors"]] == ["m1.custom"]
    nova = next(request for request in cloud.http.request_history if request.url.startswith(f"{NOVA}/flavors"))
    assert nova.headers["X-Auth-Token"] == TOKEN


def test_a_warm_request_costs_one_call(cloud: Cloud) -> None:
    ask("Spain2")
    cloud.http.reset_mock()
    assert ask("Spain2").status_code == 200
    assert cloud.calls == ["GET /flavors/detail?is_public=None"]


def test_it_is_never_shown_to_a_cloud_with_a_keystone_of_its_own(cloud: Cloud) -> None:
    answer = ask("Mordor")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Keystone")
    assert "a Keystone of its own" in answer.json()["error"]["message"]
    assert {request.hostname for request in cloud.http.request_history} == {"keystone.example.org"}


def test_neither_is_it_when_it_is_named_for_that_cloud(cloud: Cloud) -> None:
    assert ask("Mordor", **{"X-Auth-Token-KeyStone": TOKEN}).status_code == 401
    assert {request.hostname for request in cloud.http.request_history} == {"keystone.example.org"}


def test_another_token_for_the_region_goes_before_it(cloud: Cloud) -> None:
    assert ask("Spain2", **{"X-Auth-Token-KeyStone": "another"}).status_code == 200
    nova = next(request for request in cloud.http.request_history if request.url.startswith(f"{NOVA}/flavors"))
    assert nova.headers["X-Auth-Token"] == "another"


def test_a_region_that_is_not_there_is_not_found() -> None:
    assert ask("Nowhere").status_code == 404
