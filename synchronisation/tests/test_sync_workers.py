"""Workers as processes of their own, with the queue in the database and in Redis, at the lab's clouds."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from subprocess import Popen
from threading import Event
from typing import IO

import pytest
import redis
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from flavorsync_project.telemetry.figures import FOLDER
from synchronisation.claiming import MAX_ATTEMPTS
from synchronisation.models import SyncNode, SyncRun
from testing.federation import CLOUDS
from testing.flavors import make_flavor
from testing.proxied import SOON, Clouds, until
from testing.proxy import Exchange, before, forwarded, hanging_up

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

Process = Popen[bytes]

REDIS = "redis://127.0.0.1:6379/13"
REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DEAD_REDIS = "redis://127.0.0.1:1/0"
START = """
from flavors.tasks import start_run
from infrastructures.models import Infrastructure
start_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)
"""


@dataclass
class Queue:
    """A queue, and whoever has to do with it; *environment* says where it is."""

    clouds: Clouds
    environment: dict[str, str]
    folder: Path
    _started: list[Process] = field(default_factory=list)
    _logs: list[IO[bytes]] = field(default_factory=list)

    def start_run(self) -> SyncRun:
        """Have another process put a repairing run over all clouds into the queue."""
        self.manage("shell", "-c", START)
        return SyncRun.objects.all()[0]

    def manage(self, *arguments: str) -> str:
        """Type a command, which must succeed, and return what it printed."""
        answer = self.clouds.process.manage(*arguments, environment=self.environment)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def begin(self, *arguments: str) -> Process:
        """Start a command, which is ended with the test."""
        self._logs.append((self.folder / f"{len(self._logs)}.log").open("wb"))
        process = self.clouds.process.begin(*arguments, environment=self.environment, output=self._logs[-1])
        self._started.append(process)
        return process

    def said(self, process: Process) -> str:
        """Return what a command that was started has printed so far."""
        return Path(self._logs[self._started.index(process)].name).read_text()

    def end(self) -> None:
        """End whatever a test left behind."""
        for process in self._started:
            for pid in (*children(process), process.pid):
                if process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        for log in self._logs:
            log.close()


def children(process: Process) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


@contextmanager
def a_queue(clouds: Clouds, folder: Path, environment: dict[str, str]) -> Iterator[Queue]:
    queue = Queue(clouds, environment, folder)
    try:
        yield queue
    finally:
        clouds.watch()
        queue.end()


@pytest.fixture
def in_database(proxied: Clouds, tmp_path: Path) -> Iterator[Queue]:
    """The queue in the database."""
    make_flavor(flavorid="tiny", name="tiny", ram=64)
    with a_queue(proxied, tmp_path, {}) as queue:
        yield queue


@pytest.fixture
def server() -> Iterator["redis.Redis"]:
    """A database of a Redis, empty."""
    with redis.Redis.from_url(REDIS) as server:
        try:
            server.flushdb()
        except redis.ConnectionError:
            pytest.skip("no Redis answers at 127.0.0.1:6379")
        yield server
        server.flushdb()


@pytest.fixture
def in_redis(proxied: Clouds, tmp_path: Path, server: "redis.Redis") -> Iterator[Queue]:
    """The queue in Redis."""
    make_flavor(flavorid="tiny", name="tiny", ram=64)
    with a_queue(proxied, tmp_path, {"TASKS_REDIS_URL": REDIS}) as queue:
        yield queue


@pytest.fixture(params=["in_database", pytest.param("in_redis", marks=pytest.mark.thorough)])
def queue(request: pytest.FixtureRequest) -> Queue:
    """Each of the queues in turn."""
    queue: Queue = request.getfixturevalue(request.param)
    return queue


def open_runs() -> int:
    return SyncRun.objects.open().count()


def hold_first_request(clouds: Clouds) -> Event:
    """Have the first request of all wait for the event."""
    go_on = Event()

    def wait(exchange: Exchange) -> None:
        go_on.wait(SOON)
        forwarded(exchange)

    clouds.watch(1, wait)
    return go_on


def grow_old(run: SyncRun) -> None:
    """Have the run be so old that it should be in the queue for long."""
    SyncRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=1))


def test_two_workers_carry_out_each_run_once(queue: Queue) -> None:
    for _ in range(5):
        queue.start_run()
    workers = [queue.begin("run_worker") for _ in range(2)]
    until(lambda: not open_runs())
    assert list(SyncRun.objects.values_list("state", "attempts")) == [("in_sync", 1)] * 5
    assert queue.clouds.lists() == dict.fromkeys(CLOUDS, 5)
    for proxy in queue.clouds.proxies.values():
        assert proxy.seen.count("POST /v2.1/flavors") == 1
    for worker in workers:
        worker.terminate()
        assert worker.wait(SOON) == 0


@pytest.mark.thorough
def test_each_run_is_counted_once_in_files_that_do_not_become_more(
    queue: Queue, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over Redis each run is a process of its own."""
    folder = tmp_path / "figures"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))  # of the commands that are started from here, too
    settings.METRICS_TOKEN = "token-of-the-tests"
    left: list[set[str]] = []
    for runs in (3, 6):
        for _ in range(3):
            queue.start_run()
        queue.manage("run_worker", "--batch")
        assert queue.clouds.lists() == dict.fromkeys(CLOUDS, runs)
        answer = client.get("/metrics", headers={"Authorization": "Bearer token-of-the-tests"})
        for cloud in CLOUDS:
            labels = f'cloud="{cloud}",kind="nova_list"'
            assert f'flavorsync_upstream_calls_total{{{labels},outcome="answered"}} {runs}.0\n' in answer.text
            assert f"flavorsync_upstream_call_seconds_count{{{labels}}} {runs}.0\n" in answer.text
        left.append({file.name for file in folder.glob("*.db")})
        assert len([name for name in left[-1] if name.startswith("counter_")]) == 1
    assert left[0] == left[1]


def test_a_run_can_be_followed_from_our_logs_into_those_of_the_clouds(queue: Queue) -> None:
    ids: set[str | None] = set()

    def note(exchange: Exchange) -> None:
        ids.add(exchange.handler.headers.get("X-OpenStack-Request-ID"))
        forwarded(exchange)

    for proxy in queue.clouds.proxies.values():
        proxy.plan("*", "", note)
    run = queue.start_run()
    worker = queue.begin("run_worker", "--batch")
    assert worker.wait(SOON) == 0
    (of_run,) = ids
    lines = [line for line in queue.said(worker).splitlines() if f"synchronisation.tasks Run {run.pk}" in line]
    assert [str(of_run) in line for line in lines] == [True, True]
    ids.clear()
    queue.manage("sync_flavors", "--dry-run")
    (of_command,) = ids
    assert REQUEST_ID.fullmatch(str(of_command))
    assert of_command != of_run


def test_sigterm_ends_a_worker_after_the_run_at_hand(queue: Queue) -> None:
    first = queue.start_run()
    second = queue.start_run()
    go_on = hold_first_request(queue.clouds)
    worker = queue.begin("run_worker")
    until(lambda: queue.clouds.count)
    worker.terminate()
    until(lambda: "shut" in queue.said(worker))
    go_on.set()
    assert worker.wait(SOON) == 0
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (SyncRun.State.IN_SYNC, SyncRun.State.WAITING)

    queue.manage("run_worker", "--batch")
    second.refresh_from_db()
    assert second.state == SyncRun.State.IN_SYNC


@pytest.mark.thorough
def test_a_node_that_kills_every_worker_is_given_up_and_the_others_are_done(in_database: Queue) -> None:
    run = in_database.start_run()
    deadly = in_database.clouds.proxies["Spain2"]
    for attempt in range(1, MAX_ATTEMPTS + 1):
        running: Future[Process] = Future()
        deadly.heal()
        deadly.plan("*", "", before(partial(kill_once_the_others_are_done, running, run), hanging_up))
        running.set_result(in_database.begin("run_worker", "--batch"))
        assert running.result().wait(SOON) == -signal.SIGKILL
        run.refresh_from_db()
        assert (run.state, run.attempts) == (SyncRun.State.RUNNING, attempt)
        until(partial(taken_up_or_ended, in_database, run))
    in_database.manage("run_worker", "--batch")
    run.refresh_from_db()
    assert run.state == SyncRun.State.PARTLY_DONE
    assert run.nodes.get(name="Spain2").error == "The run was cut short 3 times here."
    assert set(run.nodes.exclude(name="Spain2").values_list("state", flat=True)) == {SyncNode.State.DONE}


def kill_once_the_others_are_done(running: "Future[Process]", run: SyncRun) -> None:
    """Kill a worker. A node that it is still at would be given up, too, if that happened as often."""
    try:
        until(lambda: not run.nodes.exclude(name="Spain2").exclude(state=SyncNode.State.DONE).exists())
    finally:
        connection.close()
    running.result(SOON).kill()


def taken_up_or_ended(queue: Queue, run: SyncRun) -> bool:
    """Have a scheduler look after any pause; MariaDB may not have seen yet that a worker is dead."""
    run.nodes.update(not_before=None)
    queue.manage("run_scheduler", "--once")
    run.refresh_from_db()
    return run.state != SyncRun.State.RUNNING


@pytest.mark.thorough
def test_a_run_whose_process_under_a_redis_worker_is_killed_is_taken_up(in_redis: Queue) -> None:
    interrupted = in_redis.start_run()
    go_on = hold_first_request(in_redis.clouds)
    worker = in_redis.begin("run_worker")
    until(lambda: in_redis.clouds.count)
    os.kill(children(worker)[0], signal.SIGKILL)
    go_on.set()
    until(partial(taken_up_or_ended, in_redis, interrupted))
    until(lambda: not open_runs())
    interrupted.refresh_from_db()
    assert (interrupted.state, interrupted.attempts) == (SyncRun.State.IN_SYNC, 2)


def lose_all(server: "redis.Redis") -> None:
    server.flushdb()


def be_killed_before_beginning(server: "redis.Redis") -> None:
    """Take a task as a worker of rq does, and go no further."""
    assert server.lmove("rq:queue:default", "rq:queue:default:intermediate")


@pytest.mark.thorough
@pytest.mark.parametrize("lose", [lose_all, be_killed_before_beginning])
def test_runs_that_redis_has_lost_are_taken_up(
    in_redis: Queue, server: "redis.Redis", lose: "Callable[[redis.Redis], None]"
) -> None:
    lost = in_redis.start_run()
    grow_old(lost)
    assert in_redis.manage("run_scheduler", "--once") == ""
    lose(server)
    assert in_redis.manage("run_scheduler", "--once") == f"Run {lost.pk} was cut short and is taken up again.\n"
    in_redis.manage("run_worker", "--batch")
    lost.refresh_from_db()
    assert (lost.state, lost.attempts) == (SyncRun.State.IN_SYNC, 1)


@pytest.mark.thorough
def test_a_redis_that_is_away_loses_no_run_and_ends_no_scheduler(proxied: Clouds, tmp_path: Path) -> None:
    make_flavor(flavorid="tiny", name="tiny", ram=64)
    with a_queue(proxied, tmp_path, {"TASKS_REDIS_URL": DEAD_REDIS}) as queue:
        waiting = queue.start_run()
        grow_old(waiting)
        scheduler = queue.begin("run_scheduler", "--interval", "0.1")
        until(lambda: queue.said(scheduler).count("The scheduler could not work") > 1)
        scheduler.terminate()
        assert scheduler.wait(SOON) == 0
        waiting.refresh_from_db()
        assert waiting.state == SyncRun.State.WAITING

        queue.environment = {}  # Redis is given up, and the queue is in the database from now on
        queue.manage("run_scheduler", "--once")
        queue.manage("run_worker", "--batch")
    waiting.refresh_from_db()
    assert waiting.state == SyncRun.State.IN_SYNC


def test_two_runs_never_work_on_the_same_cloud_at_once(in_database: Queue) -> None:
    clouds = in_database.clouds
    go_on = hold_first_request(clouds)
    first = in_database.begin("sync_flavors", "--node", "Spain2")
    until(lambda: clouds.count)
    second = in_database.begin("sync_flavors", "--node", "Spain2", "--node", "Mordor")
    until(lambda: SyncNode.objects.filter(name="Mordor", state=SyncNode.State.DONE).exists())
    assert SyncNode.objects.filter(name="Spain2", finished_at=None).count() == 2
    assert len(clouds.proxies["Spain2"].seen) == 1
    go_on.set()
    assert (first.wait(SOON), second.wait(SOON)) == (0, 0)

    # The whole of the first, and then the whole of the second, which found nothing left to do.
    seen = clouds.proxies["Spain2"].seen
    assert clouds.lists() == {"Spain2": 2, "Lannion2": 0, "Mordor": 1}
    assert seen.count("POST /v2.1/flavors") == 1
    assert seen.index("POST /v2.1/flavors") < len(seen) - 1 - seen[::-1].index("GET /v2.1/flavors/detail")
