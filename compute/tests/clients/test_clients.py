"""Clients that people have, each before both faces: what they make, change and delete is so in every cloud."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from compute.tests.clients.face import HERE, MAY_TAKE_SECONDS, NAME, Face, run, script
from lab import install

pytestmark = [pytest.mark.lab, pytest.mark.process, pytest.mark.thorough, pytest.mark.timeout(900)]

MADE = {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}
NUMBERS = {"ram": 256, "vcpus": 2, "disk": 1, "swap": 64}


def other_project(face: Face) -> str:
    """Return a project of the central Keystone, which Mordor does not have."""
    return face.lab.project_ids("Spain2")["lannion2"]


def open_in(face: Face) -> dict[str, list[str]]:
    """Return which projects the flavor is open to, by node."""
    return {node: face.lab.flavor_access(node, flavor["id"]) for node, flavor in face.in_clouds().items()}


def assert_access_is(face: Face, projects: list[str]) -> None:
    face.bring()
    assert open_in(face) == {node: [] if node == "Mordor" else projects for node in face.nodes}


# openstacksdk and novaclient


@pytest.mark.parametrize("client", ["openstacksdk", "novaclient"])
def test_a_flavor_from_its_creation_to_its_end(face: Face, client: str) -> None:
    first = ["2.96"] if client == "novaclient" else []

    def step(*arguments: str) -> Any:
        return script(client, f"{client}_flavor.py", *first, *arguments, face=face)

    made = step("create")
    assert (made["name"], made["ram"], made["extra_specs"], made["projects"]) == (NAME, 256, MADE, [])
    there = face.brought()
    assert there.items() >= {"id": made["id"], **NUMBERS, "rxtx_factor": 1.5, "extra_specs": MADE}.items()
    assert (there["OS-FLV-EXT-DATA:ephemeral"], there["os-flavor-access:is_public"]) == (3, False)

    assert step("change")["extra_specs"] == {"hw:cpu_policy": "shared"}
    changed = face.brought()
    assert changed["extra_specs"] == {"hw:cpu_policy": "shared"}
    assert changed["description"].endswith(f"by {client}")

    project = other_project(face)
    assert step("open_to", project)["projects"] == [project]
    assert_access_is(face, [project])
    assert step("close_to", project)["projects"] == []
    assert_access_is(face, [])

    assert step("delete") is None
    face.bring()
    assert face.in_clouds() == {}


def test_the_oldest_microversion_does_for_novaclient(face: Face) -> None:
    def step(*arguments: str) -> Any:
        return script("novaclient", "novaclient_flavor.py", "2.1", *arguments, face=face)

    assert step("create")["extra_specs"] == MADE
    step("change")
    assert face.brought()["extra_specs"] == {"hw:cpu_policy": "shared"}
    assert step("delete") is None


# Ansible


def play(face: Face, *arguments: str, **variables: object) -> tuple[str, str]:
    """Run the play; return what became of the flavor, `changed` or `ok`, and the flavor's id if it is there."""
    values = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    environment = {
        **face.environment,
        "ANSIBLE_HOME": str(install.STATE / "clients" / "ansible-home"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_PYTHON_INTERPRETER": "{{ ansible_playbook_python }}",
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    program = str(HERE / "programs" / "flavor_play.yml")
    printed = run("ansible", "ansible-playbook", program, *arguments, *values, environment=environment)
    ((task,),) = [play["tasks"] for play in json.loads(printed)["plays"]]
    result = task["hosts"]["localhost"]
    return "changed" if result["changed"] else "ok", result.get("flavor", {}).get("id", "")


def test_ansibles_play_is_idempotent_and_changes_numbers(face: Face) -> None:
    assert play(face, "--check", ram=256)[0] == "changed"
    face.bring()
    assert face.in_clouds() == {}

    said, made = play(face, ram=256)
    assert said == "changed"
    there = face.brought()
    assert there.items() >= {"id": made, **NUMBERS, "extra_specs": {"hw:cpu_policy": "dedicated"}}.items()
    assert play(face, ram=256) == ("ok", made)
    assert play(face, "--check", ram=256)[0] == "ok"

    # It deletes the flavor and makes another of the same name.
    assert play(face, "--check", ram=512)[0] == "changed"
    said, second = play(face, ram=512)
    assert (said, second == made) == ("changed", False)
    assert face.brought().items() >= {"id": second, "ram": 512}.items()
    assert play(face, ram=512) == ("ok", second)

    assert play(face, "--check", state="absent", ram=512)[0] == "changed"
    assert play(face, state="absent", ram=512)[0] == "changed"
    face.bring()
    assert face.in_clouds() == {}
    assert play(face, state="absent", ram=512)[0] == "ok"


# OSISM's flavor manager

# The mandatory flavors of the Sovereign Cloud Stack (SCS-0103): CPUs, GiB of RAM and of an SSD are in the names.
SIZES = "1V-4 2V-8 4V-16 8V-32 1V-2 2V-4 4V-8 8V-16 16V-32 1V-8 2V-16 4V-32 1L-1 2V-4-20s 4V-16-100s"
SCS = [f"SCS-{size}" for size in SIZES.split(" ")]


def scs_flavor(name: str) -> dict[str, Any]:
    """Return a flavor of the standard as the flavor manager reads it."""
    match = re.fullmatch(r"SCS-(\d+)([VL])-(\d+)(?:-(\d+)s)?", name)
    assert match
    cpus, kind, ram, disk = match.groups()
    v1 = name.replace("-", ":").replace(":", "-", 1)
    specs = {"scs:cpu-type": "shared-core" if kind == "V" else "crowded-core", "scs:name-v1": v1, "scs:name-v2": name}
    ssd = {"disk": int(disk), "scs:disk0-type": "ssd"} if disk else {}
    return {"name": name, "cpus": int(cpus), "ram": int(ram) * 1024, **ssd, **specs}


def told_of(has: dict[str, Any]) -> dict[str, Any]:
    """Return of what a Nova has what the flavor manager tells it."""
    return {member: has[member] for member in ("vcpus", "ram", "disk", "extra_specs")}


def in_nova(flavor: dict[str, Any]) -> dict[str, Any]:
    """Return what that is for a flavor of the standard."""
    specs = {key: value for key, value in flavor.items() if ":" in key}
    return {"vcpus": flavor["cpus"], "ram": flavor["ram"], "disk": flavor.get("disk", 0), "extra_specs": specs}


def test_the_flavor_manager_makes_the_flavors_of_scs(face: Face, tmp_path: Path) -> None:
    wanted = [scs_flavor(name) for name in SCS]
    definitions = tmp_path / "scs.yaml"
    definitions.write_text(yaml.safe_dump({"reference": [{"field": "public", "default": True}], "mandatory": wanted}))
    arguments = ("--name", "local", "--url", f"file://{definitions}", "--cloud", "envvars")
    for _ in range(2):
        run("flavor-manager", "openstack-flavor-manager", *arguments, environment=face.environment)
        face.bring()
        found = {node: flavors for node, flavors in face.named(SCS).items() if flavors}
        assert found.keys() == face.nodes
        for flavors in found.values():
            assert {name: told_of(has) for name, has in flavors.items()} == {
                each["name"]: in_nova(each) for each in wanted
            }
    run("openstackclient", "openstack", "flavor", "delete", *SCS, environment=face.environment)
    face.bring()
    assert not any(face.named(SCS).values())


# libcloud and Horizon, which read


def test_libcloud_lists_the_flavors(face: Face) -> None:
    made = run("openstackclient", "openstack", *f"flavor create {NAME} --vcpus 2 --ram 256 --disk 1 -f json".split(),
               "--property", "hw:cpu_policy=dedicated", environment=face.environment)  # fmt: skip
    face.bring()
    sizes = script("libcloud", "libcloud_sizes.py", face=face)
    there = face.brought()
    assert sizes[NAME] == {
        "id": json.loads(made)["id"],
        **{member: there[member] for member in ("ram", "vcpus", "disk", "extra_specs")},
    }
    run("openstackclient", "openstack", "flavor", "delete", NAME, environment=face.environment)


def test_horizon_sees_the_flavors_page_by_page(face: Face) -> None:
    names = [f"{NAME}.{number}" for number in range(5)]
    for name in reversed(names):
        run("openstackclient", "openstack", *f"flavor create {name} --vcpus 1 --ram 64 --disk 1".split(),
            environment=face.environment)  # fmt: skip
    pages = script("openstacksdk", "horizon_pages.py", "2", face=face)
    shown = [name for page in pages for name in page]
    assert shown == sorted(shown)
    assert [name for name in shown if name.startswith(NAME)] == names
    assert {len(page) for page in pages[:-1]} == {2}
    run("openstackclient", "openstack", "flavor", "delete", *names, environment=face.environment)


# gophercloud, as Terraform uses it

GO_PACKAGES = Path("/usr/share/gocode")


@pytest.fixture(scope="module")
def terraform() -> str:
    """What sends Terraform's requests, built with Debian's gophercloud."""
    if not (shutil.which("go") and (GO_PACKAGES / "src/github.com/gophercloud/gophercloud").exists()):
        pytest.skip("there is no gophercloud (Debian: golang-go, golang-github-gophercloud-gophercloud-dev)")
    folder = install.STATE / "clients" / "gophercloud"
    environment = {"GO111MODULE": "off", "GOPATH": str(GO_PACKAGES), "GOCACHE": str(folder / "cache")}
    program = HERE / "programs" / "terraform" / "main.go"
    subprocess.run(
        ["go", "build", "-o", str(folder / "terraform"), str(program)],
        env=os.environ | environment,
        check=True,
        timeout=MAY_TAKE_SECONDS,
    )
    return str(folder / "terraform")


def test_terraforms_requests(face: Face, terraform: str) -> None:
    def step(*arguments: str) -> Any:
        environment = face.environment | {"OS_DOMAIN_NAME": "Default"}
        done = subprocess.run(
            [terraform, *arguments], env=environment, capture_output=True, text=True, timeout=MAY_TAKE_SECONDS
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made = step("create")
    assert made.items() >= {"name": NAME, **NUMBERS, "is_public": True, "extra_specs": MADE}.items()
    there = face.brought()
    assert there.items() >= {"id": made["id"], **NUMBERS, "extra_specs": MADE}.items()
    assert there["description"] == "made by Terraform"
    assert step("read", made["id"]) == made

    assert step("update", made["id"])["extra_specs"] == {"hw:cpu_policy": "shared"}
    there = face.brought()
    assert there["extra_specs"] == {"hw:cpu_policy": "shared"}
    assert there["description"] == "changed by Terraform"

    second = step("renumber", made["id"])
    assert (second["ram"], second["id"] == made["id"]) == (512, False)
    assert face.brought().items() >= {"id": second["id"], "ram": 512, "extra_specs": MADE}.items()
    assert step("read", made["id"]) is None
    listed = step("list")
    assert listed.count(NAME) == 1
    assert len(listed) == len(set(listed))

    assert step("destroy", second["id"]) is None
    face.bring()
    assert face.in_clouds() == {}
