"""What scripts/serve --lab prints works as pasted."""

import json
import re
import shlex
import subprocess

import pytest

from scripts.tests.checkout import ROOT, Checkout
from testing.lab import lab_of_the_tests

pytestmark = pytest.mark.lab

SIGN_INS = {
    "both": ["the FIWARE IdM, /sign-in/keyrock", "Keystone, /sign-in/keystone", "the account admin of this service"],
    "keystone": ["Keystone, /sign-in/keystone", "the account admin of this service"],
    "openid": ["OpenID Connect, /sign-in/keyrock", "Keystone, /sign-in/keystone", "the account admin of this service"],
}


@pytest.mark.thorough
@pytest.mark.parametrize("identity", SIGN_INS)
def test_the_commands_printed_work_as_pasted_and_so_they_do_the_next_time(checkout: Checkout, identity: str) -> None:
    # The tests' own lab, not one more.
    checkout.put_script("lab", f'#!/bin/sh\nexec "{ROOT}/scripts/lab" "$@"\n')

    for _ in range(2):
        server = checkout.serve("--lab", "--identity", identity)
        assert ("$IDM_TOKEN_MANAGER" in server.printed) == (identity == "both")
        assert "$KEYSTONE_TOKEN_FLAVOR_MANAGER" in server.printed
        assert _sign_ins(server.printed) == SIGN_INS[identity]
        lines = _commands(server.printed)
        answers = [_paste(line) for line in lines]
        server.stop()

        regions, flavors, created = answers
        assert [region["name"] for region in regions["Infrastructures"]] == ["Lannion2", "Mordor", "Spain2"]
        assert "m1.tiny" in [flavor["name"] for flavor in flavors["flavors"]]
        assert created["flavor"]["nodes"] == ["Spain2"]
        assert _nodes_ready(checkout) == {"Lannion2": True, "Mordor": True, "Spain2": True}
        assert created["flavor"]["name"] in lines[2]


def _nodes_ready(checkout: Checkout) -> dict[str, bool]:
    answer = subprocess.run(
        [checkout.root / ".venv" / "bin" / "python", "manage.py", "check_infrastructures", "--json"],
        cwd=checkout.root,
        # As in a terminal with the lab's settings: without them no cloud is looked for on this machine.
        env=checkout.environment(dict(lab_of_the_tests().environment())),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {readiness["node"]: readiness["ready"] for readiness in json.loads(answer.stdout)}


def _sign_ins(printed: str) -> list[str]:
    """Return with what one can sign in, and on which page."""
    ways = re.findall(r"^    with (.*?)(?:: .*|, whose .*)$", printed, re.MULTILINE)
    return [re.sub(r"http://[^/]+", "", way) for way in ways]


def _commands(printed: str) -> list[str]:
    lines = re.findall(r"^curl .*$", printed, re.MULTILINE)
    assert len(lines) == 3, printed
    return lines


def _paste(line: str) -> dict[str, list[dict[str, str]]]:
    answer = subprocess.run(
        ["bash", "-c", line.replace("curl ", "curl -sS --fail-with-body ", 1)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, f"{shlex.split(line)[-1]}: {answer.stdout}{answer.stderr}"
    body: dict[str, list[dict[str, str]]] = json.loads(answer.stdout)
    return body
