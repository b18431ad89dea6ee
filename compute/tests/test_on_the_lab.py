"""Both faces before the lab's real Keystones and Novas, with Keystone's tokens alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from compute.tests.client import Answer, Nova, give_managers_their_group
from flavors.models import Sighting
from infrastructures.openstack.keystone import forget_session
from lab import Lab
from synchronisation.models import Removal, WrittenFlavor
from testing.catalogue import _own_signals
from testing.federation import CLOUDS, SEEDED, in_nova, make_node
from testing.fixtures import _lab_settings, lab

__all__ = ["_lab_settings", "_own_signals", "lab"]

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

NAME = "of.the.federation"
NUMBERS: dict[str, Any] = {"vcpus": 2, "ram": 256, "disk": 1}


@pytest.fixture
def clouds(lab: Lab, _lab_settings: None, settings: Settings) -> Iterator[Lab]:
    """The lab's clouds, registered; administrators of the project spain2 are managers."""
    settings.KEYSTONE_IDENTITY = True
    settings.KEYSTONE_MANAGERS = ["admin@project:spain2/Default"]
    settings.COMPUTE_SETTLE_SECONDS = 0
    settings.KEYROCK_URL, settings.KEYROCK_APP_IDS = "", []
    give_managers_their_group()
    for node in CLOUDS:
        forget_session(node)
        make_node(lab, node)
    yield lab
    lab.reset()


def bring() -> None:
    """Have what was written brought to the nodes, as the scheduler and a worker do."""
    call_command("run_scheduler", "--once")
    call_command("run_worker", "--batch")


def named(lab: Lab, name: str = NAME) -> dict[str, dict[str, Any]]:
    """Return the flavor of this name in each cloud that has it."""
    found = {node: [flavor for flavor in in_nova(lab, node).values() if flavor["name"] == name] for node in CLOUDS}
    return {node: flavors[0] for node, flavors in found.items() if flavors}


def open_to(lab: Lab, flavor: str) -> dict[str, set[str]]:
    """Return which projects a flavor is open to in each cloud."""
    return {node: set(lab.flavor_access(node, flavor)) for node in CLOUDS}


def ok(answer: Answer) -> Any:
    assert answer.status in (200, 202), answer.body
    return answer.body


@pytest.mark.usefixtures("_own_signals")
def test_a_flavor_is_in_every_cloud_as_it_was_made_changed_and_deleted(clouds: Lab) -> None:
    admin = Nova({"X-Auth-Token": clouds.token("spain2-admin")}).at("2.61")
    flavor = ok(admin.post("/flavors", {"flavor": {"name": NAME, **NUMBERS, "description": "one for all"}}))["flavor"]
    path = f"/flavors/{flavor['id']}"
    ok(admin.post(f"{path}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}}))
    assert named(clouds) == {}
    bring()
    there = named(clouds)
    assert there.keys() == CLOUDS.keys()
    for has in there.values():
        assert has.items() >= {"id": flavor["id"], **NUMBERS, "description": "one for all"}.items()
        assert has["extra_specs"] == {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}

    # What a node's operator has set stays, and what is unset goes.
    clouds._nova("Spain2").set_extra_specs(flavor["id"], {"of:theirs": "1"})
    ok(admin.delete(f"{path}/os-extra_specs/hw:numa_nodes"))
    ok(admin.put(path, {"flavor": {"description": None}}))
    bring()
    for node, has in named(clouds).items():
        theirs = {"of:theirs": "1"} if node == "Spain2" else {}
        assert has["extra_specs"] == {"hw:cpu_policy": "dedicated", **theirs}
        assert has["description"] is None

    # The same name under a new id, which is how Ansible and Terraform change numbers.
    ok(admin.delete(path))
    second = ok(admin.post("/flavors", {"flavor": {"name": NAME, **NUMBERS, "ram": 512}}))["flavor"]
    bring()
    there = named(clouds)
    assert {node: has["id"] for node, has in there.items() if node != "Spain2"} == {
        "Lannion2": second["id"],
        "Mordor": second["id"],
    }
    # Where somebody has changed it, it is theirs.
    assert there["Spain2"]["id"] == flavor["id"]
    assert Removal.objects.get().reason == "Somebody else has changed it there."
    clouds._nova("Spain2").delete(flavor["id"])
    ok(admin.delete(f"/flavors/{second['id']}"))
    bring()
    assert named(clouds) == {}
    bring()
    assert not Removal.objects.exists()
    for node in CLOUDS:
        assert set(in_nova(clouds, node)) == SEEDED[node]
    WrittenFlavor.objects.all().delete()


@pytest.mark.usefixtures("_own_signals")
def test_access_is_brought_to_every_node_by_project(clouds: Lab) -> None:
    """Mordor has a project that is called `federation`, too, under another id, and none that is called `lannion2`."""
    admin = Nova({"X-Auth-Token": clouds.token("spain2-admin")}).at("2.61")
    ours, theirs, everywhere = (clouds.project_ids("Spain2")[name] for name in ("lannion2", "spain2", "federation"))
    in_mordor = clouds.project_ids("Mordor")["federation"]
    private = {"name": NAME, **NUMBERS, "os-flavor-access:is_public": False}
    id = ok(admin.post("/flavors", {"flavor": private}))["flavor"]["id"]
    for project in (ours, everywhere):
        ok(admin.post(f"/flavors/{id}/action", {"addTenantAccess": {"tenant": project}}))
    bring()
    assert open_to(clouds, id) == {
        "Spain2": {ours, everywhere},
        "Lannion2": {ours, everywhere},
        "Mordor": {in_mordor},
    }
    told = Sighting.objects.exclude(lacking_projects=None).values_list("infrastructure__name", "lacking_projects")
    assert list(told) == [("Mordor", ["lannion2 of the domain Default"])]
    clouds._nova("Spain2").grant(id, theirs)
    for project in (ours, everywhere):
        ok(admin.post(f"/flavors/{id}/action", {"removeTenantAccess": {"tenant": project}}))
    bring()
    assert open_to(clouds, id) == {"Spain2": {theirs}, "Lannion2": set(), "Mordor": set()}
    assert not Sighting.objects.exclude(lacking_projects=None).exists()
    ok(admin.delete(f"/flavors/{id}"))
    bring()
    assert named(clouds) == {}


@pytest.mark.usefixtures("_own_signals")
def test_a_flavor_that_is_created_again_has_nothing_of_the_old_one(clouds: Lab) -> None:
    admin = Nova({"X-Auth-Token": clouds.token("spain2-admin")}).at("2.61")
    project, in_mordor = (clouds.project_ids(node)["federation"] for node in ("Spain2", "Mordor"))
    private = {"id": NAME, "name": NAME, **NUMBERS, "os-flavor-access:is_public": False}
    ok(admin.post("/flavors", {"flavor": private}))
    ok(admin.post(f"/flavors/{NAME}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "dedicated"}}))
    ok(admin.post(f"/flavors/{NAME}/action", {"addTenantAccess": {"tenant": project}}))
    bring()
    assert open_to(clouds, NAME) == {"Spain2": {project}, "Lannion2": {project}, "Mordor": {in_mordor}}
    ok(admin.delete(f"/flavors/{NAME}"))
    ok(admin.post("/flavors", {"flavor": private}))
    bring()
    assert open_to(clouds, NAME) == {node: set() for node in CLOUDS}
    assert {node: has["extra_specs"] for node, has in named(clouds).items()} == {node: {} for node in CLOUDS}
    ok(admin.delete(f"/flavors/{NAME}"))
    bring()
    assert named(clouds) == {}


def test_the_face_of_a_node_is_its_own_nova(clouds: Lab) -> None:
    admin = Nova({"X-Auth-Token": clouds.token("spain2-admin")}, "/compute/nodes/Spain2/v2.1").at("2.96")
    member = Nova({"X-Auth-Token": clouds.token("spain2-member")}, "/compute/nodes/Spain2/v2.1")
    listed = {flavor["id"]: flavor for flavor in ok(admin.get("/flavors/detail?is_public=None"))["flavors"]}
    direct = in_nova(clouds, "Spain2")
    assert listed.keys() == direct.keys()
    for id, flavor in listed.items():
        assert {name: value for name, value in flavor.items() if name != "links"}.items() <= direct[id].items()
        assert flavor["links"][0]["href"] == f"http://testserver/compute/nodes/Spain2/v2.1/flavors/{id}"
    first = ok(admin.get("/flavors?limit=2"))
    assert "/compute/nodes/Spain2/v2.1/flavors?limit=2&marker=2" in first["flavors_links"][0]["href"]

    assert admin.get("/flavors/1").headers["OpenStack-API-Version"] == "compute 2.96"
    assert member.post("/flavors", {"flavor": {"name": NAME, **NUMBERS}}).fault == ("forbidden", 403)
    assert admin.at("2.999").get("/flavors").status == 406

    flavor = ok(admin.post("/flavors", {"flavor": {"name": NAME, **NUMBERS, "os-flavor-access:is_public": False}}))
    path = f"/flavors/{flavor['flavor']['id']}"
    project = clouds.project_ids("Spain2")["lannion2"]
    granted = ok(admin.post(f"{path}/action", {"addTenantAccess": {"tenant": project}}))
    assert [grant["tenant_id"] for grant in granted["flavor_access"]] == [project]
    assert named(clouds).keys() == {"Spain2"}
    ok(admin.delete(path))
    assert admin.delete(path).fault == ("itemNotFound", 404)
    assert named(clouds) == {}


def test_a_cloud_with_a_keystone_of_its_own_is_not_shown_the_token(clouds: Lab) -> None:
    admin = Nova({"X-Auth-Token": clouds.token("spain2-admin")}, "/compute/nodes/Mordor/v2.1")
    with clouds.counting() as served:
        assert admin.get("/flavors").fault == ("forbidden", 403)
    assert not served["Mordor"]
