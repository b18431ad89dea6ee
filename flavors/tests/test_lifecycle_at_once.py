"""Several requests for one flavor at once: one wins, the others learn it, and database and Novas agree afterwards."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from flavors.models import Flavor
from identity.models import User
from infrastructures.models import Infrastructure
from lab import Lab
from testing import proxy as faults
from testing.federation import (
    CLOUDS,
    FLAVORS,
    PROMOTE,
    REGISTER,
    SIZES,
    WIRES,
    Agree,
    by_account,
    make_node,
    refusal,
    wire_flavor,
)
from testing.flavors import make_flavor
from testing.proxy import NovaProxy
from testing.wire import Answer, Api

pytestmark = [
    pytest.mark.lab,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite in memory has one connection"),
]

ROUNDS = 12
INSANE = f"{FLAVORS}/insane"
NEW: dict[str, Any] = {"id": "insane", **SIZES}
NAME_TAKEN = refusal(409, "There is already a flavor of this name in the catalogue.")

Act = Callable[[], Answer]


def at_once(*acts: Act) -> list[Answer]:
    """Send these requests at once, each over its own database connection, and return the answers."""
    barrier = threading.Barrier(len(acts))

    def run(act: Act) -> Answer:
        try:
            connection.ensure_connection()
            barrier.wait(30)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def statuses(*acts: Act) -> tuple[int, ...]:
    return tuple(answer.status for answer in at_once(*acts))


@pytest.fixture(scope="module")
def api() -> Api:
    """The API in JSON: what is tested here comes after the formats."""
    return Api(WIRES["json"], {})


@pytest.fixture
def nodes(clouds: Lab, _lab_settings: None) -> None:
    """The three clouds, registered."""
    for node in CLOUDS:
        make_node(clouds, node)


def operator(api: Api, name: str, *permissions: str) -> Api:
    """Return the API for a new local account that operates the clouds it is named after, or all."""
    headers = by_account(name, *permissions)
    for infrastructure in Infrastructure.objects.all():
        if name in (infrastructure.name, "everywhere"):
            infrastructure.operators.add(User.objects.get(username=name))
    return api.having(headers)


@pytest.fixture
def mordor(api: Api, nodes: None) -> Api:
    """The API for the operator of Mordor."""
    return operator(api, "Mordor", REGISTER)


@pytest.fixture
def spain2(api: Api, nodes: None) -> Api:
    """The API for the operator of Spain2."""
    return operator(api, "Spain2", REGISTER)


@pytest.fixture
def manager(api: Api, nodes: None) -> Api:
    """The API for who may promote."""
    return operator(api, "manager", PROMOTE)


@pytest.fixture
def again(clouds: Lab) -> Callable[[], Iterator[int]]:
    """Count rounds, each of which begins with an empty catalogue and the lab's seed."""

    def rounds() -> Iterator[int]:
        for number in range(ROUNDS):
            yield number
            for flavor in Flavor.objects.all():
                flavor.installations.all().delete()
                flavor.delete()
            clouds.reset()

    return rounds


Rounds = Callable[[], Iterator[int]]


# Each scenario: what is sent at once, and which statuses make sense together.


def test_two_publish_flavors_of_one_name(mordor: Api, spain2: Api, agree: Agree, again: Rounds) -> None:
    for _ in again():
        assert mordor.post(FLAVORS, **NEW).status == 201
        assert spain2.post(FLAVORS, **{**NEW, "id": "sane", "name": "INSANE"}).status == 201
        answers = at_once(lambda: mordor.put(INSANE, public=True), lambda: spain2.put(f"{FLAVORS}/sane", public=True))
        assert sorted(answer.status for answer in answers) == [200, 409]
        assert NAME_TAKEN in [answer.result for answer in answers]
        agree(private={"Spain2": {"sane"}} if answers[0].status == 200 else {"Mordor": {"insane"}})


@pytest.mark.parametrize("second", [{"id": "sane"}, {"name": "sane"}, {}], ids=["one name", "one id", "both"])
def test_two_create_public_flavors(
    mordor: Api, spain2: Api, agree: Agree, again: Rounds, second: dict[str, str]
) -> None:
    first = {**NEW, "public": True}
    other = {**first, **second}
    for _ in again():
        answered = statuses(lambda: mordor.post(FLAVORS, **first), lambda: spain2.post(FLAVORS, **other))
        assert sorted(answered) == [201, 409]
        agree()


def test_two_create_in_one_node(mordor: Api, agree: Agree, again: Rounds) -> None:
    create: list[Act] = [lambda: mordor.post(FLAVORS, **NEW), lambda: mordor.post(FLAVORS, **NEW, public=True)]
    for number in again():
        public = bool(number % 2)
        answered = statuses(*[create[public]] * 3)
        assert sorted(answered) == [201, 409, 409]
        agree(private={} if public else {"Mordor": {"insane"}})


def test_promoting_and_deleting(mordor: Api, manager: Api, agree: Agree, again: Rounds) -> None:
    for _ in again():
        assert mordor.post(FLAVORS, **NEW, public=True).status == 201
        answered = statuses(lambda: manager.put(INSANE, promoted=True), lambda: mordor.delete(INSANE))
        assert answered in [(200, 204), (404, 204)]
        agree()
        left = (200, {"flavor": wire_flavor(public=True, promoted=True, nodes=[])})
        assert (mordor.get(INSANE).result == left) == (answered[0] == 200)


def test_publishing_and_deleting(mordor: Api, agree: Agree, again: Rounds) -> None:
    for _ in again():
        assert mordor.post(FLAVORS, **NEW).status == 201
        answered = statuses(lambda: mordor.put(INSANE, public=True), lambda: mordor.delete(INSANE))
        assert answered in [(200, 204), (200, 409), (200, 404), (404, 204), (409, 204), (409, 409)]
        agree(private={"Mordor": {"insane"}} if answered == (409, 409) else {})


def test_publishing_again_and_deleting(mordor: Api, agree: Agree, again: Rounds) -> None:
    for _ in again():
        assert mordor.post(FLAVORS, **NEW, public=True).status == 201
        answered = statuses(lambda: mordor.put(INSANE, public=True), lambda: mordor.delete(INSANE))
        assert answered in [(200, 204), (404, 204)]
        agree()


def test_publishing_and_resizing(mordor: Api, agree: Agree, again: Rounds) -> None:
    for _ in again():
        assert mordor.post(FLAVORS, **NEW).status == 201
        answers = at_once(lambda: mordor.put(INSANE, public=True), lambda: mordor.put(INSANE, ram=77))
        answered = [answer.status for answer in answers]
        assert set(answered) <= {200, 409}
        assert 200 in answered, [answer.body for answer in answers]
        agree(private={} if answered[0] == 200 else {"Mordor": {"insane"}})


def test_installing_in_one_node(mordor: Api, spain2: Api, agree: Agree, again: Rounds) -> None:
    for _ in again():
        assert mordor.post(FLAVORS, **NEW, public=True).status == 201
        answered = statuses(*[lambda: spain2.put(INSANE, nodes=["Spain2"])] * 3)
        assert set(answered) <= {200, 409}
        assert 200 in answered
        agree()
        assert mordor.get(INSANE).body["flavor"]["nodes"] == ["Mordor", "Spain2"]


def test_deleting_the_last_node_while_another_installs(mordor: Api, spain2: Api, agree: Agree, again: Rounds) -> None:
    for _ in again():
        assert mordor.post(FLAVORS, **NEW, public=True).status == 201
        answered = statuses(lambda: spain2.put(INSANE, nodes=["Spain2"]), lambda: mordor.delete(INSANE))
        assert answered in [(200, 204), (404, 204)]
        agree()
        left = (200, {"flavor": wire_flavor(public=True, nodes=["Spain2"])})
        assert (mordor.get(INSANE).result == left) == (answered[0] == 200)


def test_installing_and_deleting_in_one_node(spain2: Api, agree: Agree, again: Rounds) -> None:
    for number in again():
        make_flavor(flavorid="insane", **SIZES)
        if number % 2:
            assert spain2.put(INSANE, nodes=["Spain2"]).status == 200
        acts: list[Act] = [lambda: spain2.put(INSANE, nodes=["Spain2"]), lambda: spain2.delete(INSANE)] * 2
        answered = statuses(*acts)
        assert set(answered[::2]) <= {200, 409}
        assert set(answered[1::2]) <= {204, 409, 403}
        agree()


# Something happens between the steps of a request


@pytest.fixture
def proxy(clouds: Lab, mordor: Api) -> Iterator[NovaProxy]:
    """Mordor's Nova, which we reach only through a proxy."""
    with NovaProxy(clouds.nova_port("Isengard"), clouds.nova_url("Mordor")) as proxy:
        Infrastructure.objects.filter(name="Mordor").update(nova_url=f"http://127.0.0.1:{proxy.port}")
        yield proxy


def meanwhile(act: Act, status: int) -> faults.Fault:
    """Have the request carried out and, before it is answered, another, which must have that status."""

    def fault(exchange: faults.Exchange) -> None:
        reply = exchange.forward()
        try:
            answer = act()
        finally:
            connection.close()
        done = answer.status == status
        exchange.reply(*(reply if done else (500, {}, b"")))

    return fault


@contextmanager
def just_before_locking(*acts: Act) -> Iterator[list[int]]:
    """Send requests when this thread is about to lock a flavor for the first time; give their statuses."""
    answered: list[int] = []

    def wrapper(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if "GET_LOCK" in sql and not answered:
            for act in acts:
                answered.extend(statuses(act))
        return execute(sql, *arguments)

    with connection.execute_wrapper(wrapper):
        yield answered


def test_deleting_what_is_published_meanwhile(mordor: Api, agree: Agree) -> None:
    assert mordor.post(FLAVORS, **NEW).status == 201
    with just_before_locking(lambda: mordor.put(INSANE, public=True)) as answered:
        answer = mordor.delete(INSANE)
    assert answered == [200]
    assert answer.result == refusal(409, "Somebody else has just published the flavor insane.")
    agree()


def test_resizing_what_is_published_meanwhile(mordor: Api, agree: Agree) -> None:
    assert mordor.post(FLAVORS, **NEW).status == 201
    with just_before_locking(lambda: mordor.put(INSANE, public=True)) as answered:
        answer = mordor.put(INSANE, ram=77)
    assert answered == [200]
    assert answer.result == refusal(409, "Somebody else has just published the flavor insane.")
    agree()


def test_deleting_what_is_deleted_and_installed_again_meanwhile(mordor: Api, agree: Agree) -> None:
    make_flavor(flavorid="insane", **SIZES)
    install: Act = lambda: mordor.put(INSANE, nodes=["Mordor"])  # noqa: E731
    assert install().status == 200
    with just_before_locking(lambda: mordor.delete(INSANE), install) as answered:
        answer = mordor.delete(INSANE)
    assert (answered, answer.result) == ([204, 200], (204, None))
    agree()
    assert mordor.get(INSANE).body["flavor"]["nodes"] == []


def test_installing_what_is_installed_meanwhile(mordor: Api, agree: Agree) -> None:
    make_flavor(flavorid="insane", **SIZES)
    with just_before_locking(lambda: mordor.put(INSANE, nodes=["Mordor"])) as answered:
        answer = mordor.put(INSANE, nodes=["Mordor"])
    assert (answered, answer.status) == ([200], 200)
    agree()


def test_installing_where_it_is_deleted_from_meanwhile(mordor: Api, agree: Agree) -> None:
    make_flavor(flavorid="insane", **SIZES)
    assert mordor.put(INSANE, nodes=["Mordor"]).status == 200
    with just_before_locking(lambda: mordor.put(INSANE, nodes=["Mordor"])) as answered:
        answer = mordor.delete(INSANE)
    assert (answered, answer.result) == ([200], (204, None))
    agree()


@pytest.mark.parametrize("taken", ["id", "name"])
def test_what_cannot_be_recorded_is_taken_back(
    mordor: Api, spain2: Api, proxy: NovaProxy, agree: Agree, taken: str
) -> None:
    other = {**NEW, "id": "other", "name": "other", taken: NEW[taken], "public": True}
    plan = proxy.plan("POST", faults.FLAVORS, meanwhile(lambda: spain2.post(FLAVORS, **other), 201), times=1)
    expected = refusal(409, f"There is already a flavor of this {taken} in the catalogue.")
    assert mordor.post(FLAVORS, **NEW, public=True).result == expected
    assert plan.met == 1
    assert proxy.seen[-1] == "DELETE /v2.1/flavors/insane"
    agree()


def test_a_private_flavor_that_cannot_be_published_stays(
    mordor: Api, spain2: Api, proxy: NovaProxy, agree: Agree
) -> None:
    assert mordor.post(FLAVORS, **NEW).status == 201
    other = {**NEW, "id": "other", "public": True}
    # The second reading of the flavor comes after the catalogue was asked whether the name is free.
    proxy.plan("GET", faults.FLAVOR, faults.forwarded, times=1)
    proxy.plan("GET", faults.FLAVOR, meanwhile(lambda: spain2.post(FLAVORS, **other), 201), times=1)
    assert mordor.put(INSANE, public=True).result == NAME_TAKEN
    agree(private={"Mordor": {"insane"}})


def test_an_installation_of_what_is_deleted_meanwhile_is_taken_back(
    mordor: Api, spain2: Api, proxy: NovaProxy, agree: Agree
) -> None:
    assert spain2.post(FLAVORS, **NEW, public=True).status == 201
    proxy.plan("POST", faults.FLAVORS, meanwhile(lambda: spain2.delete(INSANE), 204), times=1)
    assert mordor.put(INSANE, nodes=["Mordor"]).result == refusal(404, "The flavor insane does not exist")
    assert proxy.seen[-1] == "DELETE /v2.1/flavors/insane"
    agree()


def test_a_second_request_during_the_first_is_409(mordor: Api, proxy: NovaProxy, agree: Agree) -> None:
    assert mordor.post(FLAVORS, **NEW, public=True).status == 201
    busy = refusal(409, "Mordor: somebody else is changing flavor insane.")
    seen = []

    def second() -> Answer:
        seen.append(mordor.delete(INSANE))
        return seen[0]

    proxy.plan("DELETE", faults.FLAVOR, meanwhile(second, 409), times=1)
    assert mordor.delete(INSANE).result == (204, None)
    assert [answer.result for answer in seen] == [busy]
    agree()
