"""A region's Nova of two processes, and a slow way to it."""

import random
import threading
import time
from collections.abc import Iterator

import pytest

from lab import Lab, UnreachableError
from lab.client import send
from lab.proxies import Alternating, Delaying, Proxy

pytestmark = [pytest.mark.lab, pytest.mark.thorough]

REGION = "Spain2"


def ids(lab: Lab) -> set[str]:
    return {flavor["id"] for flavor in lab.flavors(REGION)}


def until(lab: Lab, wanted: set[str]) -> None:
    deadline = time.monotonic() + 30
    while ids(lab) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def delete(lab: Lab, proxy: Proxy, id: str) -> None:
    send("DELETE", f"{proxy.url}/flavors/{id}", token=lab.token("spain2-admin"))


@pytest.fixture(autouse=True)
def _as_seeded(lab: Lab) -> Iterator[None]:
    lab.reset(REGION)
    yield
    lab.reset(REGION)


def test_two_processes_are_one_nova(lab: Lab) -> None:
    seeded = ids(lab)
    with lab.second_nova(REGION) as processes, Alternating(processes) as proxy:
        for id in ("1", "2", "3"):
            delete(lab, proxy, id)
        for process in processes:
            answer = send("GET", f"{process.url}/v2.1/flavors/detail", token=lab.token("spain2-admin"))
            assert not {flavor["id"] for flavor in answer.body["flavors"]} & {"1", "2", "3"}
    assert ids(lab) == seeded - {"1", "2", "3"}
    assert not processes[1].running()


def test_what_a_stopped_process_is_asked_it_does_when_it_goes_on(lab: Lab) -> None:
    seeded = ids(lab)
    with lab.second_nova(REGION) as processes, Alternating(processes) as proxy:
        for number in range(2):
            proxy.stop(number)
        asked = threading.Thread(target=delete, args=(lab, proxy, "1"))
        asked.start()
        while not proxy.queued:
            time.sleep(0.01)
        for number in range(2):
            proxy.go_on(number)
        asked.join()
        until(lab, seeded - {"1"})


def test_those_that_only_read_meet_a_living_process(lab: Lab) -> None:
    with lab.second_nova(REGION) as processes, Alternating(processes) as proxy:
        proxy.stop(0)
        for _ in range(4):
            send("GET", f"{proxy.url}/flavors", token=lab.token("spain2-admin"))
        assert proxy.queued == 0


def test_a_deletion_is_delayed_and_carried_out_though_nobody_waits(lab: Lab) -> None:
    seeded = ids(lab)
    upstream = lab.nova_port(REGION)
    with Delaying(upstream, seconds=(1, 1), share=1, chance=random.Random(1)) as proxy:
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            send("DELETE", f"{proxy.url}/flavors/1", token=lab.token("spain2-admin"), seconds=0.2)
        assert ids(lab) == seeded
        until(lab, seeded - {"1"})
        assert time.monotonic() - began >= 1
        assert proxy.delayed == 1
