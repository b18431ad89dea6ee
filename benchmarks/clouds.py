"""How fast clouds are asked: Flavor Sync compared with the same call made by hand."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import requests

from benchmarks.data import ACCOUNT
from benchmarks.load import Client, Request
from benchmarks.reading import BASIC, TOKEN
from benchmarks.report import Row, compared
from benchmarks.servers import Server
from lab import Lab, seed

FLAVORS = 50
USERS = {"Spain2": "spain2-admin", "Lannion2": "lannion2-admin", "Mordor": "mordor-admin"}
# As Flavor Sync asks, so that Nova has the same work.
PATH = "/flavors/detail?is_public=None"
MICROVERSION = {"X-OpenStack-Nova-API-Version": "2.96", "Accept": "application/json"}


@contextmanager
def clouds(lab: Lab) -> Iterator[None]:
    """Give every cloud of the lab as many flavors as the measurements need, until the end of the block."""
    lab.reset()
    try:
        for region in USERS:
            for number in range(FLAVORS - len(lab.flavors(region))):
                lab.create_flavor(region, f"benchmark.{number:03}", flavor_id=f"benchmark-{number:03}")
        yield
    finally:
        lab.reset()


def register(lab: Lab, ours: Server) -> None:
    """Register the lab's clouds, with credentials, for the local account."""
    for region, user in USERS.items():
        keystone = lab.keystone_url if region != "Mordor" else lab.mordor_keystone_url
        project = next(known.project for known in seed.USERS if known.name == user)
        infrastructure = {
            "name": region, "keystone_url": keystone, "tenant": project, "username": user, "password": seed.PASSWORD,
        }  # fmt: skip
        requests.post(
            ours.url("/v1/infrastructures"), json={"infrastructure": infrastructure}, auth=ACCOUNT, timeout=60
        ).raise_for_status()


def direct(lab: Lab, region: str) -> Request:
    """Return the call to a region's Nova with a ready token."""
    return Request(lab.nova_url(region) + PATH, {"X-Auth-Token": lab.token(USERS[region]), **MICROVERSION})


def region_list(lab: Lab, ours: Server) -> Request:
    """Return the request for a region's own flavors."""
    keystone = {"X-Auth-Token-KeyStone": lab.token(USERS["Spain2"])}
    return Request(ours.url("/v1/regions/Spain2/flavors"), {**TOKEN, **keystone})


def measure_region(lab: Lab, ours: Server, *, rounds: int) -> list[Row]:
    """Measure the list of a region's own flavors, and its calls to the cloud."""
    through, by_hand = region_list(lab, ours), direct(lab, "Spain2")
    clients = Client.to(through), Client.to(by_hand)
    for _ in range(20):  # both workers and their threads
        with_new = Client.to(through)
        _require(len(json.loads(with_new.send(through).body)["flavors"]) == FLAVORS)
        with_new.close()
    with lab.counting() as served:
        clients[0].seconds(through)
    calls = sum(count for calls in served.values() for count in calls.values())
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for client, request, series in zip(clients, (through, by_hand), times, strict=True):
            series.append(client.seconds(request) * 1000)
    for client in clients:
        client.close()
    return [
        compared(f"a region's {FLAVORS} flavors: Nova itself", *times, unit="ms", at_most=1.2),
        Row("the same, upstream calls", "1", calls, 1, "", calls, calls == 1),
    ]


def measure_private(lab: Lab, ours: Server, *, rounds: int) -> Row:
    """Measure the private flavors of three clouds, compared with the slowest of three simultaneous calls by hand.

    Where the clouds share the machine's processors, a single call is quicker; the service cannot change that.
    """
    through = Request(ours.url("/v1/flavors?public=false"), BASIC)
    by_hand = [direct(lab, region) for region in USERS]
    client, clients = Client.to(through), [Client.to(request) for request in by_hand]
    for _ in range(20):
        with_new = Client.to(through)
        found = json.loads(with_new.send(through).body)["flavors"]
        _require(len({(flavor["id"], node) for flavor in found for node in flavor["nodes"]}) == FLAVORS * len(USERS))
        with_new.close()
    times, together = [], []
    with ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(rounds):
            times.append(client.seconds(through) * 1000)
            together.append(max(pool.map(Client.seconds, clients, by_hand)) * 1000)
    for one in (client, *clients):
        one.close()
    return compared(
        "private flavors of three clouds: the slowest of three calls", times, together, unit="ms", at_most=1.5
    )


def _require(holds: bool) -> None:
    if not holds:
        raise AssertionError("an answer does not have the flavors that it should have")
