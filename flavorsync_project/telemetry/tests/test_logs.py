"""The log as JSON: what a line has, and that it has nothing else."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django import Settings

from flavorsync_project.telemetry.logs import JsonFormatter
from flavorsync_project.telemetry.request_id import (
    HEADER,
    RequestIdMiddleware,
    note_upstream,
    note_user,
)
from flavorsync_project.telemetry.tests.logged import all_that_is_logged

SENTINEL = "s3ntinel"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, in the form that LOG_FORMAT=json gives the console."""
    with all_that_is_logged(JsonFormatter()) as stream:
        yield stream


def lines(log: io.StringIO, logger: str) -> list[dict[str, Any]]:
    """Return each line of a logger; every one must be JSON."""
    return [line for text in log.getvalue().splitlines() if (line := json.loads(text))["logger"] == logger]


def answered(view: Any) -> str:
    """Return the id of a request that *view* answers."""
    request = HttpRequest()
    request.method, request.path = "GET", "/v1/flavors/ü"
    return str(RequestIdMiddleware(view)(request)[HEADER])


def test_an_access_line_has_what_is_known_of_the_request(log: io.StringIO) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        note_user("mordor's owner")
        note_upstream("Mordor", "req-1")
        note_upstream("Spain2", "")
        note_upstream("Mordor", "req-2")
        logging.getLogger("flavorsync.test").warning('two\nlines and a "quote"', extra={"nodes": ["Mordor"]})
        return HttpResponse(status=204)

    request_id = answered(view)
    (access,) = lines(log, "flavorsync.access")
    assert access.pop("time").endswith("+00:00")
    assert access.pop("milliseconds") >= 0
    assert access.pop("message").startswith("GET /v1/flavors/%C3%BC 204 ")
    assert access == {
        "level": "INFO",
        "logger": "flavorsync.access",
        "request_id": request_id,
        "user": "mordor's owner",
        "method": "GET",
        "path": "/v1/flavors/%C3%BC",
        "status": 204,
        "nodes": ["Mordor", "Spain2"],
        "upstream_request_ids": ["req-1", "req-2"],
    }
    (other,) = lines(log, "flavorsync.test")
    assert (other["message"], other["user"], other["nodes"]) == (
        'two\nlines and a "quote"',
        "mordor's owner",
        ["Mordor"],
    )
    assert other["request_id"] == request_id


def test_nothing_of_one_request_is_on_the_lines_of_the_next(log: io.StringIO) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        note_user("somebody")
        note_upstream("Mordor", "req-1")
        return HttpResponse()

    answered(view)
    answered(lambda request: HttpResponse())
    logging.getLogger("flavorsync.access").info("outside")
    first, second, outside = lines(log, "flavorsync.access")
    assert first["user"] == "somebody"
    assert {"user", "nodes", "upstream_request_ids"} & {*second, *outside} == set()
    assert outside["request_id"] == "-"


@pytest.mark.django_db
def test_who_has_signed_in_to_the_admin_site_is_known(log: io.StringIO, settings: Settings) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("frodo", password="mellon"))
    assert client.get("/admin/").status_code == 200
    assert [line["user"] for line in lines(log, "flavorsync.access")] == ["frodo"]


def test_an_exception_is_one_member(log: io.StringIO) -> None:
    try:
        raise ValueError("oh")
    except ValueError:
        logging.getLogger("flavorsync.test").exception("failed", stack_info=True)
    (line,) = lines(log, "flavorsync.test")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: oh")
    assert line["stack"].startswith("Stack (most recent call last):")


def test_a_record_bears_no_more_than_what_is_named(log: io.StringIO) -> None:
    """Django hangs the request itself on its records, and a library whatever it likes."""
    logging.getLogger("flavorsync.test").warning(
        "hello", extra={"request": SENTINEL, "headers": {"X-Auth-Token": SENTINEL}, "token": SENTINEL}
    )
    (line,) = lines(log, "flavorsync.test")
    assert set(line) == {"time", "level", "logger", "request_id", "message"}
    assert SENTINEL not in log.getvalue()


def test_tokens_are_cut_out_of_messages_arguments_and_exceptions(log: io.StringIO) -> None:
    logger = logging.getLogger("flavorsync.test")
    logger.warning("asked /user?access_token=%s", SENTINEL)
    logger.warning("said %s", {"access_token": SENTINEL})
    try:
        raise ValueError(f"GET /user?access_token={SENTINEL}&app_id=x")
    except ValueError:
        logger.warning("failed", exc_info=sys.exc_info())
    Client().get(f"/v1/nowhere?access_token={SENTINEL}")
    said = lines(log, "flavorsync.test")
    assert said[0]["message"] == "asked /user?access_token=***"
    assert said[1]["message"].startswith("said {'access_token': ***")
    assert "access_token=***&app_id=x" in said[2]["exception"]
    assert lines(log, "flavorsync.access")[0]["path"] == "/v1/nowhere"
    assert SENTINEL not in log.getvalue()


def test_a_message_whose_arguments_do_not_fit_is_still_a_line(log: io.StringIO) -> None:
    logging.getLogger("flavorsync.test").warning(*("%d of %d", "one"))
    assert "do not fit" in lines(log, "flavorsync.test")[0]["message"]
