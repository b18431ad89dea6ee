"""How fast many clouds are synchronised: Flavor Sync compared with the same calls by asyncio, over the farm."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.databases import database
from benchmarks.farm import Flavor
from benchmarks.load import WrongAnswerError
from benchmarks.report import Row, compared
from benchmarks.run_floor import creation
from benchmarks.servers import answering, listening

FLAVORS = 100
LATENCY = 0.1
OF_WHICH_DEAD = 0.03
# Connections of one process to the database
CONNECTIONS = 20
SECONDS_TO_FILL = 60


@dataclass(frozen=True)
class Taken:
    """What a run took: seconds on the clock, in all and until the living clouds were done, and of processor time."""

    seconds: float
    living: float
    processor: float
    connections: int = 0


@dataclass(frozen=True)
class Contest:
    """Flavor Sync and the floor over the same clouds of the farm."""

    clouds: int
    port: int
    ours: Callable[[], Taken]
    floor: Callable[[str], Taken]

    def tell(self, path: str = "", **told: Any) -> None:
        """Tell the farm how to behave."""
        url = f"http://127.0.0.1:{self.port}/farm{path}"
        requests.post(url, json=told, timeout=SECONDS_TO_FILL).raise_for_status()

    def fill(self) -> None:
        """Give every cloud every flavor."""
        self.tell("/fill", flavors=_flavors())

    def calls(self) -> dict[str, int]:
        """Return how many calls of each kind were made since the last time."""
        told: dict[str, Any] = requests.get(f"http://127.0.0.1:{self.port}/farm", timeout=SECONDS_TO_FILL).json()
        return {kind: int(count) for kind, count in told["calls"].items()}

    def nothing(self) -> tuple[Taken, Taken]:
        """Return what ours and the floor take if there is nothing to do."""
        return self.ours(), self.floor("nothing")

    def everything(self) -> tuple[Taken, Taken]:
        """Return what ours and the floor take if every flavor must be created everywhere."""
        self.tell(clouds=self.clouds)
        floor = self.floor("everything")
        self.tell(clouds=self.clouds)
        return self.ours(), floor


def measure(server: str | None, folder: Path, environment: Mapping[str, str], *, rounds: int) -> list[Row]:
    """Measure runs over 100 and over 1,000 clouds."""
    with contest(server, folder, environment, clouds=100) as hundred:
        rows = _hundred(hundred, rounds)
    with contest(server, folder, environment, clouds=1000) as thousand:
        return rows + _thousand(thousand, rounds)


def _hundred(farm: "Contest", rounds: int) -> list[Row]:
    nothing = [farm.nothing() for _ in range(rounds)]
    farm.calls()
    farm.ours()
    made = sum(farm.calls().values()) / farm.clouds
    return [
        *_rows("100 clouds, nothing to do", nothing, at_most=3),
        Row("the same, calls per cloud", "1", made, 1, "", made, made == 1),
        *_rows("100 clouds, everything to create", [farm.everything()], at_most=2),
    ]


def _thousand(farm: "Contest", rounds: int) -> list[Row]:
    nothing = [farm.nothing() for _ in range(rounds // 2 + 1)]
    made = max(ours.connections for ours, _ in nothing)
    farm.tell(dead=list(range(int(farm.clouds * OF_WHICH_DEAD))))
    dead, alive = [farm.ours().living], [nothing[-1][0].seconds]
    return [
        *_rows("1,000 clouds, nothing to do", nothing, at_most=3),
        Row(
            "the same, connections to the database",
            f"<= {CONNECTIONS}",
            made,
            CONNECTIONS,
            "",
            made / CONNECTIONS,
            made <= CONNECTIONS,
        ),
        compared("3 % of them dead, until the others are done: without", dead, alive, unit="s", at_most=1.2),
    ]


@contextmanager
def contest(server: str | None, folder: Path, environment: Mapping[str, str], *, clouds: int) -> Iterator[Contest]:
    """Yield a contest over so many clouds, which are in sync and were synchronised before."""
    log = folder / f"farm-{clouds}.log"
    with (
        listening("benchmarks.farm", log=log) as port,
        database(server, folder, flavors=FLAVORS, nodes=clouds, farm=port, secrets=environment) as url,
    ):
        settings = {**environment, "DATABASE_URL": url, "INFRASTRUCTURE_URL_ALLOWLIST": "127.0.0.1"}
        with (
            answering("benchmarks.run_sync", environment=settings, log=log) as run,
            answering("benchmarks.run_floor", port, clouds, FLAVORS, environment={}, log=log) as calls,
        ):
            it = Contest(clouds, port, lambda: _taken(run(), log), lambda work: _floor(calls(work), log))
            it.tell(clouds=clouds, latency=LATENCY)
            it.fill()
            it.ours()
            yield it


def _flavors() -> list[Flavor]:
    return [creation(number)["flavor"] for number in range(FLAVORS)]


def _taken(answer: list[str], log: Path) -> Taken:
    if answer[:1] not in (["in_sync"], ["partly_done"]):
        raise WrongAnswerError(f"a synchronisation ended {answer[:1]}; {log.read_text()[-2000:]}")
    seconds, living, processor, connections = answer[1:]
    return Taken(float(seconds), float(living), float(processor), int(connections))


def _floor(answer: list[str], log: Path) -> Taken:
    if len(answer) != 2:
        raise WrongAnswerError(f"the floor failed; {log.read_text()[-2000:]}")
    return Taken(float(answer[0]), float(answer[0]), float(answer[1]))


def _rows(work: str, alike: list[tuple[Taken, Taken]], *, at_most: float) -> list[Row]:
    """Return a row for the clock, and one for processor time."""
    clock = [(ours.seconds, floor.seconds) for ours, floor in alike]
    busy = [(ours.processor, floor.processor) for ours, floor in alike]
    return [
        compared(f"{work}: the calls by asyncio", *zip(*clock, strict=True), unit="s", at_most=at_most),
        compared("the same, processor time", *zip(*busy, strict=True), unit="s", at_most=at_most),
    ]
