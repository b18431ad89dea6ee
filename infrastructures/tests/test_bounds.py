"""What a list may take of us: bytes, values, flavors and seconds, over all of its pages; memory is measured."""

import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from pytest_django import Settings

from infrastructures.openstack import bounds, sessions
from infrastructures.openstack.errors import CloudAnswersTooMuch, CloudError, CloudTimedOut
from infrastructures.openstack.keystone import authenticate, open_token, session_of
from infrastructures.openstack.sessions import open_session
from infrastructures.tests.server import Server, answers
from testing.cloud import KEYSTONE, NOVA, TOKEN, Cloud, flavor_document, issued, token_document
from testing.infrastructures import make_credentials, make_region

MIB = 1024 * 1024
DETAIL = "/flavors/detail"
# As real ones: with ten extra specs, and 1,000 to a page
A_FLAVOR = flavor_document(extra_specs={f"hw:number_{number}": "a value of some length" for number in range(10)})


def compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def page(*described: bytes, more: bool = False) -> bytes:
    """Return a page of Nova's list; every next one is asked for alike."""
    links = b'[{"rel":"next","href":"http://10.0.0.1/v2.1/flavors/detail?marker=1"}]' if more else b"[]"
    return b'{"flavors":[' + b",".join(described) + b'],"flavors_links":' + links + b"}"


def test_a_real_clouds_list_is_taken_whole(cloud: Cloud) -> None:
    described = [page(*[compact(A_FLAVOR)] * 1000, more=number < 9) for number in range(10)]
    cloud.nova("GET", DETAIL, *({"content": content} for content in described))
    assert len(cloud.open().list_flavors()) == bounds.LIST_FLAVORS == 10_000


@pytest.mark.parametrize(
    ("bound", "most", "message"),
    [
        ("LIST_FLAVORS", 25, "its Nova lists more than 25 flavors."),
        ("ANSWER_BYTES", 25 * len(compact(A_FLAVOR)), "its Nova's list is too large."),
        ("ANSWER_VALUES", 25 * bounds.count_values(compact(A_FLAVOR)), "its Nova's list is too large."),
    ],
)
def test_the_bounds_are_of_all_pages_together(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, message: str
) -> None:
    monkeypatch.setattr(bounds, bound, most)
    cloud.nova("GET", DETAIL, {"content": page(*[compact(A_FLAVOR)] * 10, more=True)})
    with pytest.raises(CloudAnswersTooMuch) as caught:
        cloud.open().list_flavors()
    assert (str(caught.value.detail), caught.value.retryable) == (f"Spain2: {message}", False)
    assert len(cloud.calls) == 3


def test_the_servers_of_a_flavor_have_them_too(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES", 250)
    links = [{"rel": "next", "href": "http://10.0.0.1/v2.1/servers?marker=not-ours"}]
    for query, id in (("", "1"), ("&marker=1", "2"), ("&marker=2", "3")):
        page = {"json": {"servers": [{"id": id}], "servers_links": links}}
        cloud.nova("GET", f"/servers?all_tenants=1&flavor=42{query}", page)
    with pytest.raises(CloudAnswersTooMuch, match="too large"):
        cloud.open().count_servers("42")
    assert len(cloud.calls) == 3


class Clock:
    """Stands for `time` in what measures the seconds of a list."""

    now = 1000.0

    def monotonic(self) -> float:
        """Return what time it is."""
        return self.now


def test_all_pages_together_have_a_deadline(cloud: Cloud, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page comes well within the time-out, and there is always one more."""
    settings.OPENSTACK_TIMEOUT = 8
    monkeypatch.setattr(bounds, "time", clock := Clock())

    def slowly(request: Any, context: Any) -> bytes:
        clock.now += 6
        return page(compact(A_FLAVOR), more=True)

    cloud.nova("GET", DETAIL, {"content": slowly})
    with pytest.raises(CloudTimedOut, match="its Nova did not give the whole list in time"):
        cloud.open().list_flavors()
    assert [request.timeout for request in cloud.http.request_history] == [8, 8, 4]


# Memory

SPECS = ",".join(f'"{number:06}":"{number:05}"' for number in range(48))
A_HEAVY_FLAVOR = f'{{"id":"1","name":"a","vcpus":1,"ram":1,"disk":1,"extra_specs":{{{SPECS}}}}}'.encode()
HEAVY = {
    "as many extra specs as there can be": [page(*[A_HEAVY_FLAVOR] * 9_000)],
    "empty lists": [b'{"flavors":[' + b"[]," * 249_000 + b"1]}"],
    "small objects": [b'{"flavors":[' + b'{"a":0},' * 249_000 + b"1]}"],
    "different texts": [b'{"flavors":[' + b",".join(b'"%023d"' % number for number in range(499_000)) + b"]}"],
    "four bytes for each character": [b'{"flavors":["\xf0\x9f\x98\x80' + b"a" * (bounds.ANSWER_BYTES - 100) + b'"]}'],
}


@pytest.mark.parametrize("contents", HEAVY.values(), ids=HEAVY)
def test_no_list_takes_more_memory_than_that(cloud: Cloud, contents: list[bytes]) -> None:
    cloud.nova("GET", DETAIL, *({"content": content} for content in contents))
    assert all(len(content) <= bounds.ANSWER_BYTES for content in contents)
    assert all(bounds.count_values(content) <= bounds.ANSWER_VALUES for content in contents)
    nova = cloud.open()
    tracemalloc.start()
    try:
        with suppress(CloudError):
            nova.list_flavors()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 160 * MIB


# What is read from a socket


@pytest.fixture
def _own_pool() -> Iterator[None]:
    sessions._pool.cache_clear()
    yield
    sessions._pool().close()


@pytest.mark.usefixtures("_own_pool")
@pytest.mark.parametrize(
    ("path", "service", "content"),
    [
        ("/v2.1/flavors/detail", "Nova", b"[" + b"[]," * 250_001 + b"1]"),
        ("/v3/auth/tokens", "Keystone", b" " * (bounds.KEYSTONE_BYTES + 1)),
        ("/v3/auth/projects", "Keystone", b" " * (bounds.KEYSTONE_BYTES + 1)),
    ],
)
def test_an_answer_of_too_many_values_or_bytes_is_not_even_parsed(path: str, service: str, content: bytes) -> None:
    with Server(answers(content)) as server, pytest.raises(CloudAnswersTooMuch) as caught:
        open_session("Spain2").get(f"{server.url}{path}", authenticated=False)
    assert str(caught.value.detail) == f"Spain2: its {service}'s answer is too large."


@pytest.mark.usefixtures("_own_pool")
def test_an_answer_in_no_known_encoding_is_not_guessed_at() -> None:
    """Guessing took a minute of the processor for 16 MiB."""
    with Server(answers("é".encode() * 4 * MIB, "Content-Type: application/octet-stream")) as server:
        began = time.monotonic()
        assert open_session("Spain2").get(server.url, authenticated=False).text[0] == "é"
        assert time.monotonic() - began < 5


# What is remembered of Keystones


def large(document: dict[str, Any]) -> dict[str, Any]:
    """Return a token's document with a catalogue of almost as many bytes as there may be."""
    (compute,) = document["token"]["catalog"]
    public = compute["endpoints"][-1]
    compute["endpoints"] += [{**public, "region": f"r{number}", "region_id": f"r{number}"} for number in range(1000)]
    document["token"]["catalog"] += [{"type": f"other-{number}", "name": "x" * 900} for number in range(1500)]
    assert bounds.KEYSTONE_BYTES / 2 < len(compact(document)) < bounds.KEYSTONE_BYTES
    return document


def kept_by(work: Any) -> int:
    """Return how many bytes stay in use after *work*."""
    work("warm")
    tracemalloc.start()
    try:
        for number in range(2):
            work(f"cloud{number}")
        return tracemalloc.get_traced_memory()[0] // 2
    finally:
        tracemalloc.stop()


def test_of_our_own_token_only_what_is_used_is_remembered(cloud: Cloud) -> None:
    cloud.keystone("POST", "/auth/tokens", issued() | {"json": large(token_document())})

    def enter(name: str) -> None:
        credentials = make_credentials(make_region(name=name))
        authenticate(credentials)
        plugin, _ = session_of(credentials)
        assert plugin.auth_ref
        assert plugin.auth_ref.service_catalog is not None  # as it is used, which remembers more

    assert kept_by(enter) < 300_000


def test_of_a_callers_token_only_the_regions_own_endpoint_is_remembered(cloud: Cloud) -> None:
    cloud.keystone("GET", "/auth/tokens", {"json": large(token_document())})
    assert kept_by(lambda token: open_token(token, make_region())) < 100_000
    assert open_token("warm", make_region()).compute == {"Spain2": NOVA}


def test_the_central_keystones_regions_are_all_remembered_of_a_token(cloud: Cloud) -> None:
    endpoints = dict.fromkeys(("Spain2", "Lannion2"), NOVA)
    cloud.keystone("GET", "/auth/tokens", {"json": token_document(endpoints=endpoints)})
    central = {"central_keystone_url": KEYSTONE}
    assert open_token(TOKEN, make_region(**central)).compute == endpoints
    assert open_token(TOKEN, make_region(region_name="Lannion2", **central)).compute == endpoints
    assert len(cloud.calls) == 1
