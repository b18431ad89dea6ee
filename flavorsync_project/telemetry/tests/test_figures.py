"""Processes that share a folder for metrics: their counts add up, and the number of files does not grow."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from flavorsync_project.telemetry.figures import FOLDER, forget_the_dead
from testing.source import ROOT

pytestmark = pytest.mark.process

# Two figures, and words for what a process does with them: each line that comes in is executed, and answered by its
# number when that is done.
PROCESS = """
import flavorsync_project, os, signal, sys
from prometheus_client import Counter, Gauge

calls = Counter("calls", "")
seconds = Counter("seconds", "", ["cloud"])
dead_hosts = Gauge("dead_hosts", "", multiprocess_mode="livesum")

def in_a_child(work):
    child = os.fork()
    if not child:
        work()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

def answer(text):
    os.write(1, f"{text}\\n".encode())

for line in sys.stdin:
    exec(line)
    answer("done")
"""


class Counting:
    """A process that counts into a folder, as told."""

    def __init__(self, folder: Path) -> None:
        environment = {"PATH": os.environ["PATH"], FOLDER: str(folder)}
        command = [sys.executable, "-c", PROCESS]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, line: str) -> None:
        """Have it execute a line of Python, and wait until it has."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self.said() == "done"

    def said(self) -> str:
        """Return the next line that it, or a child of its, says."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        """Have it execute a line of Python, which it need not survive."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def __enter__(self) -> "Counting":
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.kill()
        self._process.communicate()


def told(folder: Path) -> dict[str, float]:
    """Return the figures of all."""
    registry = CollectorRegistry()
    forget_the_dead(folder)
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return {sample.name: sample.value for metric in registry.collect() for sample in metric.samples}


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("*.db")}


OF_TWO = {f"{kind}_{place}.db" for kind in ("counter", "gauge_livesum") for place in (0, 1)}


def test_processes_that_live_at_once_have_each_a_place(tmp_path: Path) -> None:
    with Counting(tmp_path) as one, Counting(tmp_path) as other:
        for process in (one, other, one):
            process.do("calls.inc(); dead_hosts.set(2)")
        assert told(tmp_path) == {"calls_total": 3, "dead_hosts": 4}
    assert files(tmp_path) == OF_TWO


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_goes_on_from_what_one_that_is_gone_has_counted(tmp_path: Path, way: signal.Signals) -> None:
    for _ in range(5):
        with Counting(tmp_path) as process:
            process.do("calls.inc(); seconds.labels('Mordor').inc(0.5)")
            process.tell(f"os.kill(os.getpid(), {int(way)})")
            assert process.said() == ""
    assert told(tmp_path) == {"calls_total": 5, "seconds_total": 2.5}
    assert files(tmp_path) == {"counter_0.db"}


def test_what_was_true_of_a_process_alone_goes_with_it(tmp_path: Path) -> None:
    with Counting(tmp_path) as process:
        process.do("dead_hosts.set(1)")
        assert told(tmp_path)["dead_hosts"] == 1
    assert "dead_hosts" not in told(tmp_path)


def test_a_process_does_not_inherit_what_was_true_of_the_last_one(tmp_path: Path) -> None:
    """Whether or not anybody has asked in between."""
    with Counting(tmp_path) as process:
        process.do("dead_hosts.set(1)")
    with Counting(tmp_path) as process:
        process.do("calls.inc()")
        assert told(tmp_path) == {"calls_total": 1, "dead_hosts": 0}


def test_children_that_follow_one_another_count_in_the_same_files(tmp_path: Path) -> None:
    """As the runs do that a worker over Redis carries out, each in a child."""
    with Counting(tmp_path) as parent:
        parent.do("calls.inc(100)")
        for _ in range(5):
            parent.do("in_a_child(lambda: (calls.inc(), seconds.labels('Mordor').inc(2)))")
        parent.do("calls.inc(100); seconds.labels('Mordor').inc(1)")
        assert told(tmp_path) == {"calls_total": 205, "seconds_total": 11, "dead_hosts": 0}
    assert files(tmp_path) == OF_TWO - {"gauge_livesum_1.db"}


def test_a_child_whose_parent_is_gone_loses_nothing(tmp_path: Path) -> None:
    """It would if it took its parent's place: the parent has counted there after the child was made."""
    orphan = "os.close(write), os.read(read, 1), calls.inc(), answer('counted'), os._exit(0)"
    with Counting(tmp_path) as parent:
        parent.tell(
            "calls.inc(); read, write = os.pipe(); child = os.fork(); "
            f"(calls.inc(), os.kill(os.getpid(), signal.SIGKILL)) if child else ({orphan})"
        )
        assert parent.said() == "counted"
    assert told(tmp_path)["calls_total"] == 3


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], FOLDER: str(tmp_path / "none")}
    started = subprocess.run(
        [sys.executable, "-c", "import flavorsync_project"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert started.returncode == 1
    assert f"{tmp_path}/none" in started.stderr
