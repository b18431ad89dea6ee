"""Kill parts of the service at random moments, under five writers and a synchronisation; check that nothing is lost.

`scripts/campaign kills --help` says how to run it.
"""

import argparse
import os
import random
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.campaigns.checker import Findings, check
from deploy.campaigns.victims import Victims
from deploy.campaigns.writers import NODES, Resizer, Synchroniser, make_writers
from deploy.tests.load import OPERATOR, Client, Record
from deploy.tests.stack import ROOT, MariaDB, Shape, SQLite, Stack, running_stack
from lab import Lab, seed

SECONDS_BETWEEN_KILLS = (0.2, 2.0)
SECONDS_TO_FINISH = 300
"""Seconds within which each writer must be certain of its last write."""
DATABASES: dict[str, type[MariaDB]] = {"mariadb": MariaDB, "sqlite": SQLite}
SETTINGS = {
    "OPENSTACK_TIMEOUT": "5",
    # A killed process carries out nothing more, so unanswered changes need not be watched for long.
    "LOST_ANSWER_SECONDS": "15",
    "CLOUD_BREAKER_SECONDS": "3",
    "SYNC_INTERVAL_MINUTES": "0",
    "KEYSTONE_IDENTITY": "true",
    "KEYSTONE_MANAGERS": seed.KEYSTONE_MANAGERS,
    "COMPUTE_SETTLE_SECONDS": "1",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print its figures; return status 1 if something was lost, half done or wrong."""
    options = _parser().parse_args(arguments)
    lab = Lab(os.environ.get("FLAVORSYNC_LAB", "test"))
    lab.up(lambda message: print(message, file=sys.stderr))
    findings = campaign(
        lab,
        database=options.database,
        queue=options.queue,
        kills=options.kills,
        seed_=options.seed,
        logs=options.logs,
        checkout=options.checkout,
    )
    return 1 if findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/campaign kills", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, default="mariadb")
    parser.add_argument("--queue", choices=["database", "redis"], default="database")
    parser.add_argument("--kills", type=int, default=100, help="how many kills (100)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the random numbers (1)")
    parser.add_argument("--logs", type=Path, help="a new folder to keep the service's logs in")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the checkout to test, such as an earlier version")
    return parser


def campaign(
    lab: Lab,
    *,
    database: str,
    queue: str,
    kills: int,
    seed_: int,
    logs: Path | None = None,
    checkout: Path = ROOT,
) -> Findings:
    """Kill *kills* times, print what was killed and the outcome, and return everything that is wrong."""
    lab.reset()
    with a_service(lab, database, queue, checkout) as stack:
        record, ended = Record(), threading.Event()
        writers = make_writers(stack, record, ended)
        _prepare(writers, lab)
        for writer in writers:
            writer.start()
        killed = _kill(stack, lab, kills, random.Random(seed_), has_connections=database == "mariadb")
        lasted = record.seconds
        ended.set()
        _join(writers, record)
        known = {id: flavor for writer in writers for id, flavor in writer.flavors.items()}
        findings = check(stack, known, record.wrong)
        if logs:
            shutil.copytree(stack.log, logs)
    lab.reset()
    print(f"{database}, queue in {queue}, seed {seed_}: {killed.total()} kills in {lasted:.0f} s")
    _print_figures(killed, writers, record, findings)
    print(f"{len(known)} flavors in the end. {findings}")
    return findings


@contextmanager
def a_service(lab: Lab, database: str, queue: str, checkout: Path) -> Iterator[Stack]:
    """Run a checkout's whole service with a scheduler, two clouds, and an operator of both."""
    shape = Shape(database=DATABASES[database], queue_in_redis=queue == "redis", checkout=checkout)
    with running_stack(lab, shape, **SETTINGS) as stack:
        for node, keystone in {"Mordor": lab.mordor_keystone_url, "Spain2": lab.keystone_url}.items():
            account = ["--username", f"{node.lower()}-admin", "--tenant", node.lower(), "--password-file", "-"]
            stack.manage("register_infrastructure", node, "--keystone-url", keystone, *account, stdin=seed.PASSWORD)
        clouds = [argument for node in NODES for argument in ("--infrastructure", node)]
        stack.manage("create_operator", OPERATOR["user"], *clouds, "--password-file", "-", stdin=OPERATOR["password"])
        stack.control("start", "flavor-sync:scheduler")
        yield stack


def _prepare(writers: Sequence[Client], lab: Lab) -> None:
    for writer in writers:
        if isinstance(writer, Resizer):
            writer.prepare(lab)


def _kill(stack: Stack, lab: Lab, kills: int, chance: random.Random, *, has_connections: bool) -> Counter[str]:
    """Kill one victim after the other, about equally many of each kind."""
    kinds = Victims(stack, lab, chance).kinds(has_connections=has_connections)
    sequence = [kinds[number % len(kinds)] for number in range(kills)]
    chance.shuffle(sequence)
    killed: Counter[str] = Counter()
    for kill in sequence:
        time.sleep(chance.uniform(*SECONDS_BETWEEN_KILLS))
        kill()
        killed[kill.__name__.replace("_", " ")] += 1
    return killed


def _join(writers: Sequence[Client], record: Record) -> None:
    deadline = time.monotonic() + SECONDS_TO_FINISH
    for writer in writers:
        writer.join(max(0, deadline - time.monotonic()))
        if writer.is_alive():
            record.complain(f"{writer.name} has not ended")


def _print_figures(killed: Counter[str], writers: Sequence[Client], record: Record, findings: Findings) -> None:
    print(f"  {_listed(killed)}")
    print(f"  {record.statuses.total()} requests, {record.repeated} writes repeated; {_by_status(record)}")
    for writer in writers:
        if isinstance(writer, Synchroniser):
            runs = f"{writer.ended_in.total()} runs: {_listed(writer.ended_in)}"
            print(f"  {runs}; cut short three times and given up: {findings.given_up}")


def _by_status(record: Record) -> str:
    counted: Counter[Any] = Counter()
    for (_, status), number in record.statuses.items():
        counted[status or "broken off"] += number
    return ", ".join(f"{status}: {number}" for status, number in sorted(counted.items(), key=str))


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{what} {number}" for what, number in sorted(counted.items()))


if __name__ == "__main__":
    sys.exit(main())
