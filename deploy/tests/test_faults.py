"""Fifty clients, while database, cloud, IdM and workers fail and come back: nothing lost, half done or wrong."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from deploy.tests.load import OPERATOR, Flavor, Record, make_clients
from deploy.tests.stack import Stack, kill, running_stack
from infrastructures.tests.proxy import NovaProxy, silent
from lab import Lab, seed

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.stack]

QUIET = 5
"""Seconds between a fault that has ended and the next one."""
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
    """What is done to the service, one fault after the other; each is over when its method returns."""

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
        kill(min(self.stack.web_workers()))

    def reloaded(self) -> None:
        self.stack.reload()


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
            spans.append((fault.__name__, begun, record.seconds))
            time.sleep(QUIET)
        ended.set()
        for client in clients:
            client.join(120)
        lasted = record.seconds
    print_figures(record, spans, lasted)
    assert not [client.name for client in clients if client.is_alive()]
    assert record.wrong == []
    assert {program: stack.pid(program) for program in pids} == pids  # nobody had to start anything anew
    known = {flavorid: flavor for client in clients for flavorid, flavor in client.flavors.items()}
    assert_all_is_as_known(stack, known)
    print(f"{len(known)} flavors are as their clients know them. Lost: 0, half done: 0, wrong answers: 0")


def print_figures(record: Record, spans: list[tuple[str, float, float]], lasted: float) -> None:
    total = sum(record.statuses.values())
    print(f"\n{total} requests of 50 clients in {lasted:.0f} s, {record.repeated} writes repeated")
    for (method, status), count in sorted(record.statuses.items()):
        print(f"  {method} {status}: {count}")
    for number, (name, begun, over) in enumerate(spans):
        until = spans[number + 1][1] if number + 1 < len(spans) else lasted
        failed = [(when, status) for when, _, status in record.failures if begun <= when < until]
        last = max((when for when, _ in failed), default=over)
        counted = dict(Counter(status for _, status in failed))
        print(f"  {name} for {over - begun:.1f} s: {counted or 'no'} failures, last {max(last - over, 0):.1f} s after")
    for complaint in record.wrong[:20]:
        print("  WRONG", complaint)


def assert_all_is_as_known(stack: Stack, known: dict[str, Flavor]) -> None:
    """Compare the API, the database, the journal of replacements and the Novas with what the clients know."""
    operated = stack.send("GET", "/v1/flavors", OPERATOR)  # which settles what was cut short
    assert operated.status == 200, operated.body
    assert stack.manage("settle_replacements", "--json").strip() == "[]"
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
    """Return the catalogue as the database itself has it."""
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
