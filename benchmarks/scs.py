"""How fast the standard flavors come to a real cloud: `sync_flavors` compared with OSISM's flavor manager.

Both are started anew each time. The flavors are those of the Sovereign Cloud Stack, and the cloud has none of them, or
all.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from benchmarks.clouds import MICROVERSION, PATH, USERS
from benchmarks.databases import database
from benchmarks.load import WrongAnswerError
from benchmarks.report import Row, compared
from benchmarks.servers import ROOT, run
from flavors.scs.standard import MANDATORY, RECOMMENDED, document
from lab import Lab, seed

REGION = "Spain2"
PREFIX = "SCS-"
FLAVORS = len((*MANDATORY, *RECOMMENDED))
SECONDS_TO_ANSWER = 60


def measure(
    server: str | None, folder: Path, lab: Lab, environment: Mapping[str, str], *, manager: str, rounds: int
) -> list[Row]:
    """Measure both with everything to create, and with nothing to do.

    Args:
        manager: the program `openstack-flavor-manager`.
    """
    cloud = _cloud(lab)
    standard = folder / "scs.yaml"
    standard.write_text(json.dumps(document()))  # JSON is YAML
    theirs = [manager, "--name", "local", "--url", standard.as_uri(), "--cloud", "envvars", "--recommended"]
    with database(server, folder, flavors=0, nodes=0, secrets=environment) as url:
        settings = {**environment, "DATABASE_URL": url, **cloud}
        run(["-m", "benchmarks.fill_scs"], environment=settings)
        ours = [sys.executable, "manage.py", "sync_flavors"]
        everything: tuple[list[float], list[float]] = ([], [])
        nothing: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for who, (command, told) in enumerate(((ours, settings), (theirs, cloud))):
                _empty(lab)
                everything[who].append(_seconds(command, told))
                nothing[who].append(_seconds(command, told))
                _check(lab)
        _empty(lab)
    return [
        compared(f"{FLAVORS} SCS flavors into a cloud: OSISM's flavor manager", *everything, unit="s", at_most=1),
        compared("the same, nothing to do", *nothing, unit="s", at_most=1 / 3),
    ]


def _cloud(lab: Lab) -> dict[str, str]:
    user = USERS[REGION]
    return {
        "OS_AUTH_URL": lab.keystone_url,
        "OS_REGION_NAME": REGION,
        "OS_USERNAME": user,
        "OS_PASSWORD": seed.PASSWORD,
        "OS_PROJECT_NAME": next(known.project for known in seed.USERS if known.name == user),
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_IDENTITY_API_VERSION": "3",
    }


def _seconds(command: list[str], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 — a command of our own, or one that was named
        command, cwd=ROOT, env=os.environ | dict(environment), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise WrongAnswerError(f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return seconds


def _empty(lab: Lab) -> None:
    for flavor in _standard_ones(lab):
        url = f"{lab.nova_url(REGION)}/flavors/{flavor['id']}"
        requests.delete(url, headers=_headers(lab), timeout=SECONDS_TO_ANSWER).raise_for_status()


def _check(lab: Lab) -> None:
    if len(there := _standard_ones(lab)) != FLAVORS:
        raise WrongAnswerError(f"the cloud has {len(there)} of {FLAVORS} flavors")


def _standard_ones(lab: Lab) -> list[dict[str, str]]:
    answer = requests.get(f"{lab.nova_url(REGION)}{PATH}", headers=_headers(lab), timeout=SECONDS_TO_ANSWER)
    return [flavor for flavor in answer.json()["flavors"] if flavor["name"].startswith(PREFIX)]


def _headers(lab: Lab) -> dict[str, str]:
    return {"X-Auth-Token": lab.token(USERS[REGION]), **MICROVERSION}
