"""openstackclient, as people type it: it finds the federation by region, and what it makes is in every cloud."""

import json
from typing import Any

import pytest

from compute.tests.clients.face import NAME, Face, run
from compute.tests.clients.service import FEDERATION
from testing.federation import CLOUDS
from testing.process import Process

pytestmark = [pytest.mark.lab, pytest.mark.process, pytest.mark.timeout(900)]

SIZES = ("--vcpus", "2", "--ram", "256", "--disk", "1", "--swap", "64")
SPECS = {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}
PROPERTIES = [part for key, value in SPECS.items() for part in ("--property", f"{key}={value}")]


def openstack(face: Face, *arguments: str) -> Any:
    """Run `openstack`, and return what it prints, read where it is JSON."""
    printed = run("openstackclient", "openstack", *arguments, environment=face.environment)
    return json.loads(printed) if "json" in arguments else printed


def test_a_flavor_from_its_creation_to_its_end(face: Face) -> None:
    described = ("--description", "one for all")
    created = openstack(face, "flavor", "create", NAME, *SIZES, *PROPERTIES, *described, "-f", "json")
    assert created["properties"] == SPECS
    has = face.brought()
    assert (has["id"], has["ram"], has["swap"], has["description"]) == (created["id"], 256, 64, "one for all")
    assert has["extra_specs"] == SPECS

    # By name and by id, in all the forms of the list
    for which in (NAME, created["id"]):
        shown = openstack(face, "flavor", "show", which, "-f", "json")
        assert (shown["id"], shown["ram"], shown["description"]) == (created["id"], 256, "one for all")
    for form in ((), ("--all",), ("--long",)):
        listed = openstack(face, "flavor", "list", *form, "-f", "json")
        (found,) = [flavor for flavor in listed if flavor["Name"] == NAME]
        assert (found["ID"], found["RAM"]) == (created["id"], 256)

    openstack(face, "flavor", "set", NAME, "--property", "hw:cpu_policy=shared", "--description", "another")
    openstack(face, "flavor", "unset", NAME, "--property", "hw:numa_nodes")
    has = face.brought()
    assert (has["extra_specs"], has["description"]) == ({"hw:cpu_policy": "shared"}, "another")

    openstack(face, "flavor", "delete", NAME)
    said = run("openstackclient", "openstack", "flavor", "show", NAME, environment=face.environment, fails=True)
    assert "No Flavor found" in said
    face.bring()
    assert face.in_clouds() == {}


@pytest.mark.thorough
def test_access_is_granted_and_revoked(face: Face) -> None:
    openstack(face, "flavor", "create", NAME, *SIZES, "--private", "--id", "of-the-client")
    project = face.lab.project_ids("Spain2")["lannion2"]
    openstack(face, "flavor", "set", NAME, "--project", project)
    assert openstack(face, "flavor", "show", NAME, "-f", "json")["access_project_ids"] == [project]
    openstack(face, "flavor", "unset", NAME, "--project", project)
    assert openstack(face, "flavor", "show", NAME, "-f", "json")["access_project_ids"] == []
    assert NAME not in openstack(face, "flavor", "list")
    assert NAME in openstack(face, "flavor", "list", "--all")
    openstack(face, "flavor", "delete", "of-the-client")


@pytest.mark.thorough
def test_the_nodes_are_seen(process: Process) -> None:
    services = openstack(Face(process, FEDERATION), "compute", "service", "list", "--long", "-f", "json")
    assert {service["Host"] for service in services} == CLOUDS.keys()


@pytest.mark.thorough
def test_a_value_that_nova_would_not_take_is_refused(face: Face) -> None:
    sizes = ("--vcpus", "0", "--ram", "64", "--disk", "1")
    arguments = ("flavor", "create", NAME, *sizes)
    assert "400" in run("openstackclient", "openstack", *arguments, environment=face.environment, fails=True)
    assert NAME not in openstack(face, "flavor", "list", "--all")
