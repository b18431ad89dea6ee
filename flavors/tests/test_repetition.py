"""A request that comes again is answered as before, at the cost of one query, and never when anything has changed."""

import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from wsgiref.util import FileWrapper

import pytest
import requests_mock
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import OperationalError, connection
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils.datastructures import CaseInsensitiveMapping
from prometheus_client import REGISTRY
from pytest_django import Settings

from flavors import listing, repetition
from flavors.memory import Memory
from flavors.models import Flavor
from flavors.repetition import Repetition
from flavors.tests.factories import make_flavor, make_installation
from flavorsync_project.api.wsgi import Handler
from identity.models import User
from identity.tests.factories import APP_ID, KEYROCK_URL, make_answer

pytestmark = pytest.mark.django_db

PATH = "/v1/promotedflavors"


def basic(username: str = "frodo", password: str = "friend") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()}


TOKEN = {"X-Auth-Token": "sentinel-token"}
CREDENTIALS = {
    "token": TOKEN,
    "bearer": {"Authorization": "Bearer sentinel-token"},
    "account": basic(),
    "header pair": {"user": "frodo", "password": "friend"},
}
# What differs between any two answers.
PASSING = {"X-Openstack-Request-Id"}


@pytest.fixture(autouse=True)
def open_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the connection, and with it the test's transaction, after each request."""
    if connection.in_atomic_block:
        monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)


@pytest.fixture(autouse=True)
def account() -> User:
    make_installation(make_flavor(flavorid="nano", name="nano"), "Mordor")
    return User.objects.create_user("frodo", password="friend")


@pytest.fixture(autouse=True)
def idm(settings: Settings, requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = KEYROCK_URL, [APP_ID]
    requests_mock.get(f"{KEYROCK_URL}/user", json=make_answer())
    return requests_mock


@pytest.fixture(params=CREDENTIALS)
def credentials(request: pytest.FixtureRequest) -> dict[str, str]:
    return CREDENTIALS[request.param]


@dataclass
class Answer:
    """An answer of the whole application, and whether Django had no part in it."""

    status_code: int
    headers: CaseInsensitiveMapping[str]
    content: bytes
    repeated: bool

    def __getitem__(self, header: str) -> str:
        return self.headers[header]

    def json(self) -> Any:
        return json.loads(self.content)


def send(method: str, path: str, headers: dict[str, str], **body: Any) -> Answer:
    started: list[Any] = []
    environ = RequestFactory().generic(method, path, headers=headers, **body).environ
    answered = Repetition(Handler())(environ, lambda *start: started.extend(start[:2]))  # type: ignore[arg-type]
    content = b"".join(answered)
    if close := getattr(answered, "close", None):
        close()
    status, named = started
    return Answer(
        int(status[:3]), CaseInsensitiveMapping(named), content, repeated=not isinstance(answered, HttpResponseBase)
    )


def get(headers: dict[str, str], path: str = PATH, **more: str) -> Answer:
    return send("GET", path, {**headers, **{name.replace("_", "-"): text for name, text in more.items()}})


def queries(request: Callable[[], Any]) -> tuple[Any, int]:
    with CaptureQueriesContext(connection) as captured:
        response = request()
    return response, len(captured)


def shown(response: Answer) -> tuple[int, bytes, dict[str, str]]:
    headers = {name: value for name, value in response.headers.items() if name not in PASSING}
    return response.status_code, response.content, headers


# The same again


@pytest.mark.parametrize("more", [{}, {"Accept": "application/xml"}, {"Origin": "http://localhost:9"}])
@pytest.mark.parametrize("path", [PATH, f"{PATH}?limit=1", f"/api{PATH}/?limit=1&more="])
def test_it_is_the_same_answer_for_one_query(
    credentials: dict[str, str], settings: Settings, more: dict[str, str], path: str
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["http://localhost:9"]
    first = get(credentials, path, **more)
    again, count = queries(lambda: get(credentials, path, **more))
    assert count == 1
    assert again.repeated
    assert first.status_code == 200
    assert shown(again) == shown(first)
    assert again["X-Openstack-Request-Id"] != first["X-Openstack-Request-Id"]
    assert ("Origin" in more) == ("Access-Control-Allow-Origin" in again.headers)


def test_an_unchanged_list_is_304_for_one_query(credentials: dict[str, str]) -> None:
    etag = get(credentials)["ETag"]
    first = get(credentials, If_None_Match=etag)
    again, count = queries(lambda: get(credentials, If_None_Match=etag))
    assert (again.status_code, again.content, count) == (304, b"", 1)
    assert again.repeated
    assert {name: again[name] for name in again.headers if name not in PASSING} == {
        name: first[name] for name in ("ETag", "Cache-Control", "Vary")
    }


def test_no_304_speaks_of_a_length(credentials: dict[str, str]) -> None:
    etag = get(credentials)["ETag"]
    assert "Content-Length" not in get(credentials, If_None_Match=etag).headers
    assert "Content-Length" not in send("HEAD", PATH, {**credentials, "If-None-Match": etag}).headers


def test_the_idm_is_asked_once(idm: requests_mock.Mocker) -> None:
    for _ in range(5):
        get(TOKEN)
    assert idm.call_count == 1


def test_it_is_counted_and_logged_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    def counted() -> list[float | None]:
        route = {"method": "GET", "route": "/v1/promotedflavors"}
        return [
            REGISTRY.get_sample_value("flavorsync_http_requests_total", {**route, "status": "200"}),
            REGISTRY.get_sample_value("flavorsync_http_request_seconds_count", route),
            REGISTRY.get_sample_value("flavorsync_idm_validations_total", {"outcome": "remembered"}),
        ]

    get(TOKEN)
    get(TOKEN)
    before = counted()
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="flavorsync.access"):
        get(TOKEN)
    assert counted() == [value + 1 for value in before if value is not None]
    assert [record.getMessage().rsplit(" ", 2)[0] for record in caplog.records] == [f"GET {PATH} 200"]


# Whoever may no longer


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"username": "sam"},
        {"password": "!"},
        None,
    ],
    ids=["closed", "renamed", "another password", "deleted"],
)
@pytest.mark.parametrize("kind", ["account", "header pair"])
def test_an_account_that_is_no_more_what_it_was_is_out_at_once(kind: str, change: dict[str, Any] | None) -> None:
    etag = get(CREDENTIALS[kind])["ETag"]
    assert get(CREDENTIALS[kind], If_None_Match=etag).status_code == 304
    if change:
        User.objects.filter(username="frodo").update(**change)
    else:
        User.objects.get(username="frodo").delete()
    assert get(CREDENTIALS[kind]).status_code == 401
    assert get(CREDENTIALS[kind], If_None_Match=etag).status_code == 401


def test_a_token_that_is_no_longer_remembered_is_asked_about(idm: requests_mock.Mocker) -> None:
    get(TOKEN)
    cache.clear()
    assert get(TOKEN).status_code == 200
    assert idm.call_count == 2
    cache.clear()
    idm.get(f"{KEYROCK_URL}/user", status_code=401)
    assert get(TOKEN).status_code == 401


@pytest.mark.parametrize("setting", ["KEYROCK_CACHE_SECONDS", "LOCAL_ACCOUNT_CACHE_SECONDS"])
def test_nothing_is_repeated_when_nothing_is_to_be_remembered(setting: str, settings: Settings) -> None:
    setattr(settings, setting, 0)
    credentials = TOKEN if setting.startswith("KEYROCK") else basic()
    get(credentials)
    assert not get(credentials).repeated


def test_a_password_is_not_hashed_again_while_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    get(basic())
    monkeypatch.setattr(User, "check_password", lambda *_: pytest.fail("hashed"))
    for _ in range(3):
        assert get(basic()).status_code == 200


# Other requests


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic(password="foe"), 401),
        (basic("sam"), 401),
        ({"X-Auth-Token": ""}, 401),
        ({**TOKEN, **basic(password="foe")}, 401),
        ({**TOKEN, "user": "frodo"}, 401),
        ({**TOKEN, "Host": "elsewhere"}, 400),
    ],
)
def test_who_asks_otherwise_is_answered_otherwise(headers: dict[str, str], status: int) -> None:
    etags = {get(credentials)["ETag"] for credentials in CREDENTIALS.values()}
    assert get(headers).status_code == status
    assert get(headers, If_None_Match=etags.pop()).status_code == status


def test_other_methods_pages_and_formats_are_their_own() -> None:
    make_flavor(name="other")
    whole = get(TOKEN)
    assert get(TOKEN, f"{PATH}?limit=1").content != whole.content
    assert get(TOKEN, f"{PATH}?limit=x").status_code == 400
    assert get(TOKEN, Accept="text/xml")["Content-Type"].startswith("text/xml")
    head = send("HEAD", PATH, TOKEN)
    assert (head.repeated, head["Content-Length"]) == (False, whole["Content-Length"])
    assert send("POST", PATH, TOKEN, data=b"{}", content_type="application/json").status_code == 405


def test_a_file_is_handed_to_the_server_as_ever() -> None:
    environ = RequestFactory().get("/static/flavorsync/admin.css").environ | {"wsgi.file_wrapper": FileWrapper}
    started: list[Any] = []
    answered = Repetition(Handler())(environ, lambda *start: started.extend(start[:2]))  # type: ignore[arg-type]
    assert isinstance(answered, FileWrapper)
    assert (
        b"".join(answered) == (django_settings.BASE_DIR / "flavorsync_project/static/flavorsync/admin.css").read_bytes()
    )
    answered.close()
    assert started[0] == "200 OK"


def test_another_sites_page_is_told_whether_it_may_read_it(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["http://localhost:9"]
    for origin, allowed in ((None, None), ("http://localhost:9", "http://localhost:9"), ("http://localhost:8", None)):
        response = get(TOKEN, **({"Origin": origin} if origin else {}))
        assert response.headers.get("Access-Control-Allow-Origin") == allowed


def test_with_both_credentials_both_are_verified_every_time() -> None:
    both = {**TOKEN, **basic()}
    assert get(both).status_code == 200
    User.objects.filter(username="frodo").update(is_active=False)
    assert get(both).status_code == 401


# What has changed


def test_a_change_is_in_the_next_answer(credentials: dict[str, str]) -> None:
    etag = get(credentials)["ETag"]
    for ram in (1, 2, 3):
        Flavor.objects.update(ram=ram)
        after = get(credentials, If_None_Match=etag)
        assert after.status_code == 200
        assert after.json()["flavors"][0]["ram"] == ram
        etag = after["ETag"]
        for _ in range(2):
            unchanged = get(credentials, If_None_Match=etag)
            assert (unchanged.status_code, unchanged["ETag"]) == (304, etag)


def test_a_body_that_was_let_go_is_made_again(credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = get(credentials)
    monkeypatch.setattr("flavors.listing.remembered", lambda etag: None)
    assert shown(get(credentials)) == shown(first)


def test_a_database_that_is_away_is_503_for_a_request_that_comes_again_too(credentials: dict[str, str]) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError(2003, "sentinel")

    get(credentials)
    with connection.execute_wrapper(fail):
        away = get(credentials)
    assert (away.status_code, away["Retry-After"], away["Vary"]) == (503, "5", "Accept, origin")
    assert away.json() == {"error": {"message": "The service is not available right now."}}
    assert get(credentials).repeated


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_has_become_too_old_is_closed_afterwards() -> None:
    get(TOKEN)
    assert get(TOKEN).repeated
    assert connection.connection is not None
    connection.close_at = time.monotonic()
    assert get(TOKEN).repeated
    assert connection.connection is None
    assert get(TOKEN).repeated


# What is kept


def test_a_link_as_long_as_its_url_is_counted_in_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Memory[Any] = Memory(max_bytes=1024 * 1024)
    bodies: Memory[Any] = Memory(max_bytes=1024 * 1024)
    monkeypatch.setattr(repetition, "_answers", answers)
    monkeypatch.setattr(listing, "_bodies", bodies)
    response = get(TOKEN, f"{PATH}?limit=1&x={'!' * 7_000}")
    assert len(response["Link"]) > 20_000
    assert answers._bytes > len(response["Link"])
    assert bodies._bytes > len(response["Link"]) + len(response.content)


def test_nothing_that_is_kept_tells_a_credential(credentials: dict[str, str]) -> None:
    get(credentials, f"{PATH}?access_token=sentinel-token" if credentials == TOKEN else PATH)
    kept = repr(repetition._answers)
    for secret in ("sentinel-token", "friend", User.objects.get().password, *credentials.values()):
        assert secret not in kept or secret == "frodo"
