"""What holds for every answer of Nova's API, whatever it is about."""

import pytest
from django.db import OperationalError
from pytest_django import Settings

from compute.federation import reading
from compute.tests.client import Nova
from testing.flavors import make_flavor


def test_without_a_credential_keystone_is_named(db: None, settings: Settings) -> None:
    settings.KEYSTONE_URL = "https://keystone.example.org/v3"
    answer = Nova().get("/flavors")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Keystone uri="https://keystone.example.org/v3"'
    assert answer.body == {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    }


def test_a_wrong_password_is_refused_in_the_same_form(user: Nova) -> None:
    answer = Nova({"Authorization": "Basic dXNlcjp3cm9uZw=="}).get("/flavors")
    assert answer.status == 401
    assert answer.body["error"].items() >= {"code": 401, "title": "Unauthorized"}.items()


def test_two_different_tokens_are_a_bad_request(db: None) -> None:
    answer = Nova({"X-Auth-Token": "one", "Authorization": "Bearer two"}).get("/flavors")
    assert answer.fault == ("badRequest", 400)


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "nonsense", "application/json;q=0"])
def test_it_is_json_whatever_is_accepted(user: Nova, accept: str) -> None:
    answer = user.having(Accept=accept).get("/flavors")
    assert (answer.status, answer.body) == (200, {"flavors": []})


@pytest.mark.parametrize("path", ["/flavors/", "/flavors/a/b/c", "/servers/1/ips", "/os-hypervisors", "//compute/v3"])
def test_what_nova_has_no_route_for_is_not_there(user: Nova, path: str) -> None:
    answer = user.get(path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert "<h1>404 Not Found</h1>" in answer.body
    told = user.having(Accept="application/json").get(path)
    assert (told.status, told.body.keys()) == (404, {"code", "message", "title"})


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "OPTIONS"])
def test_a_method_that_has_no_route_is_not_there(user: Nova, method: str) -> None:
    assert user.send(method, "/flavors").status == 404
    answer = user.having(Accept="text/html, application/json;q=0.9").send(method, "/flavors")
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"


def test_strangers_are_not_told_what_there_is(db: None) -> None:
    assert Nova().get("/os-hypervisors").status == 401


def test_a_database_that_is_away_is_unavailable(user: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> None:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(reading, "find_flavor", away)
    answer = user.get("/flavors/nano")
    assert answer.fault == ("serviceUnavailable", 503)
    assert int(answer.headers["Retry-After"]) > 0


def test_what_nobody_expects_is_told_without_saying_what(
    user: Nova, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(reading, "find_flavor", fail)
    answer = user.get("/flavors/nano")
    assert answer.fault == ("computeFault", 500)
    assert "secret" not in answer.body["computeFault"]["message"]
    assert "a secret" in caplog.text


def test_pages_and_sessions_have_no_part_in_it(user: Nova) -> None:
    make_flavor()
    answer = user.get("/flavors")
    assert "Content-Security-Policy" not in answer.headers
    assert "Allow" not in answer.headers
