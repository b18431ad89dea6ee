"""Our own process killed (SIGKILL) at each step of an update, and then started again: no flavor is lost."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from regions.tests.clouds import Cloud, Tokens, Whole
from testing import proxy as faults
from testing.fixtures import BASIC
from testing.process import Process
from testing.proxy import ACTION, EXTRA_SPECS, FLAVOR, FLAVORS, Fault, NovaProxy
from testing.wire import Wire

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.database]

URL = "/v1/regions/Isengard/flavors"
CHANGES = {"name": "crashed", "ram": 77}

Kill = Callable[[Callable[[], object]], Fault]
Crash = Callable[[Wire, str], None]


def unanswered(kill: Callable[[], object]) -> Fault:
    """Kill before Nova has seen the request."""
    return faults.before(kill, faults.hanging_up)


# The step of the update, and the request to Nova at which we are killed, before or after Nova carries it out
STEPS: dict[str, tuple[str, str, Kill]] = {
    "before the deletion": ("DELETE", FLAVOR, unanswered),
    "after the deletion": ("DELETE", FLAVOR, faults.after),
    "before the creation": ("POST", FLAVORS, unanswered),
    "after the creation": ("POST", FLAVORS, faults.after),
    "after the extra specs": ("POST", EXTRA_SPECS, faults.after),
    "after the first grant": ("POST", ACTION, faults.after),
}
# Nova has neither the old flavor nor the new one.
AT_ITS_WORST = "before the creation"


def open_replacements(process: Process) -> list[dict[str, Any]]:
    """Return those that the service's own command lists."""
    listed = process.manage("settle_replacements", "--json")
    assert listed.returncode == 0, listed.stderr
    return [record for record in json.loads(listed.stdout) if record["state"] != "watched"]


@pytest.fixture
def rich(spain2: Cloud) -> Whole:
    """A private flavor with extra specs and two grants."""
    return spain2.make_rich_flavor()


@pytest.fixture
def admin_headers(tokens: Tokens) -> dict[str, str]:
    """An administrator of the cloud."""
    return BASIC | tokens("spain2-admin")


@pytest.fixture
def crash(
    process: Process, proxy: NovaProxy, admin_headers: dict[str, str], rich: Whole
) -> Callable[[Wire, str], None]:
    """Update the rich flavor, be killed at the step, and be started again."""

    def crash(wire: Wire, step: str) -> None:
        method, path, kill = STEPS[step]
        plan = proxy.plan(method, path, kill(process.kill), times=1)
        with pytest.raises(requests.ConnectionError):
            process.send(wire, admin_headers, "PUT", f"{URL}/{rich['id']}", CHANGES)
        assert plan.met == 1
        proxy.heal()
        process.start()

    return crash


@pytest.mark.parametrize(
    "step", [step if step == AT_ITS_WORST else pytest.param(step, marks=pytest.mark.thorough) for step in STEPS]
)
def test_the_next_administrators_list_settles_it(
    process: Process,
    spain2: Cloud,
    tokens: Tokens,
    admin_headers: dict[str, str],
    rich: Whole,
    crash: Crash,
    wire: Wire,
    step: str,
) -> None:
    crash(wire, step)
    left = spain2.flavors().get(rich["id"])

    listed = process.send(wire, BASIC | tokens("spain2-member"), "GET", URL)
    assert listed.status == 200
    assert {"1", "5", "spain2-secret"} < {flavor["id"] for flavor in listed.body["flavors"]}
    assert spain2.flavors().get(rich["id"]) == left
    assert [record["id"] for record in open_replacements(process)] == [rich["id"]]

    listed = process.send(wire, admin_headers, "GET", URL)
    expected = rich if step == "before the deletion" else {**rich, **CHANGES}
    assert spain2.flavor(rich["id"]) == expected
    assert [flavor["name"] for flavor in listed.body["flavors"] if flavor["id"] == rich["id"]] == [expected["name"]]
    assert open_replacements(process) == []


@pytest.mark.parametrize("step", [AT_ITS_WORST, pytest.param("after the first grant", marks=pytest.mark.thorough)])
def test_the_command_settles_it(
    process: Process,
    spain2: Cloud,
    admin_headers: dict[str, str],
    rich: Whole,
    crash: Crash,
    wire: Wire,
    step: str,
) -> None:
    crash(wire, step)
    record = open_replacements(process)[0]
    assert (record["node"], record["old"]["name"], record["new"]["name"]) == ("Isengard", rich["name"], "crashed")
    token = {"OS_TOKEN": admin_headers["X-Auth-Token-KeyStone"]}

    looked = process.manage("settle_replacements", "--node", "Isengard", "--dry-run", environment=token)
    assert (looked.returncode, looked.stdout.splitlines()[-1]) == (0, "1 open.")
    assert len(open_replacements(process)) == 1

    settled = process.manage("settle_replacements", "--node", "Isengard", environment=token)
    assert (settled.returncode, settled.stdout.splitlines()[-1]) == (0, "0 open. 1 watched.")
    assert spain2.flavor(rich["id"]) == {**rich, **CHANGES}
    assert token["OS_TOKEN"] not in settled.stdout + settled.stderr


def test_the_command_says_when_the_token_may_not(
    process: Process,
    spain2: Cloud,
    tokens: Tokens,
    admin_headers: dict[str, str],
    rich: Whole,
    crash: Crash,
    wire: Wire,
) -> None:
    crash(wire, "after the deletion")
    token = {"OS_TOKEN": tokens("spain2-member")["X-Auth-Token-KeyStone"]}
    settled = process.manage("settle_replacements", "--node", "Isengard", environment=token)
    assert (settled.returncode, settled.stdout.splitlines()[-1]) == (1, "1 open.")
    assert "Policy doesn't allow" in settled.stdout
    assert process.send(wire, admin_headers, "GET", f"{URL}/{rich['id']}").body["flavor"]["name"] == "crashed"
    assert spain2.flavor(rich["id"]) == {**rich, **CHANGES}
