"""Fifty clients of a service that is being disturbed: what they ask, what they accept, and what they know to be so.

Each writes to flavors of its own, and repeats a write whose answer left open what became of it (5xx), as a
client should: so it knows in the end what must be there, member by member.
"""

import http.client
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from deploy.tests.stack import Answer, Stack, exchange
from lab import seed

MEMBERS = {"id", "name", "vcpus", "ram", "disk", "swap", "promoted", "public", "nodes"}
REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BASIC = {"X-Auth-Token": seed.idm_token("basic")}
MANAGER = {"X-Auth-Token": seed.idm_token("manager")}
OWNER = {"X-Auth-Token": seed.idm_token("owner-mordor")}
OPERATOR = {"user": "operator", "password": "password of the operator"}
NO_ANSWER = 0
"""The "status" of an answer that did not come, or broke off: the worker that gave it was killed."""
FAILURES = (502, 503, NO_ANSWER)
"""What may come while something is broken: of a cloud, and of the IdM, the database or a worker."""
MAY_TAKE = 90
"""Seconds after which a repeated write has failed."""

Flavor = dict[str, Any]


class Failure(NamedTuple):
    """A request that failed: when, in seconds of the record, which one, and how."""

    at: float
    what: str
    status: int


@dataclass
class Record:
    """What has happened, of all clients together."""

    began: float = field(default_factory=time.monotonic)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    repeated: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    settled: dict[str, Flavor] = field(default_factory=dict)
    """Promoted flavors that nobody changes now: every list must have them exactly like this."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def note(self, method: str, path: str, status: int) -> None:
        with self.lock:
            self.statuses[method, status] += 1
            if status in FAILURES:
                self.failures.append(Failure(self.seconds, f"{method} {path}", status))

    def failed(self, since: float) -> list[Failure]:
        """Return what has failed since then, in seconds of this record."""
        with self.lock:
            return [failure for failure in self.failures if failure.at >= since]

    def complain(self, what: str) -> None:
        with self.lock:
            self.wrong.append(f"{self.seconds:.1f} s: {what}")


class Client(threading.Thread):
    """One client, with a connection that it keeps; `flavors` is what it knows to be so."""

    def __init__(self, stack: Stack, record: Record, ended: threading.Event, number: int) -> None:
        super().__init__(name=f"{type(self).__name__}-{number}", daemon=True)
        self.stack, self.record, self.ended = stack, record, ended
        self.random = random.Random(number)
        self.number = number
        self.flavors: dict[str, Flavor] = {}
        self._made = 0
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        try:
            while not self.ended.is_set():
                self.go()
        except Exception as error:  # noqa: BLE001 — whatever ends a client is a finding
            self.record.complain(f"{self.name} gave up: {error!r}")
        finally:
            self._disconnect()

    def go(self) -> None:
        raise NotImplementedError

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        document: Any = None,
        *,
        accepts: Collection[int],
    ) -> Answer:
        """Send a request and return its answer, having checked what holds for every one that came whole."""
        try:
            self._connection = self._connection or self.stack.connect()
            answer = exchange(self._connection, method, path, headers, document)
        except (OSError, http.client.HTTPException):
            answer = Answer(NO_ANSWER, {"Connection": "close"}, b"")
        if answer.headers.get("Connection") == "close":
            self._disconnect()
        self.record.note(method, path.partition("?")[0].rpartition("/")[0] or path, answer.status)
        if answer.status == NO_ANSWER:
            return answer
        if answer.status not in (*accepts, *FAILURES):
            self.record.complain(f"{method} {path} was answered {answer.status}: {answer.body[:300]!r}")
        try:
            self.check_form(answer)
        except (AssertionError, ValueError, KeyError, ET.ParseError) as error:
            self.record.complain(f"{method} {path} {answer.status}: {error!r} {answer.body[:300]!r}")
        return answer

    def check_form(self, answer: Answer) -> None:
        """Check that an answer is one of the contract's."""
        check_form(answer)

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def write(self, method: str, path: str, headers: Mapping[str, str], document: Any, *, done: int) -> None:
        """Write until it is certain that it is done: *done*, or what says so when it is asked again."""
        again = {"POST": (409,), "PUT": (409,), "DELETE": (404, 409)}[method]
        uncertain = False
        deadline = time.monotonic() + MAY_TAKE
        while True:
            answer = self.ask(method, path, headers, document, accepts=(done, *(again if uncertain else ())))
            if answer.status == done or (answer.status == 404 and uncertain):
                return
            if method == "POST" and answer.status == 409 and uncertain:
                flavorid = document["flavor"]["id"]
                found = self.ask("GET", f"{path}/{flavorid}", headers, accepts=(200, 404))
                if found.status == 200:
                    return  # whoever reads it next checks it member by member
            uncertain = True
            with self.record.lock:
                self.record.repeated += 1
            told = f"{method} {path} cannot be done: {answer.status} {answer.body[:300]!r}"
            assert time.monotonic() < deadline, told
            time.sleep(self.random.uniform(0.2, 0.6))

    def read(self, path: str, headers: Mapping[str, str], expected: Flavor | None) -> None:
        """Read a flavor of this client's own, which nobody else touches."""
        answer = self.ask("GET", path, headers, accepts=(200,) if expected else (404,))
        if answer.status == 200 and answer.json["flavor"] != expected:
            self.record.complain(f"GET {path} is {answer.json['flavor']} and not {expected}")

    def new_flavor(self, **members: Any) -> Flavor:
        self._made += 1
        name = f"{self.name.lower()}-{self._made}"
        sizes = {"vcpus": self.random.randint(1, 64), "ram": self.random.randint(1, 65536), "disk": 1, "swap": 0}
        return {
            "id": name,
            "name": f"{name}.flavor",
            **sizes,
            "promoted": False,
            "public": False,
            "nodes": [],
            **members,
        }

    def keep(self, flavor: Flavor) -> None:
        self.flavors[flavor["id"]] = flavor


def check_form(answer: Answer) -> None:
    """Check that an answer is one of the contract's."""
    assert REQUEST_ID.fullmatch(answer.headers["X-Openstack-Request-Id"])
    assert ("Retry-After" in answer.headers) == (answer.status == 503)
    if answer.status == 204:
        assert answer.body == b""
    elif "xml" in answer.headers["Content-Type"]:
        assert ET.fromstring(answer.body).tag == ("flavors" if answer.status == 200 else "error")
    elif answer.status >= 400:
        assert list(answer.json) == ["error"]
        assert list(answer.json["error"]) == ["message"]
    elif "flavors" in answer.json:
        assert all(set(flavor) == MEMBERS for flavor in answer.json["flavors"])
    else:
        assert set(answer.json.get("flavor", MEMBERS)) == MEMBERS


def wire(flavor: Flavor, *members: str) -> dict[str, Flavor]:
    """Return the document of a write."""
    return {"flavor": {member: flavor[member] for member in members}}


SIZES = ("id", "name", "vcpus", "ram", "disk", "swap")


class Manager(Client):
    """Makes, changes and deletes promoted flavors."""

    def go(self) -> None:
        flavor = self.new_flavor(promoted=True, public=True)
        url = f"/v1/promotedflavors/{flavor['id']}"
        self.write("POST", "/v1/promotedflavors", MANAGER, wire(flavor, *SIZES), done=201)
        self.read(url, BASIC, flavor)
        flavor["ram"] += 1
        self.write("PUT", url, MANAGER, wire(flavor, "ram"), done=200)
        self.keep(flavor)
        self.record.settled[flavor["id"]] = flavor
        self.read(url, BASIC, flavor)
        if len(self.flavors) > 2:
            oldest = next(iter(self.flavors))
            del self.record.settled[oldest]
            self.write("DELETE", f"/v1/promotedflavors/{oldest}", MANAGER, None, done=204)
            del self.flavors[oldest]
            self.read(f"/v1/promotedflavors/{oldest}", BASIC, None)


class Owner(Client):
    """Makes private flavors in a cloud, has them replaced, publishes and deletes them, with a token of the IdM."""

    headers: Mapping[str, str] = OWNER
    node = "Mordor"

    def go(self) -> None:
        flavor = self.new_flavor(nodes=[self.node])
        url = f"/v1/flavors/{flavor['id']}"
        self.write("POST", "/v1/flavors", self.headers, wire(flavor, *SIZES, "nodes"), done=201)
        self.keep(flavor)
        self.further(flavor, url)
        self.read(url, self.headers, flavor)
        if len(self.flavors) > 2:
            oldest = next(iter(self.flavors))
            self.write("DELETE", f"/v1/flavors/{oldest}", self.headers, None, done=204)
            del self.flavors[oldest]
            self.read(f"/v1/flavors/{oldest}", self.headers, None)

    def further(self, flavor: Flavor, url: str) -> None:
        flavor["ram"] += 1
        self.write("PUT", url, self.headers, wire(flavor, "ram"), done=200)
        if self._made % 2:
            flavor["public"] = True
            self.write("PUT", url, self.headers, wire(flavor, "public"), done=200)


class Operator(Owner):
    """Publishes flavors of one cloud and installs them in another, with a local account."""

    headers = OPERATOR

    def further(self, flavor: Flavor, url: str) -> None:
        flavor["public"] = True
        self.write("PUT", url, self.headers, wire(flavor, "public"), done=200)
        flavor["nodes"] = ["Mordor", "Spain2"]
        self.write("PUT", url, self.headers, wire(flavor, "nodes"), done=200)


class Reader(Client):
    """Reads the catalogue, the promoted flavors and the regions, in JSON and XML."""

    def go(self) -> None:
        choice = self.random.randrange(5)
        if choice == 0:
            self.ask("GET", "/v1/flavors", {}, accepts=(200,))
        elif choice == 1:
            self.ask("GET", "/v1/promotedflavors", BASIC | {"Accept": "application/xml"}, accepts=(200,))
        elif choice == 2:
            self.ask("GET", "/v1/regions", BASIC, accepts=(200,))
        else:
            path, headers = ("/v1/promotedflavors", BASIC) if choice == 3 else ("/v1/flavors?promoted=true", {})
            before = dict(self.record.settled)
            answer = self.ask("GET", path, headers, accepts=(200,))
            if answer.status == 200:
                self.check_list(before, {flavor["id"]: flavor for flavor in answer.json["flavors"]})
        time.sleep(self.random.uniform(0, 0.1))

    def check_list(self, before: Mapping[str, Flavor], listed: Mapping[str, Flavor]) -> None:
        """Check that every flavor that was there before, and still is, is in the list unchanged."""
        for flavorid, flavor in before.items():
            if flavorid in self.record.settled and listed.get(flavorid) != flavor:
                self.record.complain(f"a list has {listed.get(flavorid)} and not {flavor}")


def make_clients(stack: Stack, record: Record, ended: threading.Event) -> list[Client]:
    """Return fifty clients: 32 that read, 18 that write and read."""
    kinds: dict[Callable[..., Client], int] = {Reader: 32, Manager: 8, Owner: 5, Operator: 5}
    return [kind(stack, record, ended, number) for kind, count in kinds.items() for number in range(count)]
