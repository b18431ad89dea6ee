"""How fast many clouds are synchronised: Flavor Sync compared with the same calls by asyncio, over the farm."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
# Rows that a run over 1,000 clouds with nothing to do inserts
ROWS = 1_100
SECONDS_TO_FILL = 60
# What is aimed at on two processors that have nothing else to do
SECONDS_TO_CREATE = 30
SECONDS_BY_TWO = 8
PROCESSOR_BY_TWO = 6


@dataclass(frozen=True)
class Taken:
    """What a run took: seconds on the clock, in all and until the living clouds were done, and of processor time.

    `rows` are those inserted into the database.
    """

    seconds: float
    living: float
    processor: float
    connections: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Contest:
    """Flavor Sync and the floor over the same clouds of the farm."""

    clouds: int
    port: int
    ours: Callable[[], Taken]
    by_two: Callable[[], Taken]
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

    def everything_by_two(self) -> Taken:
        """Return what two workers take to create every flavor everywhere."""
        self.tell(clouds=self.clouds)
        return self.by_two()


def measure(
    server: str | None, folder: Path, environment: Mapping[str, str], *, rounds: int, say: Callable[[str], None]
) -> list[Row]:
    """Measure runs over 100 and over 1,000 clouds."""
    say("A hundred clouds are registered, and filled")
    with contest(server, folder, environment, clouds=100) as hundred:
        rows = _hundred(hundred, rounds, say)
    say("A thousand clouds are registered, and filled")
    with contest(server, folder, environment, clouds=1000) as thousand:
        return rows + _thousand(thousand, rounds, say)


def _hundred(farm: "Contest", rounds: int, say: Callable[[str], None]) -> list[Row]:
    say("Nothing to do in a hundred clouds")
    nothing = [farm.nothing() for _ in range(rounds)]
    farm.calls()
    farm.ours()
    made = sum(farm.calls().values()) / farm.clouds
    say("Everything to create in a hundred clouds: half a minute or more")
    everything, shared = [farm.everything()], farm.everything_by_two()
    return [
        *_rows("100 clouds, nothing to do", nothing, at_most=3),
        Row("the same, calls per cloud", "1", made, 1, "", made, made == 1),
        *_rows("100 clouds, everything to create", everything, at_most=2),
        _absolute("the same, seconds", [ours.seconds for ours, _ in everything], at_most=SECONDS_TO_CREATE),
        _absolute("the same by two workers, seconds", [shared.seconds], at_most=SECONDS_TO_CREATE),
    ]


def _thousand(farm: "Contest", rounds: int, say: Callable[[str], None]) -> list[Row]:
    say("Nothing to do in a thousand clouds")
    nothing, shared = [], []
    for _ in range(rounds // 2 + 1):
        nothing.append(farm.nothing())
        shared.append(farm.by_two())
    made = max(ours.connections for ours, _ in nothing)
    say("Three of a hundred clouds are dead")
    farm.tell(dead=list(range(int(farm.clouds * OF_WHICH_DEAD))))
    dead, alive = [farm.ours().living], [nothing[-1][0].seconds]
    by_two, by_one = [each.seconds for each in shared], [ours.seconds for ours, _ in nothing]
    return [
        *_rows("1,000 clouds, nothing to do", nothing, at_most=3),
        compared("the same by two workers: by one", by_two, by_one, unit="s", at_most=0.65),
        _absolute("the same by two, seconds", by_two, at_most=SECONDS_BY_TWO),
        _absolute("the same by two, processor time", [each.processor for each in shared], at_most=PROCESSOR_BY_TWO),
        _counted("the same, rows inserted", max(each.rows for each in shared), at_most=ROWS),
        _counted("the same, connections to the database", made, at_most=CONNECTIONS),
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
            answering("benchmarks.run_sync", environment=settings, log=log) as other,
            ThreadPoolExecutor(1) as pool,
            answering("benchmarks.run_floor", port, clouds, FLAVORS, environment={}, log=log) as calls,
        ):

            def by_two() -> Taken:
                helped = pool.submit(other, "help")
                taken = _taken(run(), log)
                helper = _taken(helped.result(), log)
                rows = taken.rows + helper.rows
                return replace(taken, processor=taken.processor + helper.processor, rows=rows)

            it = Contest(clouds, port, lambda: _taken(run(), log), by_two, lambda work: _floor(calls(work), log))
            it.tell(clouds=clouds, latency=LATENCY)
            it.fill()
            it.ours()
            it.by_two()
            yield it


def _flavors() -> list[Flavor]:
    return [creation(number)["flavor"] for number in range(FLAVORS)]


def _taken(answer: list[str], log: Path) -> Taken:
    if answer[:1] not in (["in_sync"], ["partly_done"], ["running"]):  # the last one: others are still at it
        raise WrongAnswerError(f"a synchronisation ended {answer[:1]}; {log.read_text()[-2000:]}")
    seconds, living, processor, connections, rows = answer[1:]
    return Taken(float(seconds), float(living), float(processor), int(connections), int(rows))


def _floor(answer: list[str], log: Path) -> Taken:
    if len(answer) != 2:
        raise WrongAnswerError(f"the floor failed; {log.read_text()[-2000:]}")
    return Taken(float(answer[0]), float(answer[0]), float(answer[1]))


def _absolute(work: str, seconds: list[float], *, at_most: float) -> Row:
    taken = statistics.median(seconds)
    return Row(work, f"<= {at_most:g} s", taken, at_most, "s", taken / at_most, taken <= at_most)


def _counted(work: str, count: int, *, at_most: int) -> Row:
    return Row(work, f"<= {at_most}", count, at_most, "", count / at_most, count <= at_most)


def _rows(work: str, alike: list[tuple[Taken, Taken]], *, at_most: float) -> list[Row]:
    """Return a row for the clock, and one for processor time."""
    clock = [(ours.seconds, floor.seconds) for ours, floor in alike]
    busy = [(ours.processor, floor.processor) for ours, floor in alike]
    return [
        compared(f"{work}: the calls by asyncio", *zip(*clock, strict=True), unit="s", at_most=at_most),
        compared("the same, processor time", *zip(*busy, strict=True), unit="s", at_most=at_most),
    ]
