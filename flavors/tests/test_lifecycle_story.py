"""The whole story: two operators register their clouds, share a flavor, have it promoted, and take it all back."""

import pytest
from pytest_django import Settings

from lab import Lab, seed
from testing.federation import (
    FLAVORS,
    INFRASTRUCTURES,
    REGISTER,
    SIZES,
    Agree,
    People,
    by_account,
    in_nova,
    missing,
    refusal,
    register,
    registration,
    wire_flavor,
    with_accounts,
    with_keystone,
    with_tokens,
)
from testing.fixtures import keystone_alone
from testing.wire import Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


@pytest.fixture(params=["tokens", "accounts", "keystone"])
def people(request: pytest.FixtureRequest, api: Api, lab: Lab, settings: Settings) -> People:
    """The same people, by each way to prove who they are."""
    if request.param == "keystone":
        keystone_alone(settings)
        return with_keystone(api, lab)
    return with_tokens(api) if request.param == "tokens" else with_accounts(api)


def test_the_whole_story(people: People, clouds: Lab, agree: Agree) -> None:
    mordor, spain2, others = people.mordor, people.spain2, (people.spain2, people.manager, people.basic, people.nobody)

    # Two clouds are registered under two operators.
    for operator, node in ((mordor, "Mordor"), (spain2, "Spain2")):
        answer = register(operator, **registration(clouds, node))
        assert answer.result == (201, {"infrastructure": {"name": node}})
    agree()

    # A private flavor is made in Mordor, which nobody else sees.
    created = mordor.post(FLAVORS, **SIZES)
    flavorid = created.body["flavor"]["id"]
    path = f"{FLAVORS}/{flavorid}"
    private = wire_flavor(id=flavorid)
    assert created.result == (201, {"flavor": private})
    agree(private={"Mordor": {flavorid}})
    assert mordor.get(path).result == (200, {"flavor": private})
    assert private in mordor.get(FLAVORS).body["flavors"]
    for other in others:
        assert other.get(path).result == missing(flavorid)
        assert flavorid not in {flavor["id"] for flavor in other.get(FLAVORS).body["flavors"]}
    assert spain2.put(path, public=True).result == missing(flavorid)
    assert spain2.delete(path).result == missing(flavorid)
    agree(private={"Mordor": {flavorid}})

    # It is published: everybody sees it.
    public = {**private, "public": True}
    assert mordor.put(path, public=True).result == (200, {"flavor": public})
    agree()
    for everybody in (mordor, *others):
        assert everybody.get(path).result == (200, {"flavor": public})
        assert public in everybody.get(FLAVORS).body["flavors"]

    # It is installed in Spain2 by the other operator.
    installed = {**public, "nodes": ["Mordor", "Spain2"]}
    assert mordor.put(path, nodes=["Spain2"]).result == refusal(403, "You do not operate the node Spain2.")
    agree()
    assert spain2.put(path, nodes=["Spain2"]).result == (200, {"flavor": installed})
    agree()
    assert in_nova(clouds, "Spain2")[flavorid] == in_nova(clouds, "Mordor")[flavorid]

    # A manager promotes it, and nobody else can.
    for other in (people.basic, mordor, spain2):
        answer = other.put(path, promoted=True)
        assert answer.result == refusal(401, "Promoting requires the role InfrastructureManager.")
    agree()
    promoted = {**installed, "promoted": True}
    assert people.manager.put(path, promoted=True).result == (200, {"flavor": promoted})
    agree()
    assert people.basic.get("/v1/promotedflavors").result == (200, {"flavors": [promoted]})

    # What is published stays published.
    stays = refusal(409, "A published flavor stays public, and a promoted one promoted.")
    assert mordor.put(path, public=False).result == stays
    assert people.manager.put(path, promoted=False).result == stays
    agree()

    # Clouds that have it cannot go.
    for operator, node in ((mordor, "Mordor"), (spain2, "Spain2")):
        message = f"{node} cannot be unregistered: a flavor of the catalogue is installed there, or is being replaced."
        assert operator.delete(f"{INFRASTRUCTURES}/{node}").result == refusal(409, message)
    agree()

    # Each operator deletes it from their own; a promoted one stays in the catalogue.
    assert mordor.delete(path).result == (204, None)
    agree()
    assert people.nobody.get(path).result == (200, {"flavor": {**promoted, "nodes": ["Spain2"]}})
    assert mordor.delete(path).result == refusal(403, "You do not operate a node that has it.")
    assert spain2.delete(path).result == (204, None)
    agree()
    assert people.nobody.get(path).result == (200, {"flavor": {**promoted, "nodes": []}})

    # Both clouds go, and the manager takes the flavor out of the catalogue.
    for operator, node in ((mordor, "Mordor"), (spain2, "Spain2")):
        assert operator.delete(f"{INFRASTRUCTURES}/{node}").result == (204, None)
        assert operator.delete(f"{INFRASTRUCTURES}/{node}").result == refusal(
            404, f"The infrastructure {node} does not exist"
        )
    assert people.manager.delete(f"/v1/promotedflavors/{flavorid}").result == (204, None)
    assert people.nobody.get(path).result == missing(flavorid)
    agree()


def test_the_registrant_becomes_its_operator(api: Api, lab: Lab) -> None:
    ada, ben = api.having(by_account("ada", REGISTER)), api.having(by_account("ben", REGISTER))
    assert register(ada, **registration(lab, "Mordor", name="Any free name", region="Mordor")).status == 201
    assert {flavor["id"] for flavor in ada.get(FLAVORS).body["flavors"]} == {
        flavor.id for flavor in seed.FLAVORS["Mordor"]
    }
    assert ben.get(FLAVORS).result == (200, {"flavors": []})
    path = f"{INFRASTRUCTURES}/Any%20free%20name"
    assert ben.delete(path).result == refusal(403, "You do not operate the infrastructure Any free name.")
    assert ada.delete(path).result == (204, None)
