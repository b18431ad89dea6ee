"""HTTP to the clouds over a real socket: bounded in time and size, pooled, and nothing kept between callers."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_django import Settings

from flavorsync_project import http_client
from infrastructures.openstack import bounds, sessions
from infrastructures.openstack.errors import (
    CloudAnswersTooMuch,
    CloudNotConnectedInTime,
    CloudUnavailable,
    CloudUnreachable,
)
from infrastructures.openstack.sessions import open_session
from infrastructures.openstack.translation import translated
from infrastructures.tests.server import Behaviour, Server, answers, drips, floods, head, is_silent, sends
from testing.cloud import fault

LONG = head("Content-Length: 1000000")
CHUNKED = head("Transfer-Encoding: chunked")
ZIPPED = head("Content-Encoding: gzip")
GONE = json.dumps(fault(404)).encode()
# Generous: the point is that it ends.
AT_LAST = 10


@pytest.fixture(autouse=True)
def _own_pool(settings: Settings) -> Iterator[None]:
    """Give each test a pool of connections that no other has used."""
    settings.OPENSTACK_TIMEOUT = 5.0
    sessions._pool.cache_clear()
    yield
    sessions._pool().close()


def ask(url: str) -> bytes:
    """Return the body of the answer, of whatever status."""
    with translated("Spain2", "Nova"):
        return bytes(open_session("Spain2").get(f"{url}/", authenticated=False, raise_exc=False).content)


@pytest.mark.parametrize(
    "behaviour",
    [
        is_silent,
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drips(LONG),
        drips(CHUNKED),
        drips(CHUNKED + b"ffff\r\n"),
        drips(head()),
        drips(head("Content-Length: 1000000", status="500 No")),
    ],
    ids=["silent", "a head", "a body", "a chunk's head", "a chunk", "a body until it closes", "an error"],
)
def test_an_answer_that_drips_ends_within_the_time_out(settings: Settings, behaviour: Behaviour) -> None:
    settings.OPENSTACK_TIMEOUT = 0.3
    start = time.monotonic()
    with Server(behaviour) as server, pytest.raises(CloudUnavailable, match="in time"):
        ask(server.url)
    assert time.monotonic() - start < AT_LAST
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        floods(head(), b" " * 65536),
        floods(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
        sends(ZIPPED, gzip.compress(b" " * 2_000_000)),
    ],
    ids=["plain", "chunked", "small until unzipped"],
)
def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES", 1_000_000)
    with Server(behaviour) as server, pytest.raises(CloudAnswersTooMuch, match="its Nova's answer is too large"):
        ask(server.url)


@pytest.mark.parametrize(
    "behaviour",
    [
        sends(LONG, b"half"),
        sends(CHUNKED, b"4\r\nhalf\r\n"),
        sends(CHUNKED, b"4\r\nha"),
        sends(CHUNKED, b"zz\r\nhalf\r\n0\r\n\r\n"),
        sends(ZIPPED, b"not gzip"),
        sends(),
        sends(b"SSH-2.0-OpenSSH_9.2\r\n"),
    ],
    ids=[
        "half a body",
        "chunks without an end",
        "half a chunk",
        "no chunk",
        "not zipped",
        "nothing",
        "another protocol",
    ],
)
def test_a_broken_answer_is_a_broken_connection(behaviour: Behaviour) -> None:
    with Server(behaviour, answers(b"next")) as server:
        with pytest.raises(CloudUnreachable):
            ask(server.url)
        assert ask(server.url) == b"next"
        assert server.connections == 2


def test_who_takes_no_connection_is_not_waited_for_as_long_as_for_an_answer(settings: Settings) -> None:
    settings.OPENSTACK_TIMEOUT, settings.OPENSTACK_CONNECT_TIMEOUT = 60.0, 0.2
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as waiting:
        waiting.connect(full.getsockname())  # nobody takes it, and there is no room for another
        start = time.monotonic()
        with pytest.raises(CloudNotConnectedInTime, match="did not take a connection in time") as caught:
            ask(f"http://127.0.0.1:{full.getsockname()[1]}")
    assert time.monotonic() - start < AT_LAST
    assert not caught.value.may_be_done


def test_an_answer_may_take_longer_than_a_connection(settings: Settings) -> None:
    settings.OPENSTACK_CONNECT_TIMEOUT = 0.1

    def is_late(connection: socket.socket, stopped: threading.Event) -> bool:
        stopped.wait(0.5)
        return answers()(connection, stopped)

    with Server(is_late) as server:
        assert ask(server.url) == b"{}"


def test_nobody_there_is_a_broken_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CloudUnreachable):
        ask(f"http://127.0.0.1:{port}")


def test_a_server_that_speaks_no_tls_is_a_tls_error() -> None:
    with Server() as server, pytest.raises(CloudUnavailable, match="TLS"):
        ask(server.url.replace("http:", "https:"))


def test_connections_are_reused_whatever_was_answered() -> None:
    chunked = sends(CHUNKED + b"4\r\nbody\r\n0\r\n\r\n", keep=True)
    zipped = gzip.compress(b"body")
    with Server(
        answers(b"body"),
        chunked,
        answers(zipped, "Content-Encoding: gzip"),
        answers(b"", status="204 No Content"),
        answers(GONE, status="404 Not Found"),
        answers(b"body"),
    ) as server:
        bodies = [ask(server.url) for _ in range(len(server.script))]
        assert bodies == [b"body", b"body", b"body", b"", GONE, b"body"]
        assert (len(server.requests), server.connections) == (6, 1)


def test_sessions_share_their_connections_and_nothing_else() -> None:
    with Server(answers(b"{}", "Set-Cookie: session=somebody; Path=/"), answers()) as server:
        ask(server.url)
        ask(server.url)
        assert server.connections == 1
        assert "somebody" not in server.requests[1]


def test_no_password_of_our_account_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Server(answers()) as server:
        ask(server.url)
    assert "authorization" not in server.requests[0].lower()


def test_the_proxy_of_the_environment_is_used_and_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for: list[str] = []
    look = requests.sessions.get_environ_proxies

    def counted(url: str, *arguments: Any, **options: Any) -> dict[str, str]:
        looked_for.append(url)
        return look(url, *arguments, **options)

    monkeypatch.setattr(requests.sessions, "get_environ_proxies", counted)
    with Server(answers(b"1"), answers(b"2")) as proxy, Server(answers(b"3"), answers(b"4")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        cloud = "http://nova.example.org"
        bodies = [ask(url) for url in (cloud, server.url, cloud, server.url)]
    assert bodies == [b"1", b"3", b"2", b"4"]
    assert looked_for == [f"{cloud}/", f"{server.url}/"]


def test_hosts_without_end_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MOST_HOSTS", 10)
    pool: Any = sessions._pool()
    for number in range(50):
        pool.merge_environment_settings(f"https://{number}.example.org/", {}, False, True, None)
    assert len(pool._settings) <= 10


def test_a_connection_of_a_bad_answer_is_neither_reused_nor_leaked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES", 1_000_000)
    rounds = http_client.POOL_SIZE + 1
    with Server(*[floods(head(), b" " * 65536)] * rounds, answers(b"next")) as server:
        for _ in range(rounds):
            with pytest.raises(CloudAnswersTooMuch):
                ask(server.url)
        assert ask(server.url) == b"next"
        assert server.connections == rounds + 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed(status: str) -> None:
    with Server(answers()) as elsewhere, Server(answers(b"", f"Location: {elsewhere.url}/", status=status)) as server:
        answer = open_session("Spain2").get(f"{server.url}/", authenticated=False, headers={"X-Auth-Token": "secret"})
        assert answer.status_code == int(status[:3])
        assert elsewhere.requests == []
