"""Pages of other origins: which may call the API from their users' browsers, and what the answers say."""

from typing import Any

import pytest
from django.conf import settings as configured
from django.core.checks import run_checks
from django.test import Client
from pytest_django import Settings

from flavorsync_project.tests.world import ACTORS, World

DASHBOARD = "https://dashboard.example.org"
ELSEWHERE = "https://elsewhere.example.org"


def preflight(origin: str, path: str = "/v1/flavors", headers: str = "x-auth-token") -> Any:
    return Client().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": headers,
        },
    )


def allowed(answer: Any) -> set[str]:
    return {name for name in answer.headers if name.lower().startswith("access-control-")}


@pytest.fixture
def dashboard(settings: Settings) -> str:
    settings.CORS_ALLOWED_ORIGINS = [DASHBOARD]
    return DASHBOARD


def test_by_default_no_page_elsewhere_may() -> None:
    assert configured.CORS_ALLOWED_ORIGINS == []
    assert allowed(preflight(DASHBOARD)) == set()


@pytest.mark.parametrize("path", ["/v1", "/v1/flavors", "/v1/flavors/", "/api/v1/regions/Spain2/flavors/42"])
def test_a_page_of_the_list_may_with_every_header_that_clients_send(dashboard: str, path: str) -> None:
    wanted = "authorization, content-type, password, user, x-auth-token, x-auth-token-keystone, if-none-match"
    answer = preflight(dashboard, path, wanted)
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == dashboard
    assert set(wanted.split(", ")) <= set(answer["Access-Control-Allow-Headers"].split(", "))
    assert {"GET", "POST", "PUT", "DELETE"} <= set(answer["Access-Control-Allow-Methods"].split(", "))
    assert answer["X-Openstack-Request-Id"]


@pytest.mark.parametrize(
    "origin", [ELSEWHERE, "null", f"{DASHBOARD}.evil.example", f"{DASHBOARD}:8443", "http://dashboard.example.org", ""]
)
def test_a_page_of_another_origin_may_not(dashboard: str, origin: str) -> None:
    assert allowed(preflight(origin)) == set()


def test_the_answer_itself_can_be_read_with_its_headers(dashboard: str, world: World) -> None:
    answer = Client().get("/v1/regions", headers={"Origin": dashboard, **ACTORS["basic"]})
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == dashboard
    told = {"X-Openstack-Request-Id", "X-Flavor-Sync-Unreachable", "ETag", "Link", "Location", "Retry-After"}
    assert told <= set(answer["Access-Control-Expose-Headers"].split(", "))
    assert "origin" in answer["Vary"].lower()


@pytest.mark.parametrize("path", ["/v1/regions", "/v1/missing"])
def test_a_refusal_can_be_read_too(dashboard: str, path: str) -> None:
    answer = Client().get(path, headers={"Origin": dashboard})
    assert answer.status_code in (401, 404)
    assert answer["Access-Control-Allow-Origin"] == dashboard


def test_no_page_elsewhere_comes_with_the_sessions_of_the_admin_site(dashboard: str) -> None:
    assert "Access-Control-Allow-Credentials" not in preflight(dashboard)
    assert allowed(preflight(dashboard, "/admin/")) == set()
    assert allowed(Client().get("/admin/login/", headers={"Origin": dashboard})) == set()


@pytest.mark.parametrize("origin", ["*", "dashboard.example.org", f"{DASHBOARD}/path"])
def test_an_origin_that_is_none_is_an_error(settings: Settings, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [origin]
    assert [message.id for message in run_checks() if (message.id or "").startswith("corsheaders.E")]
