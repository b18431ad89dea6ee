"""Fifty clients, while database, cloud, IdM and workers fail and come back: nothing lost, half done or wrong."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.tests.load import NO_ANSWER, OPERATOR, Failure, Flavor, Record, make_clients
from deploy.tests.stack import Stack, kill, running_stack
from lab import Lab, seed
from testing.proxy import NovaProxy, silent

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.thorough]

QUIET = 4
"""Seconds without a failure after which the service has recovered. Its breakers try a dead cloud every 3 s."""
MAY_RECOVER = 30
"""Seconds that the service has to recover after a fault."""
AT_LEAST = 60
"""Seconds of load."""
SEEDED = {region: {flavor.id for flavor in flavors} for region, flavors in seed.FLAVORS.items()}
SETTINGS = {
    "OPENSTACK_TIMEOUT": "3",
    "CLOUD_BREAKER_SECONDS": "3",
    "KEYROCK_CACHE_SECONDS": "1",  # else nobody would notice that the IdM is gone
    "SYNC_INTERVAL_MINUTES": "0",
}


@pytest.fixture
def proxy(lab: Lab) -> Iterator[NovaProxy]:
    """A proxy before Spain2's Nova."""
    with NovaProxy(lab.nova_port(seed.UNREACHABLE_REGION), f"http://127.0.0.1:{lab.nova_port('Spain2')}") as made:
        yield made


@pytest.fixture
def stack(lab: Lab, proxy: NovaProxy) -> Iterator[Stack]:
    """The service with two clouds, one of them behind the proxy, and an operator of both."""
    with running_stack(lab, **SETTINGS) as made:
        keystones = {"Mordor": lab.mordor_keystone_url, "Spain2": lab.keystone_url}
        for node, keystone in keystones.items():
            account = ["--username", f"{node.lower()}-admin", "--tenant", node.lower(), "--password-file", "-"]
            nova = ["--nova-url", f"http://127.0.0.1:{proxy.port}/v2.1"] if node == "Spain2" else []
            command = ["register_infrastructure", node, "--keystone-url", keystone, *account, *nova]
            made.manage(*command, stdin=seed.PASSWORD)
        clouds = ["--infrastructure", "Mordor", "--infrastructure", "Spain2"]
        made.manage("create_operator", OPERATOR["user"], *clouds, "--password-file", "-", stdin=OPERATOR["password"])
        yield made
    lab.reset()


class Faults:
    """The faults, one after the other; each is over when its method returns."""

    def __init__(self, stack: Stack, proxy: NovaProxy) -> None:
        self.stack, self.proxy = stack, proxy

    def connections_killed(self) -> None:
        assert sum(self.stack.database.kill_connections() for _ in range(3)) > 0

    def database_restarted(self) -> None:
        self.stack.database.stop()
        time.sleep(1)
        self.stack.database.start()

    def cloud_stalled(self) -> None:
        self.proxy.plan("*", ".", silent)
        time.sleep(6)
        self.proxy.heal()

    def idm_killed(self) -> None:
        self.stack.lab.kill("idm")
        time.sleep(4)
        self.stack.lab.start("idm")

    def worker_killed(self) -> None:
        """Kill a worker: what it was answering breaks off, even after nginx has passed on the head."""
        kill(min(self.stack.web_workers()))

    def reloaded(self) -> None:
        self.stack.reload()


@dataclass
class Span:
    """A fault and what followed until the next one, in seconds of the record."""

    fault: str
    begun: float
    over: float
    recovered: bool
    failures: list[Failure]

    @property
    def counted(self) -> Counter[int]:
        return Counter(failure.status for failure in self.failures)

    @property
    def last(self) -> float:
        """How long after the fault was over something failed."""
        return max((failure.at - self.over for failure in self.failures if failure.at > self.over), default=0.0)


@pytest.mark.timeout(600)
def test_nothing_is_lost_half_or_wrong(stack: Stack, proxy: NovaProxy) -> None:
    record, ended = Record(), threading.Event()
    clients = make_clients(stack, record, ended)
    faults = Faults(stack, proxy)
    sequence = [
        faults.connections_killed,
        faults.database_restarted,
        faults.cloud_stalled,
        faults.idm_killed,
        faults.worker_killed,
        faults.connections_killed,
        faults.worker_killed,
        faults.reloaded,
    ]
    with ExitStack() as at_the_end:
        at_the_end.callback(stack.lab.start, "idm")
        at_the_end.callback(proxy.heal)
        pids = {program: stack.pid(program) for program in ("web", "worker", "nginx")}
        for client in clients:
            client.start()
        time.sleep(QUIET)
        spans = []
        for fault in sequence:
            begun = record.seconds
            fault()
            over = record.seconds
            recovered = wait_until_recovered(record, over)
            spans.append(Span(fault.__name__, begun, over, recovered, record.failed(begun)))
        time.sleep(max(0, AT_LEAST - record.seconds))
        ended.set()
        for client in clients:
            client.join(120)
        lasted = record.seconds
    print_figures(record, spans, lasted)
    assert not [client.name for client in clients if client.is_alive()]
    assert record.wrong == []
    assert [span.fault for span in spans if not span.recovered] == []
    assert lasted >= AT_LEAST
    killings = [span for span in spans if span.fault == "worker_killed"]
    due = [failure for span in killings for failure in span.failures if failure.status == NO_ANSWER]
    assert [failure for failure in record.failures if failure.status == NO_ANSWER] == due
    assert {program: stack.pid(program) for program in pids} == pids  # nobody had to start anything anew
    known = {flavorid: flavor for client in clients for flavorid, flavor in client.flavors.items()}
    assert_all_is_as_known(stack, known)
    print(f"{len(known)} flavors are as their clients know them. Lost: 0, half done: 0, wrong answers: 0")


def wait_until_recovered(record: Record, over: float) -> bool:
    """Wait until nothing has failed for some seconds, and return whether that came in time."""
    while record.seconds < over + MAY_RECOVER:
        if record.seconds > over + QUIET and not record.failed(record.seconds - QUIET):
            return True
        time.sleep(0.1)
    return False


def print_figures(record: Record, spans: list[Span], lasted: float) -> None:
    total = sum(record.statuses.values())
    print(f"\n{total} requests of 50 clients in {lasted:.0f} s, {record.repeated} writes repeated")
    for (method, status), count in sorted(record.statuses.items()):
        print(f"  {method} {named(status)}: {count}")
    for span in spans:
        counted = ", ".join(f"{count} × {named(status)}" for status, count in span.counted.items()) or "no failures"
        print(f"  {span.fault} for {span.over - span.begun:.1f} s: {counted}, last {span.last:.1f} s after")
    for complaint in record.wrong[:20]:
        print("  WRONG", complaint)


def named(status: int) -> str:
    return str(status) if status != NO_ANSWER else "broken off"


def assert_all_is_as_known(stack: Stack, known: dict[str, Flavor]) -> None:
    """Compare the API, the database, the journal of replacements and the Novas with what the clients know."""
    operated = stack.send("GET", "/v1/flavors", OPERATOR)  # which settles what was cut short
    assert operated.status == 200, operated.body
    open_ = json.loads(stack.manage("settle_replacements", "--json"))
    assert [record for record in open_ if record["state"] not in ("watched", "nothing is wanted")] == []
    published = {flavorid: flavor for flavorid, flavor in known.items() if flavor["public"]}
    listed = {flavor["id"]: flavor for flavor in stack.send("GET", "/v1/flavors").json["flavors"]}
    assert listed == published
    assert in_database(stack) == published
    private = {flavorid: flavor for flavorid, flavor in known.items() if not flavor["public"]}
    shown = {flavor["id"]: flavor for flavor in operated.json["flavors"] if not flavor["public"]}
    assert {flavorid: shown.get(flavorid) for flavorid in private} == private
    for node in ("Mordor", "Spain2"):
        has = {flavor["id"]: as_wired(flavor) for flavor in stack.lab.flavors(node) if flavor["id"] not in SEEDED[node]}
        assert has == {flavorid: sizes(flavor) for flavorid, flavor in known.items() if node in flavor["nodes"]}


def in_database(stack: Stack) -> dict[str, Any]:
    """Read the catalogue directly from the database."""
    rows = stack.database.execute(
        "SELECT f.flavorid, f.name, f.vcpus, f.ram, f.disk, f.swap, f.promoted, f.public, "
        "COALESCE(GROUP_CONCAT(c.name ORDER BY i.installed_at, i.id), '') "
        "FROM flavorsync.flavors_flavor f LEFT JOIN flavorsync.flavors_installation i ON i.flavor_id = f.id "
        "LEFT JOIN flavorsync.infrastructures_infrastructure c ON c.id = i.infrastructure_id GROUP BY f.id"
    )
    catalogue = {}
    for row in rows.splitlines():
        flavorid, name, *numbers, nodes = row.split("\t")
        vcpus, ram, disk, swap, promoted, public = map(int, numbers)
        sized = {"id": flavorid, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk, "swap": swap}
        ours = {"promoted": bool(promoted), "public": bool(public), "nodes": nodes.split(",") if nodes else []}
        catalogue[flavorid] = sized | ours
    return catalogue


def as_wired(flavor: dict[str, Any]) -> Flavor:
    return sizes(flavor | {"swap": flavor["swap"] or 0})


def sizes(flavor: Flavor) -> Flavor:
    return {member: flavor[member] for member in ("id", "name", "vcpus", "ram", "disk", "swap")}
