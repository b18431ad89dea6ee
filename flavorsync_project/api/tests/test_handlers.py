"""Every error has one kind of body, its headers, and nothing that is not for strangers."""

import logging
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.urls("flavorsync_project.api.tests.site")

NO_TOKEN = b"Could not verify your access level for that URL.\nYou have to login with proper token"
NO_ROLE = b"The method specified in the Request-Line is not allowed for the resource identified by the Request-URI."
CHALLENGE = 'Bearer realm="Flavor Sync"'

ERRORS = [
    ("api-404", 404, "The flavor 42 does not exist", {}),
    ("http-404", 404, "No such flavor", {}),
    ("bare-404", 404, "Not found.", {}),
    ("django-403", 403, "Not yours", {}),
    ("django-400", 400, "vcpus: Too few.; Nothing fits.", {}),
    ("django-400-plain", 400, "Nothing fits.", {}),
    ("rest-400", 400, "a.b: is wrong; a.b: is odd; nodes: is no name", {}),
    ("rest-400-none", 400, "Nothing fits.", {}),
    ("conflict", 409, "The name tiny is taken", {}),
    ("protected", 409, "It cannot be deleted: other resources refer to it", {}),
    ("suspicious", 400, "The request is malformed", {}),
    ("unreadable", 400, "The body could not be read to its end", {}),
    ("throttled", 429, "Request was throttled. Expected available in 12 seconds.", {"Retry-After": "12"}),
    ("gateway", 502, "Spain2: no answer", {}),
    ("unavailable", 503, "The service is not available right now.", {"Retry-After": "9"}),
    ("database", 503, "The service is not available right now.", {"Retry-After": "5"}),
    ("connection", 503, "The service is not available right now.", {"Retry-After": "5"}),
    ("surrogate", 400, "a lone \ufffd surrogate and a control \x07", {}),
    ("bug", 500, "The server failed to answer. Its log says why.", {}),
]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(("what", "status", "message", "headers"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors_in_json(client: Client, what: str, status: int, message: str, headers: dict[str, str]) -> None:
    response = client.get(f"/v1/raises/{what}")
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"error": {"message": message}}
    assert {name: response.get(name) for name in headers} == headers
    assert ("Retry-After" in response) == ("Retry-After" in headers)


@pytest.mark.parametrize(("what", "status", "message", "headers"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors_in_xml(client: Client, what: str, status: int, message: str, headers: dict[str, str]) -> None:
    response = client.get(f"/v1/raises/{what}", headers={"Accept": "application/xml"})
    assert response.status_code == status
    assert response["Content-Type"] == "application/xml; charset=utf-8"
    text = message.replace("\x07", "\ufffd")
    assert response.content.decode() == (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>{text}</message>\n</error>\n'
    )
    assert {name: response.get(name) for name in headers} == headers


def test_a_clouds_failure_is_one_line_and_its_traceback_is_for_those_who_look_closer(
    caplog: pytest.LogCaptureFixture, client: Client
) -> None:
    caplog.set_level(logging.INFO)
    client.get("/v1/raises/gateway")
    [line] = [record for record in caplog.records if record.levelno > logging.INFO]
    assert (line.levelname, line.getMessage(), line.exc_info) == ("WARNING", "502 Spain2: no answer", None)
    caplog.clear()
    caplog.set_level(logging.DEBUG, "flavorsync_project.api.handlers")
    client.get("/v1/raises/gateway")
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.DEBUG)


@pytest.mark.parametrize(("what", "status"), [("unavailable", 503), ("database", 503)])
def test_errors_of_the_server_are_logged_with_their_cause(what: str, status: int, caplog: Any, client: Client) -> None:
    client.get(f"/v1/raises/{what}")
    [record] = [record for record in caplog.records if record.name == "flavorsync_project.api.handlers"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(str(status))
    assert record.exc_info


def test_errors_of_the_client_are_not_logged_as_ours(caplog: Any, client: Client) -> None:
    client.get("/v1/raises/conflict")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_body_with_several_faults_names_them_all(client: Client) -> None:
    body = '{"flavor": {"id": "a/b", "vcpus": "1", "promoted": 1, "nodes": ["a", 2]}}'
    response = client.generic("POST", "/v1/echo", body, "application/json")
    assert response.status_code == 400
    assert response.json()["error"]["message"].split("; ") == [
        "id: may hold only letters (a to z), digits, '.', '_', '-' and inner spaces",
        "name: is required",
        'vcpus: must be an integer, not "1"',
        "promoted: must be true or false, not 1",
        "nodes[1]: must be a string, not an integer",
    ]


# Refusals


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("token", [None, "wrong"])
def test_the_plain_401_of_token_protected_collections(
    client: Client, token: str | None, method: str, accept: str
) -> None:
    headers = {"Accept": accept} | ({"X-Auth-Token": token} if token else {})
    response = client.generic(method, "/v1/plain", headers=headers)
    assert response.status_code == 401
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == NO_TOKEN
    assert response["WWW-Authenticate"] == CHALLENGE


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_plain_405_without_the_role(client: Client, method: str) -> None:
    response = client.generic(method, "/v1/plain", headers={"X-Auth-Token": "basic"})
    assert response.status_code == 405
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == NO_ROLE
    assert sorted(response["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


def test_elsewhere_both_are_ordinary(client: Client) -> None:
    response = client.get("/v1/protected")
    assert response.status_code == 401
    assert response.json() == {"error": {"message": "Authentication credentials were not provided."}}
    assert response["WWW-Authenticate"] == CHALLENGE
    response = client.post("/v1/protected", headers={"X-Auth-Token": "basic"})
    assert response.status_code == 403
    assert response.json()["error"]["message"] == "You do not have permission to perform this action."


@pytest.mark.parametrize("path", ["/v1/plain", "/v1/protected"])
class TestOnBothKindsOfView:
    def test_the_401_of_a_cloud_is_an_error_body(self, client: Client, path: str) -> None:
        response = client.post(path, headers={"X-Auth-Token": "manager"})
        assert response.status_code == 401
        assert response.json() == {"error": {"message": "Spain2: the token is refused"}}
        assert response["WWW-Authenticate"] == 'Keystone realm="Spain2"'

    def test_the_403_of_a_cloud_is_an_error_body(self, client: Client, path: str) -> None:
        response = client.delete(path, headers={"X-Auth-Token": "manager"})
        assert response.status_code == 403
        assert response.json() == {"error": {"message": "Spain2: policy does not let you do this"}}

    def test_a_405_for_another_reason_is_an_error_body_with_its_own_allow(self, client: Client, path: str) -> None:
        response = client.put(path, headers={"X-Auth-Token": "manager"})
        assert response.status_code == 405
        assert response.json() == {"error": {"message": "The nodes of a flavor are not set here."}}
        assert response["Allow"] == "GET, DELETE"

    def test_a_method_that_there_is_not(self, client: Client, path: str) -> None:
        response = client.patch(path, headers={"X-Auth-Token": "manager"})
        assert response.status_code == 405
        assert response.json() == {"error": {"message": 'Method "PATCH" not allowed.'}}
        assert response["Allow"] == "GET, POST, PUT, DELETE, HEAD, OPTIONS"

    def test_an_idm_that_is_down_is_503(self, client: Client, path: str) -> None:
        response = client.get(path, headers={"X-Auth-Token": "down"})
        assert response.status_code == 503
        assert response.json() == {"error": {"message": "The IdM does not answer."}}
        assert response["Retry-After"] == "7"
        assert "WWW-Authenticate" not in response


def test_what_is_allowed_is_allowed(client: Client) -> None:
    response = client.get("/v1/plain", headers={"X-Auth-Token": "basic"})
    assert (response.status_code, response.json()) == (200, {"flavors": []})


def test_too_many_parameters(client: Client) -> None:
    response = client.get("/v1/protected?" + "&".join(["a=b"] * 2000))
    assert response.status_code == 400
    assert response.json() == {"error": {"message": "The request has too many parameters"}}


def test_a_page_in_html_has_the_same_errors(client: Client) -> None:
    response = client.get("/v1/page")
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"error": {"message": "No page"}}


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_options_has_headers_alone(client: Client, accept: str) -> None:
    response = client.options("/v1/echo", headers={"Accept": accept})
    assert (response.status_code, response.content) == (200, b"")
    assert response["Allow"] == "GET, POST, PUT, DELETE, HEAD, OPTIONS"


# Outside of the views


OUTSIDE = [
    ("nowhere", 404, "There is nothing at this path"),
    ("broken", 500, "The server failed to answer. Its log says why."),
    ("bad", 400, "The request is malformed"),
    ("refused", 403, "Not yours"),
]


@pytest.mark.parametrize("prefix", ["/v1/", "/api/v1/"])
@pytest.mark.parametrize(("path", "status", "message"), OUTSIDE)
def test_below_v1_they_are_errors_of_the_api(client: Client, prefix: str, path: str, status: int, message: str) -> None:
    response = client.get(prefix + path)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"error": {"message": message}}
    response = client.get(prefix + path, headers={"Accept": "text/xml"})
    assert response.status_code == status
    assert response["Content-Type"] == "text/xml; charset=utf-8"
    assert f"<message>{message}</message>" in response.content.decode()


@pytest.mark.parametrize(("path", "status", "message"), OUTSIDE)
def test_elsewhere_they_are_djangos_pages(client: Client, path: str, status: int, message: str) -> None:
    for prefix in ("/", "/v1x/", "/api/"):
        response = client.get(prefix + path)
        if prefix == "/":
            assert response.status_code == status
        assert response["Content-Type"].startswith("text/html")
        assert message not in response.content.decode() or path == "refused"


def test_a_host_that_is_not_ours(client: Client) -> None:
    response = client.get("/v1/echo/", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert response.json() == {"error": {"message": "The request is malformed"}}


def test_a_body_too_large_outside_of_the_views(client: Client) -> None:
    response = client.generic("POST", "/v1/body", b"x" * 2_000_000, "application/octet-stream")
    assert response.status_code in {403, 413}
    response = client.generic("GET", "/v1/body", b"x" * 2_000_000, "application/octet-stream")
    assert response.status_code == 413
    assert response.json() == {"error": {"message": "The body is too large."}}
