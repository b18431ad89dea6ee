"""No registered cloud leads us to this machine or its link, by whatever name, unless the setting names it."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings
from urllib3.util import connection

from infrastructures import addresses
from infrastructures.addresses import is_near
from infrastructures.openstack import sessions
from infrastructures.openstack.errors import CloudUnavailable, CloudUnreachable
from infrastructures.openstack.keystone import checked
from infrastructures.openstack.sessions import open_session
from infrastructures.openstack.translation import translated
from infrastructures.tests.server import Server, answers
from infrastructures.validators import validate_cloud_url
from testing.infrastructures import make_region

NEAR = "must not lead to this machine or its link (INFRASTRUCTURE_URL_ALLOWLIST can name exceptions)"
ADDRESSES = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1",
    "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "0", "2852039166",
    "0xa9.254.0251.0376",
    "::1", "::", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254",
    "::ffff:0.0.0.0", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1",
]  # fmt: skip
NAMES = ["localhost", "LOCALHOST", "a.localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"]
ELSEWHERE = [
    "10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "128.0.0.1", "126.255.255.255", "169.253.0.1", "8.8.8.8",
    "2001:db8::1", "fd00::1", "fec0::1", "::ffff:10.0.0.1", "64:ff9b::808:808", "2002:a00:1::",
    "controller", "localhost.example.org", "127.0.0.1.example.org", "mylocalhost", "7f000001.example.org",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_list(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Allow any host by its name, believe nobody yet, and let no other test's connections be used."""
    settings.INFRASTRUCTURE_URL_ALLOWLIST = []
    monkeypatch.setattr(addresses, "_believed", set())
    sessions._pool.cache_clear()
    yield
    sessions._pool().close()


def url_of(host: str, rest: str = ":5000/v3") -> str:
    return f"http://[{host}]{rest}" if ":" in host else f"http://{host}{rest}"


def test_an_address_near_us_is_one_however_it_is_written() -> None:
    assert [address for address in ADDRESSES if not is_near(address)] == []


def test_any_other_is_not() -> None:
    assert [host for host in ELSEWHERE if is_near(host)] == []
    for host in ELSEWHERE:
        validate_cloud_url(url_of(host))


@pytest.mark.parametrize("allowed", [[], ["*"], ["*", ".example.org"]])
def test_it_is_refused_unless_it_is_named(settings: Settings, allowed: list[str]) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = allowed
    for host in [*ADDRESSES, *NAMES]:
        with pytest.raises(ValidationError) as caught:
            validate_cloud_url(url_of(host))
        assert caught.value.messages == [NEAR], host


@pytest.mark.parametrize(
    ("host", "pattern"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("localhost", "localhost"), ("a.localhost", ".localhost")],
)
def test_it_is_allowed_where_it_is_named(settings: Settings, host: str, pattern: str) -> None:
    for allowed in ([pattern], ["*", pattern]):
        settings.INFRASTRUCTURE_URL_ALLOWLIST = allowed
        validate_cloud_url(url_of(host))


# The catalogue of a cloud's own Keystone


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8774/v2.1", "http://169.254.169.254/v2.1", "http://[::1]/v2.1"])
def test_a_catalogue_does_not_lead_there(endpoint: str) -> None:
    with pytest.raises(CloudUnavailable) as caught:
        checked(endpoint, make_region())
    assert str(caught.value.detail) == f"Spain2: the compute endpoint in the Keystone catalogue {NEAR}."


# Connections


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have names lead where the test says, each time to the next place; return the names that were asked for."""
    resolve = socket.getaddrinfo

    def install(**places: list[list[str]]) -> list[str]:
        asked: list[str] = []

        def resolved(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
            name = str(host).partition(".")[0]
            if name not in places:
                return resolve(host, port, *arguments, **options)
            asked.append(str(host))
            there = places[name].pop(0) if len(places[name]) > 1 else places[name][0]
            return [found for address in there for found in resolve(address, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", resolved)
        return asked

    return install


def ask(url: str) -> bytes:
    with translated("Spain2", "Nova"):
        return bytes(open_session("Spain2").get(url, authenticated=False).content)


@pytest.mark.parametrize("places", [["127.0.0.1"], ["192.0.2.1", "127.0.0.1"], ["::ffff:127.0.0.1"]], ids=str)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_does_not_lead_there(resolver: Callable[..., list[str]], places: list[str], scheme: str) -> None:
    resolver(evil=[places])
    with Server(answers()) as server:
        url = server.url.replace("http://127.0.0.1", f"{scheme}://evil.example.org")
        with pytest.raises(CloudUnavailable) as caught:
            ask(f"{url}/v2.1/flavors")
        assert server.connections == 0
    assert (
        str(caught.value.detail) == f"Spain2: the address of its Nova leads to{NEAR.removeprefix('must not lead to')}."
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "127.1", "localhost"])
def test_an_address_that_was_stored_before_does_not_lead_there(host: str) -> None:
    with Server(answers()) as server, pytest.raises(CloudUnavailable, match="the address of its Keystone leads to"):
        ask(server.url.replace("127.0.0.1", host) + "/v3/auth/tokens")
    assert server.connections == 0


def test_what_was_looked_at_is_what_is_connected_to(
    resolver: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name leads elsewhere when it is asked for, and here when it is asked for again."""
    asked, connected = resolver(evil=[["192.0.2.1", "192.0.2.2"], ["127.0.0.1"]]), []

    def connect(address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(connection, "create_connection", connect)
    with pytest.raises(CloudUnreachable):
        ask("http://evil.example.org/")
    assert (asked, connected) == (["evil.example.org"], ["192.0.2.1", "192.0.2.2"])


def test_a_name_is_tried_at_each_of_its_addresses(settings: Settings, resolver: Callable[..., list[str]]) -> None:
    """And the request still names the host."""
    settings.INFRASTRUCTURE_URL_ALLOWLIST = [".example.org"]
    resolver(cloud=[["::1", "127.0.0.1"]])
    with Server(answers(b"there")) as server:
        url = server.url.replace("127.0.0.1", "cloud.example.org")
        assert ask(url) == b"there"
        assert f"Host: {url.removeprefix('http://')}" in server.requests[0]


def test_a_name_that_leads_nowhere_is_a_cloud_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any, **options: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(CloudUnreachable):
        ask("http://nowhere.example.org/")


@pytest.mark.parametrize("allowed", [["127.0.0.1"], ["*", "127.0.0.1"]], ids=str)
def test_a_named_address_is_connected_to(settings: Settings, allowed: list[str]) -> None:
    settings.INFRASTRUCTURE_URL_ALLOWLIST = allowed
    with Server(answers(b"there")) as server:
        assert ask(server.url) == b"there"


def test_the_central_keystone_and_what_it_names_are_connected_to_and_their_neighbours_are_not(
    settings: Settings,
) -> None:
    with Server(answers(b"{}")) as keystone, Server(answers(b"nova")) as nova, Server(answers()) as neighbour:
        settings.KEYSTONE_URL = f"{keystone.url}/v3"
        ask(f"{keystone.url}/v3/auth/tokens")
        checked(nova.url, make_region(keystone_url=settings.KEYSTONE_URL, central_keystone_url=settings.KEYSTONE_URL))
        assert ask(nova.url) == b"nova"
        with pytest.raises(CloudUnavailable, match="leads to this machine"):
            ask(neighbour.url)
        assert neighbour.connections == 0
