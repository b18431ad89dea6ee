"""Neither a token nor a password is in any log record, answer or exception."""

import base64
import logging
import socket
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.exceptions import APIException
from rest_framework.test import APIClient

from identity import tokens
from identity.tests import server as idm
from identity.tests.openid import ACCESS_TOKEN, CODE, KEYS, METADATA, SECRET, back_with, begin, tokens_for
from identity.tests.server import IdmServer
from testing.accounts import make_account, make_answer, make_role

SENTINEL = "sentinel-0123456789abcdef"


def outcome(token: str) -> BaseException | None:
    """Return what `validate` raises about the token, if it does."""
    try:
        tokens.validate(token)
    except APIException as error:
        return error
    return None


def everything_raised(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception and all it came from, shown in a traceback or not."""
    if error is not None:
        yield error
        yield from everything_raised(error.__cause__)
        yield from everything_raised(error.__context__)


@pytest.fixture(autouse=True)
def _see_it_first(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Look at what urllib3 and this app log before the project's own handler cuts tokens out of it."""
    caplog.set_level(logging.DEBUG)
    loggers = [logging.getLogger(name) for name in ("urllib3", "identity", "authlib")]
    for logger in loggers:
        logger.addHandler(caplog.handler)
    yield
    for logger in loggers:
        logger.removeHandler(caplog.handler)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([idm.answer(make_answer())], id="valid"),
        pytest.param([idm.answer("no", status="401 Unauthorized")], id="refused"),
        pytest.param([idm.answer({}, status="500 Oops")], id="500"),
        pytest.param([idm.answer({}, "Location: /elsewhere", status="302 Found")], id="redirect"),
        pytest.param([idm.answer(make_answer(), "no colon here")], id="malformed headers"),
        pytest.param([idm.hang_up, idm.hang_up], id="broken twice"),
        pytest.param([idm.half_body], id="half a body"),
        pytest.param([idm.silence], id="silent"),
    ],
)
def test_the_token_is_in_no_log_and_no_exception(
    server: IdmServer, settings: Settings, caplog: pytest.LogCaptureFixture, script: list[idm.Behaviour]
) -> None:
    settings.OPENSTACK_TIMEOUT = 0.5
    server.script = script
    for raised in everything_raised(outcome(SENTINEL)):
        assert SENTINEL not in repr(raised) + str(raised) + "".join(traceback.format_exception(raised))
    assert SENTINEL in server.requests[0]
    assert "Starting new HTTP connection" in caplog.text
    assert SENTINEL not in caplog.text


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_token_is_in_no_exception_when_there_is_no_connection(
    settings: Settings, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.KEYROCK_URL = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    raised = list(everything_raised(outcome(SENTINEL)))
    assert raised
    for error in raised:
        assert SENTINEL not in repr(error) + str(error) + "".join(traceback.format_exception(error))
    assert "NewConnectionError" in caplog.text
    assert SENTINEL not in caplog.text


def test_the_reason_of_a_silence_is_in_the_log(
    settings: Settings, server: IdmServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [idm.hang_up, idm.hang_up]
    with pytest.raises(APIException):
        tokens.validate(SENTINEL)
    assert "RemoteDisconnected" in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize("password", [SENTINEL, "wrong"])
def test_a_password_is_in_no_log_and_no_answer(caplog: pytest.LogCaptureFixture, password: str) -> None:
    make_account(password=password)
    encoded = base64.b64encode(f"operator:{SENTINEL}".encode()).decode()
    attempts: list[dict[str, Any]] = [
        {"HTTP_USER": "operator", "HTTP_PASSWORD": SENTINEL},
        {"HTTP_AUTHORIZATION": f"Basic {encoded}"},
        {"HTTP_AUTHORIZATION": f"Basic {encoded}!"},
        {"HTTP_PASSWORD": SENTINEL},
    ]
    for headers in attempts:
        response = APIClient().get("/protected", **headers)
        assert SENTINEL not in f"{response.headers} {response.text}"
    assert "/protected" in caplog.text  # each request is logged, so there was something to look through
    assert SENTINEL not in caplog.text
    assert encoded not in caplog.text


REFUSED = idm.answer({"error": "invalid_grant", "error_description": ACCESS_TOKEN}, status="400 Bad Request")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        pytest.param([], 302, id="signs in"),
        pytest.param([REFUSED], 401, id="a code that is none"),
        pytest.param([idm.answer({}, status="500 Oops")], 503, id="500"),
        pytest.param([idm.hang_up], 503, id="broken"),
        pytest.param([idm.half_body], 503, id="half a body"),
    ],
)
def test_what_a_sign_in_is_made_of_is_in_no_log_and_on_no_page(
    server: IdmServer, settings: Settings, caplog: pytest.LogCaptureFixture, fault: list[idm.Behaviour], status: int
) -> None:
    """From the way to an OpenID provider to signing out, which ends the token there."""
    own = {name: f"{server.url}/{name}" for name in ("token_endpoint", "jwks_uri", "revocation_endpoint")}
    discovery = idm.answer(METADATA | own)
    settings.ROOT_URLCONF, settings.KEYROCK_CLIENT_SECRET = "flavorsync_project.urls", SECRET
    settings.KEYROCK_OIDC_DISCOVERY_URL = f"{server.url}/discovery"
    client = Client(raise_request_exception=False)
    server.script = [discovery]
    asked = begin(client)
    given = tokens_for(asked)
    user = idm.answer(make_answer(roles=[make_role("InfrastructureManager")]))
    server.script = [discovery, *(fault or map(idm.answer, (given, KEYS))), user, discovery, idm.answer({})]
    assert back_with(client, asked["state"]) == status
    pages = [client.get("/admin/"), client.post("/admin/logout/")]
    (verifier,) = parse_qs(server.requests[2].partition("\r\n\r\n")[2])["code_verifier"]
    shown = caplog.text + "".join(page.content.decode() for page in pages)
    assert "Starting new HTTP connection" in caplog.text
    for secret in (SECRET, CODE, ACCESS_TOKEN, given["id_token"], verifier):
        assert secret not in shown
