"""How the IdM is spoken to: pooled connections, one retry of a broken one, bounded time and size."""

import socket
import time
from pathlib import Path

import pytest
from pytest_django import Settings
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.errors import ServiceUnavailable
from identity import tokens
from identity.tests import server as idm
from identity.tests.server import IdmServer
from testing.accounts import make_answer

VALID = idm.answer(make_answer())
REFUSED = idm.answer("Invalid token: access token has expired", status="401 Unauthorized")


def test_connections_are_reused(server: IdmServer) -> None:
    server.script = [VALID, REFUSED, idm.chunked(make_answer()), VALID]
    tokens.validate("a")
    with pytest.raises(AuthenticationFailed):
        tokens.validate("b")
    assert tokens.validate("c").username == "basic"
    tokens.validate("d")
    assert (len(server.requests), server.connections) == (4, 1)


def test_a_reused_connection_that_breaks_is_replaced(server: IdmServer) -> None:
    server.script = [VALID, idm.hang_up, VALID]
    tokens.validate("a")
    assert tokens.validate("b").username == "basic"
    assert (len(server.requests), server.connections) == (3, 2)


def test_a_connection_closed_while_idle_is_replaced(server: IdmServer) -> None:
    server.script = [idm.answer(make_answer(), keep=False), VALID]
    tokens.validate("a")
    assert tokens.validate("b").username == "basic"
    assert (len(server.requests), server.connections) == (2, 2)


def test_a_broken_connection_is_replaced_only_once(server: IdmServer) -> None:
    server.script = [VALID, idm.hang_up, idm.hang_up, VALID]
    tokens.validate("a")
    with pytest.raises(ServiceUnavailable):
        tokens.validate("b")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "behaviour", [idm.silence, idm.stall, idm.drip], ids=["silent", "stalled half-way", "dripping"]
)
def test_waits_no_longer_than_the_time_out_and_does_not_try_again(
    server: IdmServer, settings: Settings, behaviour: idm.Behaviour
) -> None:
    settings.OPENSTACK_TIMEOUT = 0.3
    server.script = [behaviour, VALID]
    start = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        tokens.validate("a")
    assert time.monotonic() - start < 2
    assert len(server.requests) == 1


def test_half_a_body_is_no_answer(server: IdmServer) -> None:
    server.script = [idm.half_body, VALID]
    with pytest.raises(ServiceUnavailable):
        tokens.validate("a")
    assert len(server.requests) == 1


def test_an_endless_body_is_not_read_to_its_end(server: IdmServer, settings: Settings) -> None:
    settings.OPENSTACK_TIMEOUT = 20
    server.script = [idm.flood]
    start = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        tokens.validate("a")
    assert time.monotonic() - start < 10


def test_a_server_that_does_not_speak_tls_is_no_answer(server: IdmServer, settings: Settings) -> None:
    settings.KEYROCK_URL = server.url.replace("http:", "https:")
    with pytest.raises(ServiceUnavailable):
        tokens.validate("a")
    assert server.connections == 1


def test_a_closed_port_is_no_answer(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings.KEYROCK_URL = f"http://127.0.0.1:{port}"
    with pytest.raises(ServiceUnavailable):
        tokens.validate("a")


def test_no_cookie_of_one_user_is_sent_for_the_next(server: IdmServer) -> None:
    server.script = [idm.answer(make_answer(), "Set-Cookie: session=first-user; Path=/"), VALID]
    tokens.validate("a")
    tokens.validate("b")
    assert "cookie" not in server.requests[1].lower()


def test_no_password_is_taken_from_netrc(server: IdmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n", encoding="ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.script = [VALID]
    tokens.validate("a")
    assert "authorization" not in server.requests[0].lower()


def test_a_hostile_token_stays_one_request(server: IdmServer) -> None:
    server.script = [VALID]
    tokens.validate("a HTTP/1.1\r\nHost: evil\r\n\r\nGET /admin")
    assert len(server.requests) == 1
    assert server.requests[0].startswith("GET /user?access_token=a%20HTTP%2F1.1%0D%0AHost%3A%20evil")


def test_the_redirect_of_a_real_server_is_not_followed(server: IdmServer) -> None:
    server.script = [idm.answer({}, f"Location: {server.url}/user", status="302 Found"), VALID]
    with pytest.raises(ServiceUnavailable):
        tokens.validate("a")
    assert len(server.requests) == 1
