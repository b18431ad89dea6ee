"""openstackclient, as people type it: it finds the federation by region, and what it makes is in every cloud."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from compute.tests.client import give_managers_their_group
from compute.tests.clients.environment import environment_of
from infrastructures.openstack.keystone import forget_session
from lab import Lab, seed
from testing.federation import CLOUDS, in_nova, make_node
from testing.fixtures import _lab_settings, lab
from testing.process import Process, url_of_this_database

__all__ = ["_lab_settings", "lab"]

pytestmark = [pytest.mark.lab, pytest.mark.process, pytest.mark.django_db(transaction=True)]

NAME = "of.the.client"
MAY_TAKE_SECONDS = 60


class Client:
    """The command `openstack` of a manager of the federation, in a region."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.program = environment_of("openstackclient") / "openstack"

    def __call__(self, *arguments: str, region: str = "Federation", fails: bool = False) -> Any:
        """Run it, and return what it prints, read where it is JSON."""
        done = subprocess.run(
            [self.program, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "OS_AUTH_URL": self.process.lab.keystone_url,
                "OS_USERNAME": "flavor-manager",
                "OS_PASSWORD": seed.PASSWORD,
                "OS_PROJECT_NAME": "federation",
                "OS_USER_DOMAIN_NAME": "Default",
                "OS_PROJECT_DOMAIN_NAME": "Default",
                "OS_IDENTITY_API_VERSION": "3",
                "OS_REGION_NAME": region,
            },
            capture_output=True,
            text=True,
            timeout=MAY_TAKE_SECONDS,
        )
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        if fails:
            return done.stderr
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    def flavor(self, *arguments: str, **options: Any) -> Any:
        """Run `openstack flavor`."""
        return self("flavor", *arguments, **options)

    def bring(self) -> None:
        """Have what was written brought to the nodes."""
        for command in (("run_scheduler", "--once"), ("run_worker", "--batch")):
            self.process.manage(*command).check_returncode()


@pytest.fixture
def openstack(
    lab: Lab, _lab_settings: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Client]:
    """openstackclient before the service, whose endpoint is in the central Keystone's catalogue."""
    monkeypatch.setenv("KEYSTONE_IDENTITY", "true")
    monkeypatch.setenv("KEYSTONE_MANAGERS", seed.KEYSTONE_MANAGERS)
    monkeypatch.setenv("COMPUTE_SETTLE_SECONDS", "0")
    give_managers_their_group()
    for node in CLOUDS:
        forget_session(node)
        make_node(lab, node)
    process = Process(lab, url_of_this_database())
    process.start()
    token = tmp_path / "token"
    token.write_text(lab.token("spain2-admin"))
    register = ("register_compute_endpoint", "--token-file", str(token))
    process.manage(*register, "--url", f"http://127.0.0.1:{process.port}/compute").check_returncode()
    yield Client(process)
    process.manage(*register, "--remove").check_returncode()
    process.kill()
    lab.reset()


def in_clouds(lab: Lab) -> dict[str, dict[str, Any]]:
    """Return the flavor of that name in each cloud that has it."""
    found = {node: [flavor for flavor in in_nova(lab, node).values() if flavor["name"] == NAME] for node in CLOUDS}
    return {node: flavors[0] for node, flavors in found.items() if flavors}


def test_a_flavor_from_its_creation_to_its_end(openstack: Client, lab: Lab) -> None:
    properties = ("--property", "hw:cpu_policy=dedicated", "--property", "hw:numa_nodes=1")
    sizes = ("--vcpus", "2", "--ram", "256", "--disk", "1", "--swap", "64")
    created = openstack.flavor("create", NAME, *sizes, *properties, "--description", "one for all", "-f", "json")
    assert created["properties"] == {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}
    openstack.bring()
    there = in_clouds(lab)
    assert there.keys() == CLOUDS.keys()
    for has in there.values():
        assert (has["id"], has["ram"], has["swap"], has["description"]) == (created["id"], 256, 64, "one for all")
        assert has["extra_specs"] == created["properties"]

    # By name and by id, in all the forms of the list
    for which in (NAME, created["id"]):
        shown = openstack.flavor("show", which, "-f", "json")
        assert (shown["id"], shown["ram"], shown["description"]) == (created["id"], 256, "one for all")
    for form in ((), ("--all",), ("--long",)):
        (listed,) = openstack.flavor("list", *form, "-f", "json")
        assert (listed["ID"], listed["Name"], listed["RAM"]) == (created["id"], NAME, 256)

    openstack.flavor("set", NAME, "--property", "hw:cpu_policy=shared", "--description", "another")
    openstack.flavor("unset", NAME, "--property", "hw:numa_nodes")
    openstack.bring()
    for has in in_clouds(lab).values():
        assert (has["extra_specs"], has["description"]) == ({"hw:cpu_policy": "shared"}, "another")

    openstack.flavor("delete", NAME)
    assert "No Flavor found" in openstack.flavor("show", NAME, fails=True)
    openstack.bring()
    assert in_clouds(lab) == {}


def test_access_is_granted_and_revoked(openstack: Client, lab: Lab) -> None:
    openstack.flavor("create", NAME, "--vcpus", "1", "--ram", "64", "--disk", "1", "--private", "--id", "of-the-client")
    project = lab.project_ids("Spain2")["lannion2"]
    openstack.flavor("set", NAME, "--project", project)
    assert openstack.flavor("show", NAME, "-f", "json")["access_project_ids"] == [project]
    openstack.flavor("unset", NAME, "--project", project)
    assert openstack.flavor("show", NAME, "-f", "json")["access_project_ids"] == []
    assert openstack.flavor("list", "-f", "json") == []
    openstack.flavor("delete", "of-the-client")


def test_the_nodes_are_seen(openstack: Client) -> None:
    services = openstack("compute", "service", "list", "--long", "-f", "json")
    assert {service["Host"] for service in services} == CLOUDS.keys()


def test_a_value_that_nova_would_not_take_is_refused(openstack: Client) -> None:
    said = openstack.flavor("create", NAME, "--vcpus", "0", "--ram", "64", "--disk", "1", fails=True)
    assert "400" in said
    assert openstack.flavor("list", "--all", "-f", "json") == []
