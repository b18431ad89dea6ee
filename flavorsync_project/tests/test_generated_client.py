"""A client that is made from our description of the API does what docs/python-client.md shows."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings as project
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from compute.tests.clients.environment import environment_of
from flavors.models import Flavor
from lab import Lab, seed
from testing.fixtures import lab_without_clouds

__all__ = ["lab_without_clouds"]
pytestmark = [pytest.mark.process, pytest.mark.thorough]

PAGE = Path(project.BASE_DIR) / "docs" / "python-client.md"
PROGRAM = PAGE.parent / "promote_flavor.py"
OPERATIONS = {
    "flavors": {"create_flavor", "delete_flavor", "list_flavors", "show_flavor", "update_flavor"},
    "infrastructures": {"register_infrastructure", "unregister_infrastructure"},
    "sync": {"cancel_sync_run", "list_sync_runs", "show_sync_run", "show_sync_status", "start_sync_run"},
}


@pytest.fixture
def service(live_server: LiveServer, lab_without_clouds: Lab, settings: Settings) -> str:
    """Return where the service is, to which the lab's IdM says who is calling."""
    settings.KEYROCK_URL = lab_without_clouds.idm_url
    settings.KEYROCK_APP_IDS = [seed.IDM_APPLICATION]
    return str(live_server.url)


def typed(command: list[str | Path], folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Return what comes of a command, with the programs of the client's environment."""
    path = os.pathsep.join([str(environment_of("openapi")), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO")}
    environment = {**kept, "PATH": path, "PYTHONPATH": str(folder), **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


def test_it_promotes_a_flavor_and_lists_all(service: str, tmp_path: Path) -> None:
    (shown,) = re.findall(r"(openapi-python-client generate .*?)\n\$ ", PAGE.read_text(), re.DOTALL)
    command = shown.replace("\\\n", "").replace("http://127.0.0.1:5000", service).split()
    made = typed([*command], tmp_path)
    assert made.returncode == 0, made.stdout + made.stderr
    # Nothing is left out but bodies in XML.
    warned = re.findall(r"^WARNING.*\n\n(.*)$", made.stdout + made.stderr, re.MULTILINE)
    assert {re.sub(r" \S+/xml", "", line) for line in warned} <= {"Unsupported content type"}, made.stdout
    for tag, names in OPERATIONS.items():
        modules = {path.stem for path in (tmp_path / "flavor_sync_client" / "api" / tag).glob("[a-z]*.py")}
        assert modules == names

    caller = {"FLAVOR_SYNC_URL": service, "FLAVOR_SYNC_TOKEN": seed.idm_token("manager")}
    first = typed(["python", PROGRAM, "fed.small", "1", "2048", "20"], tmp_path, **caller)
    assert first.returncode == 0, first.stderr
    promoted = Flavor.objects.get()
    assert (promoted.name, promoted.vcpus, promoted.ram, promoted.disk) == ("fed.small", 1, 2048, 20)
    assert promoted.promoted
    assert first.stdout == (
        f"fed.small is promoted, with the id {promoted.flavorid}\nfed.small: 1 vCPUs, 2048 MiB, 20 GiB\n"
    )

    again = typed(["python", PROGRAM, "fed.small", "2", "2048", "20"], tmp_path, **caller)
    assert (again.returncode, again.stdout) == (1, "")
    shown = PAGE.read_text().rpartition("fed.small 2 2048 20\n")[2].partition("\n")[0]
    assert again.stderr == f"{shown}\n"

    stranger = typed(["python", PROGRAM, "fed.big", "1", "1", "1"], tmp_path, **caller | {"FLAVOR_SYNC_TOKEN": "no"})
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert stranger.stderr.startswith("It was refused: "), stranger.stderr


def test_the_pinned_generator_is_the_one_that_the_page_names() -> None:
    pinned = (Path(project.BASE_DIR) / "compute" / "tests" / "clients" / "openapi.txt").read_text()
    assert re.findall(r"openapi-python-client==([\d.]+)", PAGE.read_text()) == re.findall(
        r"^openapi-python-client==(.*)$", pinned, re.MULTILINE
    )
