"""An instance of the lab as a whole: starting, repairing and ending it, and its command."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import Lab, LabError, UnreachableError
from lab.install import ROOT
from lab.tests.conftest import Ask

pytestmark = pytest.mark.lab


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Type `scripts/lab …` in another folder."""
    command = [str(ROOT / "scripts" / "lab"), *arguments]
    return subprocess.run(command, cwd="/", capture_output=True, text=True)


def pids(lab: Lab) -> dict[str, int | None]:
    return {name: daemon.pid() for name, daemon in lab.daemons().items()}


def test_up_again_changes_nothing(lab: Lab) -> None:
    before, flavors = pids(lab), lab.flavors("Spain2")
    started = time.monotonic()
    lab.up()
    assert time.monotonic() - started < 2
    assert pids(lab) == before
    assert lab.flavors("Spain2") == flavors


def test_up_starts_only_what_is_missing(lab: Lab) -> None:
    before = pids(lab)
    flavors = lab.flavors("Lannion2")
    lab.kill("nova-Lannion2")
    assert not lab.daemons()["nova-Lannion2"].running()
    with pytest.raises(UnreachableError):
        lab.flavors("Lannion2")
    with pytest.raises(LabError, match="not up"):
        lab.environment()
    lab.up()
    after = pids(lab)
    assert {name for name in after if after[name] != before[name]} == {"nova-Lannion2"}
    assert lab.flavors("Lannion2") == flavors


def test_one_service_is_killed_and_started(lab: Lab, ask: Ask) -> None:
    lab.kill("idm")
    assert pids(lab)["idm"] is None
    lab.start("idm")
    assert ask(f"{lab.idm_url}/user").status == 401


@pytest.mark.thorough
def test_a_keystone_that_has_just_started_refuses_none_of_many_requests(lab: Lab, ask: Ask) -> None:
    for _ in range(3):
        lab.kill("keystone")
        lab.start("keystone")
        token = lab.token("spain2-admin")
        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(ask, f"{lab.keystone_url}/regions", token) for _ in range(12)]
        assert {one.result().status for one in asked} == {200}


def test_counting_goes_on_over_a_restart(lab: Lab, ask: Ask) -> None:
    with lab.counting() as served:
        ask(f"{lab.idm_url}/user")
        lab.kill("idm")
        lab.start("idm")
        ask(f"{lab.idm_url}/user")
    assert served["idm"] == {"GET /user": 2}


def test_the_environment_holds_tokens_that_work(lab: Lab, ask: Ask) -> None:
    environment = lab.environment()
    for name, region in (
        ("SPAIN2_ADMIN", "Spain2"),
        ("LANNION2_MEMBER", "Lannion2"),
        ("MORDOR_ADMIN", "Mordor"),
        ("SPAIN2_OPERATOR", "Spain2"),
    ):
        token = environment[f"KEYSTONE_TOKEN_{name}"]
        assert ask(f"{lab.nova_url(region)}/flavors", token).status == 200
    idm = environment["KEYROCK_URL"]
    answer = ask(f"{idm}/user?access_token={environment['IDM_TOKEN_OWNER_MORDOR']}")
    assert answer.body["app_id"] == environment["KEYROCK_APP_IDS"]
    assert environment["KEYSTONE_URL"].endswith("/v3")


def test_the_command_prints_the_environment(lab: Lab) -> None:
    printed = run_command("env", "--json", "--name", lab.name)
    environment = json.loads(printed.stdout)
    assert environment.keys() == lab.environment().keys()
    exports = run_command("--name", lab.name, "env").stdout
    assert f"export KEYSTONE_URL={lab.keystone_url}\n" in exports


def test_the_command_counts_from_a_mark(lab: Lab, ask: Ask) -> None:
    mark = json.loads(run_command("requests", "--json", "--name", lab.name).stdout)["mark"]
    ask(f"{lab.idm_url}/user")
    since = run_command("requests", "--json", "--since", mark, "--name", lab.name)
    assert json.loads(since.stdout)["served"]["idm"] == {"GET /user": 1}
    assert "is not a mark" in run_command("requests", "--since", "yesterday").stderr


def test_the_status_is_also_an_exit_status(lab: Lab) -> None:
    assert run_command("status", "--name", lab.name).returncode == 0
    nothing = run_command("status", "--name", "never-made")
    assert nothing.returncode == 1
    assert nothing.stdout == "There is no lab 'never-made' yet.\n"


def test_what_goes_wrong_is_one_line() -> None:
    for name, line in (
        ("../up", "lab: '../up' cannot name a lab: use a-z, 0-9 and '-'\n"),
        ("never-made", "lab: there is no lab 'never-made' yet: 'up' makes one\n"),
    ):
        failed = run_command("env", "--name", name)
        assert (failed.returncode, failed.stdout, failed.stderr) == (2, "", line)


@pytest.fixture
def brief() -> Iterator[Lab]:
    """A separate instance that is removed afterwards."""
    instance = Lab("brief")
    yield instance
    instance.down()
    shutil.rmtree(instance.folder, ignore_errors=True)


@pytest.mark.thorough
def test_down_leaves_no_process_and_no_other_lab_notices(lab: Lab, brief: Lab) -> None:
    others = pids(lab)
    starts = [threading.Thread(target=brief.up) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    processes = pids(brief)
    assert all(processes.values())
    assert {daemon.port for daemon in brief.daemons().values()}.isdisjoint(
        daemon.port for daemon in lab.daemons().values()
    )
    brief.down()
    assert not any(pids(brief).values())
    for pid in processes.values():
        assert pid
        assert not Path(f"/proc/{pid}/exe").exists()  # a process that init has yet to bury has none
    brief.down()
    assert pids(lab) == others


@pytest.mark.thorough
def test_up_at_once_after_a_master_was_killed_alone(brief: Lab, ask: Ask) -> None:
    brief.up()
    before = pids(brief)
    killed = before["nova-Spain2"]
    assert killed
    os.kill(killed, signal.SIGKILL)
    status = run_command("status", "--name", brief.name)
    assert status.returncode == 1
    assert [line.split()[:3] for line in status.stdout.splitlines() if "Spain2" in line] == [
        ["nova-Spain2", "down", "-"]
    ]
    up = run_command("up", "--name", brief.name)
    assert up.returncode == 0, up.stderr
    after = pids(brief)
    assert {name for name in after if after[name] != before[name]} == {"nova-Spain2"}
    assert all(after.values())
    assert ask(f"{brief.nova_url('Spain2')}/flavors", brief.token("spain2-admin")).status == 200
