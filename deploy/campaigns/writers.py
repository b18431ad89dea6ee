"""The clients that write while things are killed. Each knows what must be true in the end."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from deploy.tests.load import BASIC, MANAGER, OPERATOR, SIZES, Client, Flavor, Operator, Owner, Record, wire
from deploy.tests.stack import Stack
from lab import Lab

NODES = ["Mordor", "Spain2"]
EXTRA_SPECS = {"hw:cpu_policy": "dedicated", "quota:vif_outbound_average": "32768"}
MAY_END = 60
"""Seconds after which a client leaves a run to itself and starts another."""
OPEN = ("waiting", "running")


class Promoter(Client):
    """Creates and changes promoted flavors, which the synchronisation brings to the nodes."""

    enough = 6

    def go(self) -> None:
        if len(self.flavors) < self.enough:
            flavor = self.new_flavor(promoted=True, public=True, nodes=NODES)
            self.write("POST", "/v1/promotedflavors", MANAGER, wire(flavor, *SIZES), done=201)
            self.keep(flavor)
        flavor = self.random.choice(list(self.flavors.values()))
        changed = flavor | {"ram": flavor["ram"] + 1}
        url = f"/v1/promotedflavors/{flavor['id']}"
        self.write("PUT", url, MANAGER, wire(changed, "ram"), done=200)
        self.keep(changed)
        self.read(url, BASIC, changed)

    def read(self, path: str, headers: Mapping[str, str], expected: Flavor | None) -> None:
        """Read it, apart from its nodes, which depend on the synchronisation."""
        answer = self.ask("GET", path, headers, accepts=(200,))
        if answer.status == 200 and answer.json["flavor"] | {"nodes": NODES} != expected:
            self.record.complain(f"GET {path} is {answer.json['flavor']} and not {expected}")


class Resizer(Client):
    """Changes private flavors with extra specs in both nodes, so that they are replaced."""

    names = ("rich-0", "rich-1", "rich-2")

    def prepare(self, lab: Lab) -> None:
        """Create the flavors in both nodes."""
        for name in self.names:
            flavor = self.new_flavor(nodes=NODES) | {"id": name, "name": f"{name}.flavor"}
            sizes = {member: flavor[member] for member in ("vcpus", "ram", "disk")}
            for node in NODES:
                lab.create_flavor(node, flavor["name"], flavor_id=name, extra_specs=EXTRA_SPECS, **sizes)
            self.keep(flavor)

    def go(self) -> None:
        flavor = self.random.choice(list(self.flavors.values()))
        changed = flavor | {"ram": flavor["ram"] + 1}
        url = f"/v1/flavors/{flavor['id']}"
        self.write("PUT", url, OPERATOR, wire(changed, "ram"), done=200)
        self.keep(changed)
        self.read(url, OPERATOR, changed)


class Synchroniser(Client):
    """Starts a run that replaces what differs, waits for its end, and starts the next one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ended_in: Counter[str] = Counter()

    def go(self) -> None:
        answer = self.ask("POST", "/v1/sync/runs", MANAGER, {"run": {"replace": True}}, accepts=(202,))
        if answer.status == 202:
            self.ended_in[self._wait(answer.json["run"]["id"])] += 1
        time.sleep(0.5)

    def _wait(self, run: str) -> str:
        deadline = time.monotonic() + MAY_END
        state = "waiting"
        while time.monotonic() < deadline and state in OPEN and not self.ended.is_set():
            time.sleep(0.5)
            answer = self.ask("GET", f"/v1/sync/runs/{run}", MANAGER, accepts=(200,))
            if answer.status == 200:
                state = answer.json["run"]["state"]
        return f"left {state}" if state in OPEN else state


def make_writers(stack: Stack, record: Record, ended: threading.Event) -> list[Client]:
    """Return the four writers and, last, the synchroniser."""
    kinds = (Promoter, Owner, Operator, Resizer, Synchroniser)
    return [kind(stack, record, ended, number) for number, kind in enumerate(kinds)]
