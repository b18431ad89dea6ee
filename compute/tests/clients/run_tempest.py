"""Tempest's tests of flavors before both faces: `scripts/tempest` runs this.

The admin of tempest is the manager of the federation, or before a node's face the administrator of its Keystone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import yaml

from compute.tests.clients.environment import environment_of
from compute.tests.clients.service import FEDERATION, NODE, registered, served
from lab import Lab, seed
from lab.client import send
from testing.process import Process

# They boot a server, the first from an image that it makes: there are none here, and the lab has no compute host.
LEFT_OUT = "test_boot_with_low_ram|test_create_server_with_non_public_flavor"
TESTS = r"tempest\.api\.compute\.(flavors|admin\.test_flavors)"
ADMINS = {FEDERATION: "flavor-manager", NODE: "spain2-admin"}
# A region of its own in the catalogue, since tempest cannot be told a URL
REGION_OF_THE_NODE = "Tempest"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them, and return the status: 0 when all have passed before each face, but for those that were skipped."""
    parser = argparse.ArgumentParser(prog="scripts/tempest", description=__doc__)
    parser.add_argument("--regex", default=TESTS, help="which tests (%(default)s)")
    options = parser.parse_args(arguments)
    lab = Lab(os.environ.get("FLAVORSYNC_LAB", "test"))
    lab.up(lambda message: print(message, file=sys.stderr))
    with tempfile.TemporaryDirectory() as folder, served(lab, Path(folder)) as process:
        _make_flavors(process)
        statuses = [_run(process, Path(folder), face, options.regex) for face in (FEDERATION, NODE)]
    return max(statuses)


def _make_flavors(process: Process) -> None:
    """Have the federation, too, have the flavors 1 and 2, by which tempest means any two."""
    token = process.lab.token(ADMINS[FEDERATION])
    for number in (1, 2):
        flavor = {"id": str(number), "name": f"tempest.{number}", "vcpus": number, "ram": 64 * number, "disk": number}
        send("POST", f"http://127.0.0.1:{process.port}/compute/v2.1/flavors", token=token, body={"flavor": flavor})


def _run(process: Process, folder: Path, face: str, regex: str) -> int:
    """Run the tests before a face, and return tempest's status."""
    print(f"==> The face of {'the federation' if face == FEDERATION else face}", flush=True)
    with _region_of(process, folder, face) as region:
        workspace = folder / f"tempest-{face}"
        tempest = str(environment_of("tempest") / "tempest")
        workspaces = ("--workspace-path", str(folder / "workspaces.yaml"))
        subprocess.run([tempest, "init", *workspaces, str(workspace)], check=True, stdout=subprocess.DEVNULL)
        _configure(workspace / "etc", process.lab, face, region)
        command = [tempest, "run", "--serial", "--regex", regex, "--exclude-regex", LEFT_OUT]
        return subprocess.run(command, cwd=workspace, env=_environment()).returncode


@contextmanager
def _region_of(process: Process, folder: Path, face: str) -> Iterator[str]:
    if face == FEDERATION:
        yield FEDERATION
        return
    url = f"http://127.0.0.1:{process.port}/compute/nodes/{face}"
    with registered(process, folder, REGION_OF_THE_NODE, url):
        yield REGION_OF_THE_NODE


def _configure(folder: Path, lab: Lab, face: str, region: str) -> None:
    """Write what tempest is to know: where Keystone is, which accounts there are, and what there is besides Nova."""
    accounts = folder / "accounts.yaml"
    roles = {ADMINS[face]: "admin", "spain2-member": "member", "unscoped-admin": "reader"}
    accounts.write_text(yaml.safe_dump([_account(user, role) for user, role in roles.items()]))
    services = dict.fromkeys(("cinder", "neutron", "swift", "horizon"), "false")
    sections = {
        "DEFAULT": {"log_file": str(folder / "tempest.log")},
        "auth": {"use_dynamic_credentials": "false", "test_accounts_file": str(accounts)},
        "identity": {"uri_v3": lab.keystone_url, "auth_version": "v3", "region": region, "admin_role": "admin"},
        "compute": {"region": region, "min_microversion": "2.1", "max_microversion": "2.96"},
        # Its tests of flavors want a client of images, which they do not use.
        "service_available": {"nova": "true", "glance": "true", **services},
        "enforce_scope": {"nova": "false", "keystone": "false"},
    }
    configuration = ConfigParser()
    configuration.read_dict(sections)
    with (folder / "tempest.conf").open("w") as file:
        configuration.write(file)


def _account(user: str, role: str) -> dict[str, object]:
    """Return an account as tempest is told of it, and what it is to take it for."""
    (known,) = [each for each in seed.USERS if each.name == user]
    where = {"project_name": known.project, "domain_name": "Default"}
    kinds = {"types": ["admin"]} if role == "admin" else {}
    return {"username": user, "password": seed.PASSWORD, **where, "roles": [role], **kinds}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")}


if __name__ == "__main__":
    sys.exit(main())
