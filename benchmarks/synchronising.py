"""How fast the synchronisation is: Flavor Sync compared with the same calls by hand, in a thread for each cloud."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clouds import PATH, USERS, direct
from benchmarks.data import PREFIX, flavor_values
from benchmarks.load import Client, Request, WrongAnswerError
from benchmarks.report import Row, compared
from benchmarks.servers import answering
from lab import Lab

FLAVORS = 100


def measure(lab: Lab, environment: Mapping[str, str], log: Path, *, rounds: int) -> list[Row]:
    """Measure a run with nothing to do, and one with everything to do."""
    with _runner(environment, log) as run, ThreadPoolExecutor(len(USERS)) as pool:
        clouds = [
            _Cloud(lab.nova_url(region), request.headers, Client.to(request))
            for region, request in ((region, direct(lab, region)) for region in USERS)
        ]

        def by_hand(work: Callable[[_Cloud], object]) -> float:
            began = time.perf_counter()
            list(pool.map(work, clouds))
            return time.perf_counter() - began

        run()  # to be warm
        everything: tuple[list[float], list[float]] = ([], [])
        nothing: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds // 2 + 1):
            by_hand(_Cloud.empty)
            everything[1].append(by_hand(_Cloud.create_all))
            by_hand(_Cloud.empty)
            everything[0].append(run())
        with lab.counting() as served:
            run()
        for _ in range(rounds * 4):
            nothing[0].append(run() * 1000)
            nothing[1].append(by_hand(_Cloud.list) * 1000)
        by_hand(_Cloud.empty)
        for cloud in clouds:
            cloud.client.close()
    calls = max(sum(served[region].values()) for region in USERS)
    return [
        compared("nothing to synchronise: the calls by hand", *nothing, unit="ms", at_most=1.5),
        Row("the same, calls per cloud", "1", calls, 1, "", calls, calls == 1),
        compared("everything to synchronise: the calls by hand", *everything, unit="s", at_most=1.2),
    ]


@contextmanager
def _runner(environment: Mapping[str, str], log: Path) -> Iterator[Callable[[], float]]:
    """Yield a function that synchronises everything, in its own process, and returns the seconds it took."""
    with answering("benchmarks.run_sync", environment=environment, log=log) as ask:

        def once() -> float:
            answer = ask()
            if answer[:1] != ["in_sync"]:
                raise WrongAnswerError(f"a synchronisation ended {answer[:1]}; {log.read_text()[-2000:]}")
            return float(answer[1])

        yield once


@dataclass(frozen=True)
class _Cloud:
    """A cloud's Nova, called by hand."""

    url: str
    headers: Mapping[str, str]
    client: Client

    def list(self) -> bytes:
        """Read its flavors."""
        return self.client.send(Request(self.url + PATH, self.headers)).body

    def create_all(self) -> None:
        """Create all flavors of the catalogue, as Flavor Sync does."""
        self.list()
        for number in range(FLAVORS):
            values = flavor_values(number)
            content = {
                "name": values["name"],
                "ram": values["ram"],
                "vcpus": values["vcpus"],
                "disk": values["disk"],
                "id": values["flavorid"],
                "swap": 0,
                "OS-FLV-EXT-DATA:ephemeral": 0,
                "rxtx_factor": 1.0,
                "os-flavor-access:is_public": True,
            }
            self._send(f"{self.url}/flavors", method="POST", content=json.dumps({"flavor": content}).encode())

    def empty(self) -> None:
        """Delete what was created."""
        for flavor in json.loads(self.list())["flavors"]:
            if flavor["name"].startswith(PREFIX):
                self._send(f"{self.url}/flavors/{flavor['id']}", method="DELETE", status=202)

    def _send(self, url: str, **options: Any) -> None:
        self.client.seconds(Request(url, self.headers, **options))
