"""Every request has an id, in its response and its log lines; no line holds an IdM token."""

import io
import logging
import re
import sys
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from flavorsync_project.api.tests import site
from flavorsync_project.telemetry.redaction import RedactTokensFilter, redact
from flavorsync_project.telemetry.request_id import RequestIdFilter, current_request_id
from flavorsync_project.telemetry.tests.logged import all_that_is_logged

pytestmark = pytest.mark.urls("flavorsync_project.api.tests.site")

HEADER = "X-Openstack-Request-Id"
REQUEST_ID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SENTINEL = "s3ntinel"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, in the console's form."""
    with all_that_is_logged(logging.Formatter("%(levelname)s %(request_id)s %(name)s %(message)s")) as stream:
        yield stream


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/echo", 200), ("/v1/nowhere", 404), ("/v1/broken", 500), ("/v1/bad", 400), ("/x", 404)]
)
def test_every_response_has_an_id_that_its_log_lines_have_too(path: str, status: int, log: io.StringIO) -> None:
    response = Client(raise_request_exception=False).get(path)
    assert response.status_code == status
    assert REQUEST_ID.fullmatch(response[HEADER])
    lines = [line for line in log.getvalue().splitlines() if re.match("(INFO|WARNING|ERROR) ", line)]
    assert lines
    for line in lines:
        assert line.split()[1] == response[HEADER], line


def test_ids_differ_and_are_not_taken_from_the_client() -> None:
    client = Client()
    sent = "req-00000000-0000-4000-8000-000000000000"
    ids = {client.get("/v1/echo", headers={HEADER: sent})[HEADER] for _ in range(3)}
    assert len(ids) == 3
    assert sent not in ids


def test_the_id_is_current_during_the_request_and_not_after() -> None:
    site.Id.seen.clear()
    response = Client().get("/v1/id")
    assert site.Id.seen == [response[HEADER]]
    assert current_request_id() == "-"


def test_outside_of_a_request_a_record_has_a_dash() -> None:
    record = logging.makeLogRecord({"msg": "at start-up"})
    assert RequestIdFilter().filter(record)
    assert record.__dict__["request_id"] == "-"


def test_one_access_line_per_request_without_the_query(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "flavorsync.access"):
        Client().get("/v1/echo?promoted=true")
        Client().delete("/v1/echo")
    lines = [record.getMessage() for record in caplog.records if record.name == "flavorsync.access"]
    assert len(lines) == 2
    assert re.fullmatch(r"GET /v1/echo 200 \d+\.\d ms", lines[0])
    assert re.fullmatch(r"DELETE /v1/echo 204 \d+\.\d ms", lines[1])


def test_a_line_break_in_the_path_makes_no_line_of_its_own(log: io.StringIO) -> None:
    Client().get("/v1/%0AERROR forged")
    assert "\nERROR forged" not in log.getvalue()
    assert "%0AERROR%20forged" in log.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        f"GET /v1/promotedflavors?access_token={SENTINEL} HTTP/1.1",
        f"GET /?a=b&Access_Token={SENTINEL}&c=d",
        f"/?ACCESS_TOKEN={SENTINEL}",
        f"/?access%5ftoken={SENTINEL}",
        f"/?access%5Ftoken={SENTINEL}",
        f"/?%61%63cess_tok%65n={SENTINEL}",
        f"/?%41ccess_token={SENTINEL}",
        f"/?next=%2Fuser%3Faccess_token%3D{SENTINEL}%26app_id%3D1",
        f"/?next=%252Fuser%253Faccess%255Ftoken%253D{SENTINEL}",
        f"url: '/user?access_token={SENTINEL}' failed",
        f'"/user?access_token={SENTINEL}" failed',
        f"access_token=abc'{SENTINEL}",
        f'access_token=abc"{SENTINEL}',
        f"access_token='abc {SENTINEL}'",
        f"access_token=abc%20{SENTINEL}+x/{SENTINEL}=;{SENTINEL},{SENTINEL}",
        f"{{'access_token': '{SENTINEL}'}}",
        f'{{"access_token":"{SENTINEL}"}}',
        f"access_token={SENTINEL}&access_token={SENTINEL}",
    ],
)
def test_no_form_of_a_token_survives(text: str) -> None:
    assert SENTINEL not in redact(text)
    assert "***" in redact(text)


def test_what_is_not_the_token_survives() -> None:
    assert redact("GET /v1?x=1&access_token=abc&y=2 HTTP/1.1") == "GET /v1?x=1&access_token=***&y=2 HTTP/1.1"
    plain = "the access token of user=me expired; tokens=3"
    assert redact(plain) == plain


_ENCODED = st.text(st.characters(codec="utf-8"), min_size=1).map(lambda token: quote(token, safe="!$'()*+,;=:@/?"))


@given(_ENCODED, st.sampled_from(["", "&x=y", " HTTP/1.1"]))
def test_no_token_that_a_url_can_hold_survives(token: str, rest: str) -> None:
    assert redact(f"GET /?access_token=0{token}{rest}").startswith("GET /?access_token=***")
    # A value in quotes ends with them: nothing but what follows it may be left.
    assert redact(f"GET /?access_token=0{token}{rest}") == f"GET /?access_token=***{rest}"


def _record(message: object, *args: object, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "args": args, **extra})


def _formatted(record: logging.LogRecord) -> str:
    assert RedactTokensFilter().filter(record)
    everything = f"{record.msg} {record.args} {record.exc_text} {record.exc_info} {record.stack_info}"
    return f"{logging.Formatter('%(message)s').format(record)} {everything}"


def test_arguments_are_redacted() -> None:
    text = _formatted(_record("%s gave %d", f"/user?access_token={SENTINEL}", 500))
    assert SENTINEL not in text
    assert text.startswith("/user?access_token=*** gave 500")


def test_a_message_split_over_format_and_argument_is_redacted() -> None:
    assert SENTINEL not in _formatted(_record("/user?access_token=%s", SENTINEL))


def test_arguments_that_do_not_fit_are_redacted_too() -> None:
    text = _formatted(_record("%d of %s", f"/user?access_token={SENTINEL}"))
    assert SENTINEL not in text
    assert "access_token=***" in text


def test_exceptions_and_their_causes_are_redacted() -> None:
    try:
        try:
            raise ConnectionError(f"no answer from /user?access_token={SENTINEL}")
        except ConnectionError as error:
            raise RuntimeError("the IdM is down") from error
    except RuntimeError:
        text = _formatted(_record("failed", exc_info=sys.exc_info()))
    assert SENTINEL not in text
    assert "ConnectionError: no answer from /user?access_token=***" in text
    assert "RuntimeError: the IdM is down" in text


def test_text_of_an_exception_and_of_a_stack_are_redacted() -> None:
    record = _record("failed", exc_text=f"access_token={SENTINEL}", stack_info=f"access_token={SENTINEL}")
    assert SENTINEL not in _formatted(record)


def test_a_record_without_a_token_is_left_alone() -> None:
    try:
        raise ValueError("nothing secret")
    except ValueError:
        exc_info = sys.exc_info()
    record = _record("%s gave %d", "/v1", 500, exc_info=exc_info)
    RedactTokensFilter().filter(record)
    assert record.msg == "%s gave %d"
    assert record.args == ("/v1", 500)
    assert record.exc_info is exc_info
    assert record.exc_text is None


@pytest.mark.parametrize("path", ["/v1/protected", "/v1/broken", "/v1/bad", "/v1/nowhere"])
def test_a_token_in_the_query_reaches_no_log_line(path: str, log: io.StringIO) -> None:
    Client(raise_request_exception=False).get(f"{path}?access_token={SENTINEL}")
    assert path in log.getvalue()
    assert SENTINEL not in log.getvalue()
