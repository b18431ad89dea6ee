"""Two requests about one flavor at the same time, at the moment when the flavor is gone from Nova."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from regions.tests.clouds import Cloud, Tokens, Whole
from testing import proxy as faults
from testing.fixtures import BASIC
from testing.process import MAY_TAKE_SECONDS, Process
from testing.proxy import FLAVORS, NovaProxy
from testing.wire import Answer, Wire

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.database]

URL = "/v1/regions/Isengard/flavors"
FIRST, SECOND = {"ram": 111}, {"ram": 222}


@pytest.fixture
def rich(spain2: Cloud) -> Whole:
    """A private flavor with extra specs and two grants."""
    return spain2.make_rich_flavor()


@pytest.fixture
def headers(tokens: Tokens) -> dict[str, str]:
    """An administrator of the cloud."""
    return BASIC | tokens("spain2-admin")


@contextmanager
def update_under_way(
    process: Process, proxy: NovaProxy, wire: Wire, headers: dict[str, str], flavorid: str
) -> Iterator["Future[Answer]"]:
    """Hold an update of the flavor between its deletion and its creation while the block runs."""
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        go_on.wait(MAY_TAKE_SECONDS)

    proxy.plan("POST", FLAVORS, faults.before(hold, faults.forwarded), times=1)
    with ThreadPoolExecutor() as pool:
        update = pool.submit(process.send, wire, headers, "PUT", f"{URL}/{flavorid}", FIRST)
        try:
            assert arrived.wait(MAY_TAKE_SECONDS)
            yield update
        finally:
            go_on.set()


@pytest.mark.parametrize(("method", "change"), [("PUT", SECOND), ("DELETE", None)])
def test_the_second_write_is_409(
    process: Process,
    proxy: NovaProxy,
    spain2: Cloud,
    headers: dict[str, str],
    rich: Whole,
    wire: Wire,
    method: str,
    change: dict[str, int] | None,
) -> None:
    path = f"{URL}/{rich['id']}"
    with update_under_way(process, proxy, wire, headers, rich["id"]) as first:
        second = process.send(wire, headers, method, path, change)
    assert second.result == (
        409,
        {"error": {"message": f"Isengard: somebody else is changing flavor {rich['id']}."}},
    )
    assert first.result().status == 200
    assert spain2.flavor(rich["id"]) == {**rich, **FIRST}
    assert process.send(wire, headers, method, path, change).status in (200, 204)


def test_a_creation_under_the_same_id_is_409(
    process: Process, proxy: NovaProxy, spain2: Cloud, headers: dict[str, str], rich: Whole, wire: Wire
) -> None:
    new = {"id": rich["id"], "name": "intruder", "vcpus": 1, "ram": 1, "disk": 0}
    with update_under_way(process, proxy, wire, headers, rich["id"]) as first:
        assert process.send(wire, headers, "POST", URL, new).status == 409
    assert first.result().status == 200
    assert spain2.flavor(rich["id"]) == {**rich, **FIRST}


def test_others_read_on_and_settle_nothing(
    process: Process, proxy: NovaProxy, spain2: Cloud, headers: dict[str, str], rich: Whole, wire: Wire
) -> None:
    with update_under_way(process, proxy, wire, headers, rich["id"]) as first:
        listed = process.send(wire, headers, "GET", URL)
        assert listed.status == 200
        assert rich["id"] not in spain2.flavors()
    assert first.result().status == 200
    assert spain2.flavor(rich["id"]) == {**rich, **FIRST}


def test_whoever_wins_leaves_a_whole_flavor(
    process: Process, proxy: NovaProxy, spain2: Cloud, headers: dict[str, str], rich: Whole, wire: Wire
) -> None:
    """Whichever way the requests happen to meet."""
    path = f"{URL}/{rich['id']}"
    with ThreadPoolExecutor() as pool:
        changes = [{"ram": 100 + number} for number in range(6)]
        answers = list(pool.map(lambda change: process.send(wire, headers, "PUT", path, change), changes))
    assert {answer.status for answer in answers} <= {200, 409}
    done = [change for change, answer in zip(changes, answers, strict=True) if answer.status == 200]
    assert done
    assert spain2.flavor(rich["id"]) in [{**rich, **change} for change in done]


def test_an_update_and_a_deletion_at_once(
    process: Process, proxy: NovaProxy, spain2: Cloud, headers: dict[str, str], rich: Whole, wire: Wire
) -> None:
    path = f"{URL}/{rich['id']}"
    with ThreadPoolExecutor() as pool:
        update = pool.submit(process.send, wire, headers, "PUT", path, FIRST)
        deletion = pool.submit(process.send, wire, headers, "DELETE", path)
    assert (update.result().status, deletion.result().status) in [(200, 204), (200, 409), (409, 204), (404, 204)]
    left = spain2.flavors().get(rich["id"])
    assert left == (None if deletion.result().status == 204 else {**rich, **FIRST})
