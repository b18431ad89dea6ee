"""Without its database the service says so, each part of it in its own form, and comes back with it."""

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.usefixtures("no_database")

ACCOUNT = {"User": "somebody", "Password": "secret"}
MESSAGE = "The service is not available right now."


@pytest.fixture
def client() -> Client:
    """Somebody who has signed in."""
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    return client


@pytest.mark.parametrize(
    "path", ["/", "/?q=small", "/admin/", "/admin/flavors/flavor/", "/admin/synchronisation/syncrun/1/"]
)
def test_a_page_says_what_to_do(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert answer["Retry-After"] == "5"
    assert "Reload the page in a minute" in answer.text
    assert 'href="/static/flavorsync/site.css"' in answer.text
    assert answer["X-Openstack-Request-Id"].startswith("req-")
    assert "nowhere" not in answer.text


def test_signing_in_says_the_same() -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/admin/login/").status_code == 200
    assert client.post("/admin/login/", {"username": "x", "password": "y"}).status_code == 503


@pytest.mark.parametrize("path", ["/v1", "/v1/docs", "/v1/schema", "/health/live"])
def test_what_takes_no_database_is_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/v1/flavors", {}), ("/api/v1/flavors/1", {}), ("/v1/regions", ACCOUNT), ("/v1/docs", ACCOUNT)],
)
def test_the_api_answers_in_its_own_form(client: Client, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json() == {"error": {"message": MESSAGE}}
    answer = client.get(path, headers={**headers, "Accept": "application/xml"})
    assert f"<message>{MESSAGE}</message>" in answer.text
