"""What the pages of the documentation show at a shell prints what they show: one page is one session beside the lab."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from compute.tests.clients.environment import environment_of
from lab import Lab, seed
from scripts.tests import sessions
from scripts.tests.checkout import ROOT, Checkout
from testing.lab import lab_of_the_tests
from testing.proxied import until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

SERVED = "http://127.0.0.1:5000"
# What a terminal shows: errors where they happen, and none of curl's progress. What still runs ends with the session.
AT_A_TERMINAL = """\
exec 2>&1
curl() { command curl -sS "$@"; }
trap 'kill $(jobs -p) 2>/dev/null' EXIT
"""
CLIENTS = ("openstackclient", "ansible", "flavor-manager")


def nothing(lab: Lab) -> None:
    """Change nothing in the lab."""


def drift(lab: Lab) -> None:
    """Make the flavors that docs/synchronisation.md begins with."""
    lab.create_flavor("Spain2", "fl.tiny", flavor_id="tiny", vcpus=1, ram=512, disk=1)
    dedicated = {"hw:cpu_policy": "dedicated"}
    lab.create_flavor("Spain2", "fl.small", flavor_id="small", ram=2048, disk=20, extra_specs=dedicated)
    lab.create_flavor("Spain2", "fl.large", flavor_id="large", vcpus=4, ram=8192, disk=80)
    shared = {"hw:cpu_policy": "shared"}
    lab.create_flavor("Mordor", "fl.small", flavor_id="a1b2", ram=2048, disk=20, extra_specs=shared)
    lab.create_flavor("Mordor", "FL.large", flavor_id="big", vcpus=4, ram=16384, disk=80)


@dataclass(frozen=True)
class Session:
    """Beside what a page's session is run."""

    served: bool = True
    """Whether scripts/serve --lab runs, as another terminal has it."""
    prepare: Callable[[Lab], None] = nothing
    left: set[str] | None = None
    """The federation's flavors that every cloud has in the end."""


SESSIONS = {
    "README.md": Session(left={"fed.small", "fed.big"}),
    "docs/tour.md": Session(left={"fed.tiny"}),
    "docs/commands.md": Session(served=False),
    "docs/synchronisation.md": Session(prepare=drift),
    "docs/openstack-clients.md": Session(),
    "docs/keystone.md": Session(served=False),
    "docs/lab.md": Session(served=False),
    "docs/subscribers.md": Session(served=False),
}


@pytest.fixture(scope="module")
def the_lab() -> Iterator[Lab]:
    """The tests' lab, which has its seed again after the last page."""
    lab = lab_of_the_tests()
    yield lab
    lab.up()
    lab.reset()


@pytest.fixture
def lab(the_lab: Lab) -> Lab:
    """The tests' lab, with its seed."""
    the_lab.up()
    the_lab.reset()
    return the_lab


@dataclass(frozen=True)
class Prepared:
    """What scripts/serve --lab has left, and on which port it has served."""

    root: Path
    port: int


@pytest.fixture(scope="module")
def prepared(the_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A database with the lab's regions, made once: each page begins with a copy."""
    checkout = Checkout(tmp_path_factory.mktemp("prepared"))
    the_tests_lab(checkout, the_lab)
    server = checkout.serve("--lab")
    server.stop()
    return Prepared(checkout.root, server.port)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[] if page == "README.md" else pytest.mark.thorough) for page in SESSIONS]
)
def test_a_page_can_be_pasted(page: str, lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    session, found = SESSIONS[page], sessions.steps(ROOT / page)
    session.prepare(lab)
    with beside_a_server(lab, tmp_path, request) if session.served else alone(tmp_path) as (checkout, url):
        # What the lab is asked from now on.
        the_tests_lab(checkout, lab, since=lab.mark())
        printed = pasted(sessions.script(found).replace(SERVED, url), checkout, lab)
        wrong = sessions.differences(found, printed)
        assert not wrong, f"{page} shows something else than\n{''.join(wrong)}"
        if session.left is not None:
            # What was made and deleted is so in every cloud, within seconds.
            until(lambda: names_in(lab) == [session.left] * len(seed.REGIONS))


@contextmanager
def beside_a_server(lab: Lab, folder: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Checkout, str]]:
    """Serve a copy of what scripts/serve --lab has prepared; yield the copy, and where it is served."""
    prepared: Prepared = request.getfixturevalue("prepared")
    checkout = Checkout(folder, like=prepared.root)
    environment = lab.environment()
    register_endpoint(checkout, environment, prepared.port)
    server = checkout.serve_again(prepared.port, environment)
    try:
        yield checkout, server.url
    finally:
        server.stop()


def register_endpoint(checkout: Checkout, environment: dict[str, str], port: int) -> None:
    """Have Keystone's catalogue name the server, as scripts/serve --lab does: the page before may have removed it."""
    python, url = checkout.root / ".venv/bin/python", f"http://127.0.0.1:{port}/compute"
    subprocess.run(
        [python, "manage.py", "register_compute_endpoint", "--url", url],
        cwd=checkout.root,
        env=checkout.environment(environment),
        input=environment["KEYSTONE_TOKEN_SPAIN2_ADMIN"],
        text=True,
        check=True,
    )


@contextmanager
def alone(folder: Path) -> Iterator[tuple[Checkout, str]]:
    """Yield a copy of the project with an environment, and where it would be served."""
    checkout = Checkout(folder)
    (checkout.root / ".venv").symlink_to(ROOT / ".venv")
    yield checkout, SERVED


def the_tests_lab(checkout: Checkout, lab: Lab, since: dict[str, int] | None = None) -> None:
    """Have scripts/lab be about the tests' own lab, not one more."""
    mark = ",".join(f"{cloud}:{size}" for cloud, size in (since or {}).items())
    only = f'[ "$1" = requests ] && set -- requests --since {mark}\n' if mark else ""
    checkout.put_script("lab", f'#!/bin/sh\n{only}exec "{ROOT}/scripts/lab" "$@"\n')


def pasted(script: str, checkout: Checkout, lab: Lab) -> str:
    """Return what a terminal shows of commands in the project's folder, beside the server."""
    # Last: they have a python3 of their own, which ./manage.py must not find.
    path = os.pathsep.join([os.environ["PATH"], *(str(environment_of(client)) for client in CLIENTS)])
    environment = os.environ | {"FLAVORSYNC_LAB": lab.name, "ENV_FILE": os.devnull, "PATH": path}
    environment.pop("DJANGO_SETTINGS_MODULE")  # the tests' own
    session = checkout.folder / "session.sh"
    session.write_text(f"{AT_A_TERMINAL}\n{script}", encoding="utf-8")
    return subprocess.run(
        ["bash", session],
        cwd=checkout.root,
        # Errors are shown where they happen.
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=500,
    ).stdout


def names_in(lab: Lab) -> list[set[str]]:
    """Return the names of the federation's flavors that each cloud has."""
    names = [{flavor["name"] for flavor in lab.flavors(region)} for region in seed.REGIONS]
    return [{name for name in found if name.startswith("fed.")} for found in names]
