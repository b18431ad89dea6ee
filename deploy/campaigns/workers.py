"""Kill workers, two at a time, at random moments of runs that they share, over the farm of simulated clouds.

`scripts/campaign workers --help` says how to run it.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django
import redis
import requests
from cryptography.fernet import Fernet

from benchmarks.databases import answers, database
from benchmarks.servers import ROOT, listening

if TYPE_CHECKING:
    from synchronisation.models import SyncRun

FLAVORS = 5
LATENCY = 0.02
MARIADB = "mysql://root@127.0.0.1:3306/"
REDIS = "redis://127.0.0.1:6379/12"
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_END = 180
KILLED_AT_ONCE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print its figures; return status 1 if something was lost, doubled, or did not end once."""
    parser = argparse.ArgumentParser(prog="scripts/campaign workers", description=__doc__)
    parser.add_argument("--queue", choices=["database", "redis"], default="database")
    parser.add_argument("--server", default=MARIADB, help="the MariaDB to use (%(default)s); without one, SQLite")
    parser.add_argument("--redis", default=REDIS, help="a database of a Redis, which is emptied (%(default)s)")
    parser.add_argument("--workers", type=int, default=10, help="how many (%(default)s)")
    parser.add_argument("--clouds", type=int, default=150, help="how many (%(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="how many times two workers are killed (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the random numbers (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="flavor-sync-workers-") as folder, ExitStack() as stack:
        log = Path(folder) / "log"
        farm = f"http://127.0.0.1:{(port := stack.enter_context(listening('benchmarks.farm', log=log)))}/farm"
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "flavorsync_project.settings",
            "SECRET_KEY": Fernet.generate_key().decode(),
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "INFRASTRUCTURE_URL_ALLOWLIST": "127.0.0.1",
            "TASKS_REDIS_URL": options.redis if options.queue == "redis" else "",
            "SYNC_INTERVAL_MINUTES": "0",
        }
        server = options.server if answers(options.server) else None
        made = database(server, Path(folder), flavors=FLAVORS, nodes=options.clouds, farm=port)
        os.environ["DATABASE_URL"] = stack.enter_context(made)
        django.setup(set_prefix=False)
        if options.queue == "redis":
            _empty(options.redis)
        workers = stack.enter_context(_workers(options.workers, log))
        return _campaign(options, farm, workers)


def _empty(url: str) -> None:
    redis.Redis.from_url(url).flushdb()


class Workers:
    """Workers that are restarted when they are killed, as by a supervisor."""

    def __init__(self, count: int, log: Path) -> None:
        self._log = log.open("ab")
        self._running = [self._start() for _ in range(count)]

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", "run_worker"]
        return subprocess.Popen(command, cwd=ROOT, stdout=self._log, stderr=self._log, start_new_session=True)

    def kill(self, chance: random.Random, count: int) -> None:
        """Kill *count* workers, each with the process in which it carries out a task, and start others."""
        for number in chance.sample(range(len(self._running)), count):
            self._end(self._running[number])
            self._running[number] = self._start()

    def _end(self, worker: "subprocess.Popen[bytes]") -> None:
        # rq carries out a task in a process group of its own.
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        for pid in (*map(int, children), worker.pid):
            os.kill(pid, 9)
        worker.wait()

    def end(self) -> None:
        """Kill all workers."""
        for worker in self._running:
            self._end(worker)
        self._log.close()


@contextmanager
def _workers(count: int, log: Path) -> Iterator[Workers]:
    workers = Workers(count, log)
    try:
        yield workers
    finally:
        workers.end()


def _campaign(options: argparse.Namespace, farm: str, workers: Workers) -> int:
    chance, wrong = random.Random(options.seed), Counter[str]()
    lasted = _run(farm, options.clouds, workers, wrong)
    attempts: Counter[int] = Counter()
    began = time.monotonic()
    for _ in range(options.kills):
        _run(farm, options.clouds, workers, wrong, at=chance.uniform(0, lasted), chance=chance, attempts=attempts)
    seconds = time.monotonic() - began
    print(f"{options.queue}: {options.kills} kills of {KILLED_AT_ONCE} of {options.workers} workers in {seconds:.0f} s")
    print(f"  {options.clouds} clouds, {FLAVORS} flavors to create in each; a run without kills took {lasted:.1f} s")
    print(f"  nodes that were begun more than once: {sum(attempts.values())}, {dict(sorted(attempts.items()))}")
    print(f"  wrong: {dict(wrong) or 'nothing'}")
    return 1 if wrong else 0


def _run(
    farm: str,
    clouds: int,
    workers: Workers,
    wrong: Counter[str],
    *,
    at: float | None = None,
    chance: random.Random | None = None,
    attempts: Counter[int] | None = None,
) -> float:
    """Bring all flavors to empty clouds, killing workers at *at* seconds, check the result, and return the seconds."""
    from infrastructures.models import Infrastructure  # noqa: PLC0415 — the settings exist by then
    from synchronisation.models import SyncRun  # noqa: PLC0415
    from synchronisation.tasks import start_run, take_up_runs  # noqa: PLC0415

    requests.post(farm, json={"clouds": clouds, "latency": LATENCY}, timeout=30).raise_for_status()
    began = time.monotonic()
    run = start_run(requested_by="campaign", infrastructures=Infrastructure.objects.all(), repairs=True)
    look_at = began + SECONDS_BETWEEN_LOOKS
    while time.monotonic() < began + SECONDS_TO_END:
        if at is not None and chance and time.monotonic() >= began + at:
            workers.kill(chance, KILLED_AT_ONCE)
            at = None
        if time.monotonic() >= look_at:  # like a scheduler
            take_up_runs()
            look_at = time.monotonic() + SECONDS_BETWEEN_LOOKS
        if at is None and SyncRun.objects.ended().filter(pk=run.pk).exists():
            break
        time.sleep(0.02)
    lasted = time.monotonic() - began
    run.refresh_from_db()
    ended_at = run.finished_at
    take_up_runs()
    run.refresh_from_db()
    wrong["runs that ended twice"] += run.finished_at != ended_at
    _check(run, farm, clouds, wrong)
    if attempts is not None:
        attempts.update(count for count in run.nodes.values_list("attempts", flat=True) if count > 1)
    return lasted


def _check(run: "SyncRun", farm: str, clouds: int, wrong: Counter[str]) -> None:
    """Count whatever differs from the result of an undisturbed run."""
    from flavors.models import Flavor, Installation  # noqa: PLC0415

    wanted = set(Flavor.objects.values_list("flavorid", flat=True))
    base = farm.removesuffix("/farm")
    for number in range(clouds):
        headers = {"X-Auth-Token": "farm-token"}
        listed = requests.get(f"{base}/cloud/{number}/v2.1/flavors/detail", headers=headers, timeout=30).json()
        ids = [flavor["id"] for flavor in listed["flavors"]]
        wrong["clouds that lack a flavor or have another one"] += set(ids) != wanted
        wrong["clouds with a flavor twice"] += len(ids) != len(set(ids))
    counts = run.nodes_ended, run.nodes_compared, run.node_count
    wrong["runs that did not end in sync"] += run.state != "in_sync"
    wrong["runs whose counters are not their nodes'"] += set(counts) != {clouds}
    missing = clouds * len(wanted) - Installation.objects.count()
    wrong["flavors that are not recorded, or twice"] += abs(missing)
    for what in [what for what, count in wrong.items() if not count]:
        del wrong[what]


if __name__ == "__main__":
    sys.exit(main())
