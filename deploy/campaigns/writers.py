"""The clients that write during the kills. Each knows what must be true in the end."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from deploy.tests.load import (
    BASIC,
    FAILURES,
    MANAGER,
    MAY_TAKE,
    OPERATOR,
    REQUEST_ID,
    SIZES,
    Client,
    Flavor,
    Operator,
    Owner,
    Record,
    wire,
)
from deploy.tests.stack import Answer, Stack
from lab import Lab, LabError

NODES = ["Mordor", "Spain2"]
EXTRA_SPECS = {"hw:cpu_policy": "dedicated", "quota:vif_outbound_average": "32768"}
MAY_END = 60
"""Seconds after which a client stops waiting for a run and starts another."""
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
        """Check the flavor, apart from its nodes, which depend on the synchronisation."""
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


class OpenStackClient(Client):
    """Creates, sets, unsets, renumbers and deletes promoted flavors as an OpenStack client does, with a Keystone token.

    The service delivers them to the nodes by runs of its own, some seconds after the writes.
    """

    enough = 4
    base = "/compute/v2.1/flavors"
    policies = ("dedicated", "shared", "mixed")

    def go(self) -> None:
        if len(self.flavors) < self.enough:
            self._create(self.new_flavor(promoted=True, public=True, nodes=NODES))
        else:
            self.random.choice((self._set, self._set, self._unset, self._renumber, self._remove))(
                self.random.choice(list(self.flavors.values()))
            )
        time.sleep(self.random.uniform(0, 0.5))

    def _create(self, flavor: Flavor) -> None:
        """Create a flavor as clients do, by one request for it and one for its extra specs."""
        self._send("POST", "", wire(flavor, *SIZES), done=(200,), again=(409,))
        specs = {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}
        self._send("POST", f"/{flavor['id']}/os-extra_specs", {"extra_specs": specs}, done=(200,))
        self._know(flavor | {"extra_specs": specs})

    def _set(self, flavor: Flavor) -> None:
        specs = {"hw:cpu_policy": self.random.choice(self.policies), f"flavor:{self.random.randrange(3)}": "set"}
        self._send("POST", f"/{flavor['id']}/os-extra_specs", {"extra_specs": specs}, done=(200,))
        self._know(flavor | {"extra_specs": {**flavor["extra_specs"], **specs}})

    def _unset(self, flavor: Flavor) -> None:
        if not flavor["extra_specs"]:
            return
        key = self.random.choice(sorted(flavor["extra_specs"]))
        self._send("DELETE", f"/{flavor['id']}/os-extra_specs/{key}", None, done=(200,), again=(404,))
        left = {each: value for each, value in flavor["extra_specs"].items() if each != key}
        self._know(flavor | {"extra_specs": left})

    def _renumber(self, flavor: Flavor) -> None:
        """Delete a flavor and create one with the same name under another id, as Ansible and Terraform do."""
        self._remove(flavor)
        self._made += 1
        self._create(flavor | {"id": f"{self.name.lower()}-{self._made}", "ram": flavor["ram"] + 1})

    def _remove(self, flavor: Flavor) -> None:
        self._send("DELETE", f"/{flavor['id']}", None, done=(202,), again=(404,))
        del self.flavors[flavor["id"]]
        self._ask("GET", f"/{flavor['id']}", accepts=(404,))

    def _know(self, flavor: Flavor) -> None:
        self.keep(flavor)
        answer = self._ask("GET", f"/{flavor['id']}", accepts=(200,))
        if answer.status == 200 and answer.json["flavor"]["extra_specs"] != flavor["extra_specs"]:
            self.record.complain(f"{flavor['id']} has {answer.json['flavor']['extra_specs']} and not {flavor}")

    def _send(
        self, method: str, path: str, document: Any, *, done: tuple[int, ...], again: tuple[int, ...] = ()
    ) -> None:
        """Repeat a request until it is certainly done; *again* are statuses saying that an earlier attempt did it."""
        accepts, deadline = done, time.monotonic() + MAY_TAKE
        while self._ask(method, path, document, accepts=accepts).status not in accepts:
            assert time.monotonic() < deadline, f"{method} {path} cannot be done"
            accepts = done + again
            with self.record.lock:
                self.record.repeated += 1
            time.sleep(self.random.uniform(0.2, 0.6))

    def _ask(self, method: str, path: str, document: Any = None, *, accepts: tuple[int, ...]) -> Answer:
        headers = {"X-Auth-Token": self._token(), "OpenStack-API-Version": "compute 2.61"}
        return self.ask(method, f"{self.base}{path}", headers, document, accepts=accepts)

    def check_form(self, answer: Answer) -> None:
        """Check that a response has the form of Nova's; nginx's own failures are exempt."""
        if answer.status not in FAILURES:
            assert REQUEST_ID.fullmatch(answer.headers["X-Openstack-Request-Id"])
            assert answer.status in (202, 404) or answer.body == b"" or answer.json
        if answer.status == 404:
            assert list(answer.json) == ["itemNotFound"]

    def _token(self) -> str:
        """Return the federation manager's token, one for the whole campaign; wait for it while Keystone is away."""
        while not self._known_token:
            try:
                self._known_token = self.stack.lab.token("flavor-manager")
            except LabError:
                time.sleep(0.5)
        return self._known_token

    _known_token = ""


class Synchroniser(Client):
    """Starts a run that replaces differing flavors, waits for its end, and starts the next one."""

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
    """Return the five writers and, last, the synchroniser."""
    kinds = (Promoter, Owner, Operator, Resizer, OpenStackClient, Synchroniser)
    return [kind(stack, record, ended, number) for number, kind in enumerate(kinds)]
