"""A slow cloud holds some of our threads, and never all of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from pytest_django import Settings

from infrastructures.clouds import open_nova
from infrastructures.models import Replacement
from infrastructures.openstack import bulkhead, sessions
from infrastructures.openstack.bulkhead import place_in
from infrastructures.openstack.errors import CloudNotAsked, CloudUnavailable
from infrastructures.openstack.sessions import open_session
from infrastructures.openstack.translation import translated
from infrastructures.replacements.replacing import replace_flavor
from infrastructures.tests.server import Server, answers, is_silent
from testing.cloud import Federation, flavor_document
from testing.infrastructures import make_registered

WAIT = 20
"""Seconds after which something that should happen has not."""


@pytest.fixture(autouse=True)
def _own_places(settings: Settings) -> Iterator[None]:
    """Give each test two places in every cloud, and connections that no other has used."""
    settings.CLOUD_CONCURRENCY = 2
    bulkhead._places.clear()
    sessions._pool.cache_clear()
    yield
    sessions._pool().close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads to be held up."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a place."""
    monkeypatch.setattr(bulkhead, "PATIENCE_SECONDS", 0.0)


def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Stay:
    """Threads that keep places until they are told to leave."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self.inside = 0
        self.leave = Event()

    def enter(self, cloud: str) -> "Future[None]":
        """Have another thread take a place."""
        return self._pool.submit(self._stay, cloud)

    def _stay(self, cloud: str) -> None:
        with place_in(cloud):
            self.inside += 1
            assert self.leave.wait(WAIT)


@pytest.fixture
def stay(pool: ThreadPoolExecutor) -> Iterator[Stay]:
    """Threads that keep places, at the latest until the test is over."""
    stay = Stay(pool)
    yield stay
    stay.leave.set()


def get(cloud: str, server: Server) -> bytes:
    """Return the body of a cloud's answer."""
    with translated(cloud, "Nova"):
        return bytes(open_session(cloud).get(f"{server.url}/", authenticated=False).content)


@pytest.mark.usefixtures("impatient")
def test_a_cloud_that_does_not_answer_holds_so_many_threads_and_no_more(
    pool: ThreadPoolExecutor, settings: Settings
) -> None:
    settings.OPENSTACK_TIMEOUT = WAIT
    with Server(is_silent, is_silent) as slow, Server(answers(b"well")) as well:
        held = [pool.submit(get, "Mordor", slow) for _ in range(2)]
        until(lambda: len(slow.requests) == 2)
        began = time.monotonic()
        with pytest.raises(CloudNotAsked) as caught:
            get("Mordor", slow)
        assert time.monotonic() - began < WAIT / 2
        assert str(caught.value.detail) == "Mordor: it is slow, and too many requests wait for it. Try again later."
        assert caught.value.status_code == 502
        assert get("Spain2", well) == b"well"
        assert len(slow.requests) == 2
    for future in held:
        assert isinstance(future.exception(WAIT), CloudUnavailable)


def test_a_burst_waits_for_a_place_while_others_get_one(pool: ThreadPoolExecutor) -> None:
    count = 20
    with Server(*[answers(b"well")] * count) as server:
        futures = [pool.submit(get, "Mordor", server) for _ in range(count)]
        assert [future.result(WAIT) for future in futures] == [b"well"] * count
        assert server.connections <= 2


def test_a_place_that_is_freed_is_given_to_who_waits(
    stay: Stay, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulkhead, "PATIENCE_SECONDS", WAIT)
    first = [stay.enter("Mordor") for _ in range(2)]
    until(lambda: stay.inside == 2)
    third = stay.enter("Mordor")
    assert not third.done()
    stay.leave.set()
    for future in (*first, third):
        future.result(WAIT)
    assert stay.inside == 3


@pytest.mark.usefixtures("impatient")
def test_each_cloud_has_its_own(stay: Stay) -> None:
    for _ in range(2):
        stay.enter("Mordor")
    until(lambda: stay.inside == 2)
    with place_in("Spain2"), pytest.raises(CloudNotAsked), place_in("Mordor"):
        pass


@pytest.mark.usefixtures("impatient")
def test_who_has_a_place_keeps_it_for_all_that_they_do(stay: Stay) -> None:
    with place_in("Mordor"):
        stay.enter("Mordor")
        until(lambda: stay.inside == 1)
        with place_in("Mordor"), place_in("Mordor"):
            pass
        with place_in("Mordor"):
            pass
    until(lambda: bulkhead._places["Mordor"]._taken == 1)
    stay.enter("Mordor")
    until(lambda: stay.inside == 2)
    with pytest.raises(CloudNotAsked), place_in("Mordor"):
        pass


@pytest.mark.usefixtures("impatient")
def test_a_place_is_given_back_after_a_failure() -> None:
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), place_in("Mordor"):
            _ = 1 // 0
    assert bulkhead._places["Mordor"]._taken == 0


@pytest.mark.usefixtures("impatient")
def test_nothing_is_limited_where_the_setting_is_0(stay: Stay, settings: Settings) -> None:
    settings.CLOUD_CONCURRENCY = 0
    for _ in range(6):
        stay.enter("Mordor")
    until(lambda: stay.inside == 6)


@pytest.mark.django_db
@pytest.mark.usefixtures("impatient")
def test_a_replacement_is_turned_away_before_it_begins_or_not_at_all(stay: Stay, settings: Settings) -> None:
    """Whoever else wants in meanwhile: between the deletion and the creation there is no turning away."""
    settings.CLOUD_CONCURRENCY = 1
    with Federation() as federation:
        mordor = federation.add("Mordor", flavor_document(**{"os-flavor-access:is_public": True}))
        infrastructure = make_registered("Mordor")
        others = []
        mordor.before_call = lambda call: others.append(stay.enter("Mordor").exception(WAIT))
        nova = open_nova(infrastructure)
        new = replace_flavor(
            infrastructure=infrastructure, nova=nova, flavorid="42", changes={"ram": 1}, requested_by="x"
        )
        assert (new.ram, mordor.flavors["42"]["ram"]) == (1, 1)
        assert len(others) == len(mordor.calls)
        assert all(isinstance(other, CloudNotAsked) for other in others)

        mordor.calls.clear()
        stay.enter("Mordor")
        until(lambda: stay.inside == 1)
        with pytest.raises(CloudNotAsked):
            replace_flavor(
                infrastructure=infrastructure, nova=nova, flavorid="42", changes={"ram": 2}, requested_by="x"
            )
        assert (mordor.calls, mordor.flavors["42"]["ram"]) == ([], 1)
        assert not Replacement.objects.exists()
