"""A federation with only Keystone, with the lab: what the story of a flavor does not cover."""

import pytest
from django.contrib.auth.models import Group, Permission
from pytest_django import Settings

from identity.roles import Role
from lab import Lab
from testing.federation import (
    CLOUDS,
    PROMOTE,
    REGISTER,
    People,
    by_keystone,
    in_nova,
    make_node,
    refusal,
    with_keystone,
)
from testing.fixtures import keystone_alone
from testing.flavors import document_of, make_flavor
from testing.process import Process, url_of_this_database
from testing.synchronising import RUNS, STATUS, start
from testing.wire import NO_ROLE, NO_TOKEN, Api

PROMOTED = "/v1/promotedflavors"
SMALL = {"name": "small", "vcpus": 1, "ram": 512, "disk": 1}


@pytest.fixture
def people(api: Api, lab: Lab, settings: Settings) -> People:
    """Its users."""
    keystone_alone(settings)
    return with_keystone(api, lab)


@pytest.fixture
def _roles(transactional_db: None) -> None:
    """What the roles may do, which tests with real transactions empty out of the database."""
    for role, codename in {Role.INFRASTRUCTURE_MANAGER: PROMOTE, Role.INFRASTRUCTURE_OWNER: REGISTER}.items():
        group, _ = Group.objects.get_or_create(name=role.value)
        group.permissions.add(Permission.objects.get(codename=codename))


@pytest.mark.lab
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_roles")
def test_every_node_is_brought_what_is_promoted(people: People, clouds: Lab) -> None:
    for node in CLOUDS:
        make_node(clouds, node)
    flavor = make_flavor(flavorid="everywhere", name="everywhere")
    assert people.basic.get(STATUS).status == 403
    assert {node["name"] for node in people.spain2.get(STATUS).body["status"]["nodes"]} == {"Spain2"}
    assert {node["name"] for node in people.manager.get(STATUS).body["status"]["nodes"]} == set(CLOUDS)

    started = start(people.manager)
    assert started.body["run"]["requested_by"] == "flavor-manager@Default"
    worker = Process(clouds, url_of_this_database()).begin("run_worker", "--batch")
    assert worker.wait(120) == 0
    assert people.manager.get(f"{RUNS}/{started.body['run']['id']}").body["run"]["state"] == "in_sync"
    for node in CLOUDS:
        assert in_nova(clouds, node)[flavor.flavorid] == document_of(flavor)
    assert people.manager.get(STATUS).body["status"]["state"] == "in_sync"


@pytest.mark.lab
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("user", "refused"), [("self-made-manager", (405, NO_ROLE)), ("mordor-manager", (401, NO_TOKEN))]
)
def test_a_role_of_somebody_elses_makes_no_manager(
    people: People, lab: Lab, user: str, refused: tuple[int, str]
) -> None:
    assert people.nobody.having(by_keystone(lab, user)).post(PROMOTED, **SMALL).result == refused
    assert people.manager.post(PROMOTED, **SMALL).status == 201


@pytest.mark.lab
@pytest.mark.django_db
def test_one_token_is_enough_in_the_regions_of_the_central_keystone(people: People, clouds: Lab) -> None:
    make_node(clouds, "Spain2")
    make_node(clouds, "Mordor")
    administrator = people.nobody.having(by_keystone(clouds, "spain2-admin"))
    created = administrator.post("/v1/regions/Spain2/flavors", **SMALL)
    assert created.status == 201
    path = f"/v1/regions/Spain2/flavors/{created.body['flavor']['id']}"
    assert people.spain2.get(path).result == (200, created.body)
    assert people.spain2.delete(path).status == 403

    with clouds.counting() as served:
        assert administrator.get("/v1/regions/Spain2/flavors").status == 200
    assert served["keystone"] == {}
    assert served["Spain2"] == {"GET /v2.1/flavors/detail": 1}

    with clouds.counting() as served:
        answer = administrator.get("/v1/regions/Mordor/flavors")
    why = "The header X-Auth-Token-KeyStone with a Keystone token is missing."
    own = " This region has a Keystone of its own, which your token is not for."
    assert answer.result == refusal(401, why + own)
    assert (served["Mordor"], served["mordor-keystone"]) == ({}, {})
    with_both = administrator.having({"X-Auth-Token-KeyStone": clouds.token("mordor-member")})
    assert with_both.get("/v1/regions/Mordor/flavors").status == 200
