"""Let a cloud carry out requests late that it did not answer, in many random tries; check that no flavor is lost.

Either a second API process of the region's Nova is stopped and goes on, or a proxy leaves DELETEs unanswered and passes
them on 1 to 60 seconds later. The tries are made side by side. `scripts/campaign late --help` says how to run it.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deploy.campaigns.service import Service, running
from lab import Lab, LabError, seed
from lab.openstack import Json
from lab.proxies import Alternating, Delaying

REGION, REAL = "Isengard", "Spain2"
"""The region of the Keystone catalogue that has only a port, for the proxy, and the one whose Nova is behind it."""
URL = f"/v1/regions/{REGION}/flavors"
SPECS = {"hw:cpu_policy": "dedicated", "quota:vif_outbound_average": "32768"}
PROJECTS = ("spain2", "lannion2")
OLD, NEW, NEWER = 1024, 2048, 4096
LONGEST = 60.0
"""The most seconds that a deletion is delayed; a process is stopped for less than a third of that."""
BETWEEN = (2.0, 8.0)
"""Between how few and how many seconds both processes run."""
MARGIN = 15
"""Additional seconds on a busy machine."""
SETTINGS = {
    "OPENSTACK_TIMEOUT": "2",
    "CLOUD_BREAKER_FAILURES": "0",
    "CLOUD_CONCURRENCY": "0",
}
AT_ONCE = {"api": 12, "command": 12, "synchronisation": 1}
MAY_REPEAT = 400
"""Seconds after which a request is no longer repeated: it is then unknown whether it was carried out."""
MAY_SYNCHRONISE = 20.0
"""The same for the synchronisation, per flavor: a run ends with the first request that is not answered."""
IN_ONE_RUN = 10
"""Flavors that a run replaces, so that few of them wait for the next run after a request that is not answered."""
MAY_BE_OPEN = 240
ROOT = Path(__file__).resolve().parents[2]

GONE: Json = {}
Expected = dict[str, list[Json]]
"""What Nova may have in the end: under each id one of these flavors."""


@dataclass
class Findings:
    """Everything that the check has found wrong."""

    lost: list[str] = field(default_factory=list)
    half_done: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counted = f"Lost: {len(self.lost)}, half done: {len(self.half_done)}, wrong: {len(self.wrong)}"
        return "\n".join([counted, *(f"  {each}" for each in (*self.lost, *self.half_done, *self.wrong)[:20])])

    def __bool__(self) -> bool:
        return bool(self.lost or self.half_done or self.wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print its figures; return status 1 if something was lost, half done or wrong."""
    parser = argparse.ArgumentParser(prog="scripts/campaign late", description=__doc__)
    parser.add_argument("--fault", choices=["stopped", "delayed"], default="delayed")
    parser.add_argument("--way", choices=list(AT_ONCE), default="api")
    parser.add_argument("--database", default="sqlite", help="sqlite, or a MariaDB database's URL; it is emptied")
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="the seed of the random numbers (1)")
    parser.add_argument("--longest", type=float, default=LONGEST, help="the longest delay in seconds (60)")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the checkout to test, such as an earlier version")
    options = parser.parse_args(arguments)
    lab = Lab(os.environ.get("FLAVORSYNC_LAB", "test"))
    lab.up(lambda message: print(message, file=sys.stderr))
    findings = campaign(
        lab,
        fault=options.fault,
        way=options.way,
        database=options.database,
        tries=options.tries,
        seed_=options.seed,
        longest=options.longest,
        checkout=options.checkout,
    )
    return 1 if findings else 0


def campaign(
    lab: Lab,
    *,
    fault: str,
    way: str,
    database: str,
    tries: int,
    seed_: int,
    longest: float = LONGEST,
    checkout: Path = ROOT,
) -> Findings:
    """Make *tries* tries, print the outcome, and return everything that is wrong."""
    lab.reset(REAL)
    chance = random.Random(seed_)
    with running(checkout, lab, database, **SETTINGS, LOST_ANSWER_SECONDS=str(longest + MARGIN)) as service:
        tester = Tester(lab, service, chance)
        tester.register()
        expected = tester.prepare(way, tries)
        began = time.monotonic()
        with FAULTS[fault](lab, chance, longest) as happened:
            tester.act(way, expected)
            late = happened()
            lasted = time.monotonic() - began
            tester.wait_until_settled()
        findings = check(lab, expected)
    lab.reset(REAL)
    where = "sqlite" if database == "sqlite" else "mariadb"
    print(f"{fault}, {way}, {where}, seed {seed_}: {tries} tries in {lasted:.0f} s, {late} requests were late")
    print(f"  answered: {', '.join(f'{what}: {count}' for what, count in sorted(tester.answers.items()))}")
    print(f"  {findings}")
    return findings


# The faults of the cloud


@contextmanager
def delayed(lab: Lab, chance: random.Random, longest: float) -> Iterator[Callable[[], int]]:
    """Delay half of the DELETEs; yield a function that waits for the last one, and returns how many were delayed."""
    port = lab.nova_port(REGION)
    with Delaying(
        lab.nova_port(REAL), port, seconds=(1, longest), share=0.5, chance=random.Random(chance.random())
    ) as proxy:

        def happened() -> int:
            proxy.share = 0
            time.sleep(max(0.0, proxy.until - time.monotonic()) + 2)
            return proxy.delayed

        yield happened


@contextmanager
def stopped(lab: Lab, chance: random.Random, longest: float) -> Iterator[Callable[[], int]]:
    """Repeatedly stop one or the other of two API processes for some seconds."""
    ended = threading.Event()
    chance = random.Random(chance.random())
    with lab.second_nova(REAL) as processes, Alternating(processes, lab.nova_port(REGION)) as proxy:

        def stop_and_go() -> None:
            while not ended.wait(chance.uniform(*BETWEEN)):
                number = chance.randrange(len(processes))
                proxy.stop(number)
                ended.wait(chance.uniform(2, longest * 0.3))
                proxy.go_on(number)

        thread = threading.Thread(target=stop_and_go)
        thread.start()

        def happened() -> int:
            ended.set()
            thread.join()
            time.sleep(5)
            return proxy.queued

        try:
            yield happened
        finally:
            ended.set()
            thread.join()


FAULTS = {"delayed": delayed, "stopped": stopped}


# The tries


@dataclass
class Tester:
    """Creates flavors directly in Nova, and has the service change them."""

    lab: Lab
    service: Service
    chance: random.Random
    answers: Counter[str] = field(default_factory=Counter)

    def register(self) -> None:
        """Register the region in the service, with credentials."""
        token = self.lab.token("spain2-admin")
        self.projects = sorted(id for name, id in self.lab.project_ids(REAL).items() if name in PROJECTS)
        self.admin = {"X-Auth-Token": seed.idm_token("basic"), "X-Auth-Token-KeyStone": token}
        account = ("--username", "spain2-admin", "--tenant", "spain2", "--keystone-url", self.lab.keystone_url)
        done = self.service.manage("register_infrastructure", REGION, *account, OS_PASSWORD=seed.PASSWORD)
        assert done.returncode == 0, done.stderr

    def prepare(self, way: str, tries: int) -> Expected:
        """Create a flavor for each try, and return what Nova may have in the end."""
        ids = [f"late-{number}" for number in range(tries)]
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(self._make_private if way == "api" else self._promote, ids))
        if way != "api":
            self.service.manage("install_flavor", ids[0], "--node", REGION)
        return {id: [flavor] for id, flavor in zip(ids, made, strict=True)}

    def act(self, way: str, expected: Expected) -> None:
        """Make the tries."""
        if way == "synchronisation":
            return self._synchronise(expected)
        over_the_api = [self._replace, self._replace_until_done, self._replace_twice, self._make_anew]
        acts = {"api": over_the_api, "command": [self._install]}[way]
        plans = [(id, self.chance.choice(acts), random.Random(self.chance.random())) for id in expected]
        with ThreadPoolExecutor(AT_ONCE[way]) as pool:
            for future in [pool.submit(act, id, expected, chance) for id, act, chance in plans]:
                future.result()
        return None

    def wait_until_settled(self) -> None:
        """Wait until the service reports that nothing is open any more."""
        deadline = time.monotonic() + MAY_BE_OPEN
        while self.ask("GET", URL) and self.service.manage("settle_replacements", "--json").stdout.strip() != "[]":
            assert time.monotonic() < deadline, self.service.manage("settle_replacements").stdout
            time.sleep(2)
        self.ask("GET", URL)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> int:
        """Send a request, count its response, and return the status."""
        status, _ = self.service.send(method, path, headers or self.admin, body)
        self.answers[f"{method} {status}"] += 1
        return status

    def _make_private(self, id: str) -> Json:
        sizes: dict[str, Any] = {"vcpus": 1, "ram": OLD, "disk": 1}
        self.lab.create_flavor(REAL, id, flavor_id=id, public=False, extra_specs=SPECS, access=PROJECTS, **sizes)
        return self._document(id, OLD)

    def _document(self, id: str, ram: int, *, rich: bool = True) -> Json:
        return {
            "name": id,
            "ram": ram,
            "extra_specs": SPECS if rich else {},
            "access": self.projects if rich else None,
        }

    def _promote(self, id: str) -> Json:
        flavor = {"id": id, "name": id, "vcpus": 1, "ram": OLD, "disk": 1, "promoted": True, "public": True}
        manager = {"X-Auth-Token": seed.idm_token("manager")}
        assert self.service.send("POST", "/v1/promotedflavors", manager, {"flavor": flavor})[0] == 201
        self.lab.create_flavor(REAL, id, flavor_id=id, vcpus=1, ram=OLD, disk=1)
        return self._document(id, OLD, rich=False)

    # Over the API

    def _replace(self, id: str, expected: Expected, chance: random.Random) -> None:
        """Replace the flavor once, whatever the response; then read it up to twice."""
        status = self._put(id)
        new = self._document(id, NEW)
        expected[id] = [new] if status == 200 else [*expected[id], new]
        for _ in range(chance.randrange(3)):
            time.sleep(chance.uniform(0, 10))
            self.ask("GET", f"{URL}/{id}")

    def _replace_until_done(self, id: str, expected: Expected, chance: random.Random) -> None:
        new = self._document(id, NEW)
        is_done = self._until(partial(self._is_put, id, NEW), chance)
        expected[id] = [new] if is_done else [*expected[id], new]

    def _replace_twice(self, id: str, expected: Expected, chance: random.Random) -> None:
        """Repeat each of two replacements until it is done: late requests may bring back any of the three flavors."""
        for ram in (NEW, NEWER):
            new = self._document(id, ram)
            is_done = self._until(partial(self._is_put, id, ram), chance)
            expected[id] = [new] if is_done else [*expected[id], new]

    def _make_anew(self, id: str, expected: Expected, chance: random.Random) -> None:
        """Repeat deleting the flavor and creating a different one under its id, until both are done."""
        flavor = {"id": id, "name": id, "vcpus": 1, "ram": NEW, "disk": 1}
        new = self._document(id, NEW, rich=False)

        def anew() -> bool:
            return self.ask("DELETE", f"{URL}/{id}") in (204, 404) and self.ask("POST", URL, {"flavor": flavor}) == 201

        is_done = self._until(anew, chance)
        expected[id] = [new] if is_done else [*expected[id], new, GONE]

    def _is_put(self, id: str, ram: int) -> bool:
        return self._put(id, ram) == 200

    def _put(self, id: str, ram: int = NEW) -> int:
        return self.ask("PUT", f"{URL}/{id}", {"flavor": {"ram": ram}})

    def _until(self, is_done: Callable[[], bool], chance: random.Random, *, seconds: float = MAY_REPEAT) -> bool:
        """Repeat *is_done* until it returns True, and say whether it ever did."""
        deadline = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > deadline:
                self.answers["never done"] += 1
                return False
            time.sleep(chance.uniform(0.2, 2))
        return True

    # By the commands

    def _install(self, id: str, expected: Expected, chance: random.Random) -> None:
        """Delete the flavor once, whatever the response, and have a command ensure that it is there."""
        self.ask("DELETE", f"{URL}/{id}")

        def install() -> bool:
            status = self.service.manage("install_flavor", id, "--node", REGION).returncode
            self.answers[f"install_flavor {status}"] += 1
            return status == 0

        if not self._until(install, chance):
            expected[id].append(GONE)

    # By the synchronisation

    def _synchronise(self, expected: Expected) -> None:
        """Change all flavors in the catalogue, and replace them in the node, some at a time, until they are in sync."""
        manager = {"X-Auth-Token": seed.idm_token("manager")}
        for id in expected:
            assert self.ask("PUT", f"/v1/promotedflavors/{id}", {"flavor": {"ram": NEW}}, manager) == 200
            expected[id] = [self._document(id, NEW, rich=False)]

        every = list(expected)
        for ids in (every[start : start + IN_ONE_RUN] for start in range(0, len(every), IN_ONE_RUN)):
            if not self._until(partial(self._is_in_sync, ids), self.chance, seconds=MAY_SYNCHRONISE * len(ids)):
                for id in ids:
                    expected[id].append(self._document(id, OLD, rich=False))

    def _is_in_sync(self, ids: Sequence[str]) -> bool:
        chosen = [argument for id in ids for argument in ("--flavor", id)]
        status = self.service.manage("sync_flavors", "--replace", "--node", REGION, *chosen).returncode
        self.answers[f"sync_flavors {status}"] += 1
        return status == 0


# The outcome


def check(lab: Lab, expected: Expected) -> Findings:
    """Ask Nova directly what it has, and compare that with what it may have."""
    findings = Findings()
    has = {flavor["id"]: flavor for flavor in lab.flavors(REAL)}
    for id, choices in expected.items():
        if id not in has and GONE in choices:
            continue
        if id not in has:
            findings.lost.append(f"{id} is gone")
            continue
        found = whole(lab, has[id])
        if found not in choices:
            values = [{"name": choice["name"], "ram": choice["ram"]} for choice in choices if choice != GONE]
            is_half = {"name": found["name"], "ram": found["ram"]} in values
            (findings.half_done if is_half else findings.wrong).append(f"{id} is {found}, not one of {choices}")
    known = {flavor.id for flavor in seed.FLAVORS[REAL]} | expected.keys()
    findings.wrong += [f"{id} is there, which nobody knows" for id in sorted(has.keys() - known)]
    return findings


def whole(lab: Lab, flavor: Json) -> Json:
    """Return the values of a flavor in Nova that are compared."""
    try:
        access = None if flavor["os-flavor-access:is_public"] else lab.flavor_access(REAL, flavor["id"])
    except LabError:
        access = []
    return {"name": flavor["name"], "ram": flavor["ram"], "extra_specs": flavor["extra_specs"], "access": access}


if __name__ == "__main__":
    sys.exit(main())
