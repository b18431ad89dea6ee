"""The story of nodes whose administrators delete, change and rename flavors behind our back.

After each step every place that tells what a node has is held against what its Nova has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from flavors.admin.looks import address_of_cell
from flavors.catalogue.states import CHANGED
from flavors.models import Flavor
from flavorsync_project.tests.test_monitoring import TOKEN, read
from infrastructures.models import Infrastructure
from lab import Lab
from lab.client import send
from synchronisation.coverage import State
from synchronisation.models import SyncRun
from synchronisation.running import carry_out
from testing.federation import FLAVORS, by_token, in_nova, make_node, refusal, with_accounts
from testing.flavors import document_of
from testing.shell import shell
from testing.synchronising import STATUS, start
from testing.wire import Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

NODES = ("Mordor", "Spain2")
PROMOTED = "/v1/promotedflavors"
VALUES = {"name": "story", "vcpus": 2, "ram": 256, "disk": 5, "swap": 0}


@dataclass(frozen=True)
class Federation:
    """The lab, and all who may say what its nodes have."""

    lab: Lab
    api: Api
    manager: Api
    operator: Api
    staff: Client

    # Behind our back

    def delete(self, node: str, flavorid: str = "story") -> None:
        """Delete a flavor as the node's administrator does."""
        project = node.lower()
        send("DELETE", f"{self.lab.nova_url(node)}/flavors/{flavorid}", token=self.lab.token(f"{project}-admin"))

    def create(self, node: str, **values: object) -> None:
        """Create a flavor as the node's administrator does."""
        document = {name: value for name, value in {**VALUES, "id": "story", **values}.items() if value is not None}
        token = self.lab.token(f"{node.lower()}-admin")
        send("POST", f"{self.lab.nova_url(node)}/flavors", token=token, body={"flavor": document})

    # What is so, and what is told

    def states(self) -> dict[str, str]:
        """Return what the Novas have of the flavor, asked directly."""
        wanted = document_of(Flavor.objects.get(flavorid="story"))
        found = {}
        for node in NODES:
            there = in_nova(self.lab, node)
            taken = any(flavor["name"] == wanted["name"] for id, flavor in there.items() if id != "story")
            if "story" in there:
                found[node] = State.IN_SYNC if there["story"] == wanted else State.DIFFERENT
            else:
                found[node] = State.NAME_TAKEN if taken else State.MISSING
        return {node: str(state.value) for node, state in found.items()}

    def assert_told(self, states: Mapping[str, str] | None = None) -> None:
        """Fail unless every place tells what the Novas have, or that it is in these *states*."""
        truth = self.states()
        states = {**truth, **(states or {})}
        nodes = [node for node in NODES if "story" in in_nova(self.lab, node)]
        for name, told in PLACES.items():
            assert sorted(told(self)) == nodes, name
        for name, tell in STATES.items():
            assert tell(self) == states, name
        assert drift(self) == {node: {state: 1} for node, state in states.items() if state != State.IN_SYNC}
        # What is asked of the nodes right now is so whatever was remembered; this comes last, for it is remembered.
        assert live(self) == truth
        assert sorted(by_list_live(self)) == nodes


# Every place that names nodes


def by_flavor(federation: Federation) -> list[str]:
    nodes: list[str] = federation.api.get(f"{FLAVORS}/story").body["flavor"]["nodes"]
    return nodes


def _of_list(federation: Federation, path: str, api: Api | None = None) -> list[str]:
    found = [each["nodes"] for each in (api or federation.api).get(path).body["flavors"] if each["id"] == "story"]
    return found[0] if found else []


def by_filter(federation: Federation) -> list[str]:
    return [node for node in NODES if "story" in _ids(federation.api, f"{FLAVORS}?node={node}")]


def _ids(api: Api, path: str) -> list[str]:
    return [flavor["id"] for flavor in api.get(path).body["flavors"]]


def by_catalogue_page(federation: Federation) -> list[str]:
    rows: Any = Client().get("/").context["rows"]
    return next(list(row.nodes) for row in rows if row.flavor.flavorid == "story")


def by_filtered_page(federation: Federation) -> list[str]:
    found = {node: Client().get("/", {"node": node}).context["rows"] for node in NODES}
    return [node for node, rows in found.items() if any(row.flavor.flavorid == "story" for row in rows)]


def by_flavor_form(federation: Federation) -> list[str]:
    flavor = Flavor.objects.get(flavorid="story")
    text = federation.staff.get(reverse("admin:flavors_flavor_change", args=[flavor.pk])).text
    return [node for node in NODES if f"story in {node}" in text]


def by_cloud_forms(federation: Federation) -> list[str]:
    found = []
    for node in Infrastructure.objects.all():
        text = federation.staff.get(reverse("admin:infrastructures_infrastructure_change", args=[node.pk])).text
        if ">story</a>" in text:
            found.append(node.name)
    return found


def by_list_command(federation: Federation) -> list[str]:
    nodes: list[str] = next(row["nodes"] for row in shell("list_flavors", "--json").document if row["id"] == "story")
    return nodes


def by_list_live(federation: Federation) -> list[str]:
    return [row["node"] for row in shell("list_flavors", "--live", "--json").document if row["id"] == "story"]


PLACES: dict[str, Callable[[Federation], list[str]]] = {
    "GET of the flavor": by_flavor,
    "GET of the catalogue": lambda federation: _of_list(federation, FLAVORS),
    "GET of the catalogue by its operator": lambda federation: _of_list(federation, FLAVORS, federation.operator),
    "GET of the catalogue by node": by_filter,
    "GET of the promoted flavors": lambda federation: _of_list(federation, PROMOTED, federation.manager),
    "the catalogue's page": by_catalogue_page,
    "the catalogue's page by node": by_filtered_page,
    "the flavor's form": by_flavor_form,
    "the clouds' forms": by_cloud_forms,
    "list_flavors": by_list_command,
}


# Every place that tells states


def by_map(federation: Federation) -> dict[str, str]:
    found: Any = federation.staff.get(reverse("admin:flavors_flavor_coverage")).context["coverage"]
    (states,) = [row.states for row in found.rows if row.name == "story"]
    return dict(zip([node.name for node in found.nodes], states, strict=True))


def by_cells(federation: Federation) -> dict[str, str]:
    flavor = Flavor.objects.get(flavorid="story")
    pages = {
        node.name: federation.staff.get(address_of_cell(flavor.flavorid, node.name))
        for node in Infrastructure.objects.all()
    }
    return {node: page.context["found"].state for node, page in pages.items()}


STATES: dict[str, Callable[[Federation], dict[str, str]]] = {"the map": by_map, "the cells": by_cells}


def drift(federation: Federation) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (name, labels), count in read(federation.staff).items():
        if name == "flavorsync_drift_flavors" and count:
            found.setdefault(labels[0], {})[labels[1]] = int(count)
    return found


def live(federation: Federation) -> dict[str, str]:
    status = federation.manager.get(STATUS).body["status"]
    return {node["name"]: node["outcomes"][0]["state"] for node in status["nodes"]}


# Somebody looks


def synchronise(*options: str) -> int:
    """Return the exit status of `sync_flavors`."""
    try:
        return shell("sync_flavors", *options).status
    except SystemExit as ended:
        return int(str(ended.code))


def look_by_status(federation: Federation) -> None:
    live(federation)


def look_by_run(federation: Federation) -> None:
    carry_out(int(start(federation.manager, dry_run=True).body["run"]["id"]))


def look_by_command(federation: Federation) -> None:
    synchronise("--dry-run")


def look_by_page(federation: Federation) -> None:
    federation.staff.post(reverse("admin:flavors_flavor_compare_now"))
    carry_out(SyncRun.objects.latest("pk").pk)


def look_by_preview(federation: Federation) -> None:
    flavor, chosen = Flavor.objects.get(flavorid="story"), list(Infrastructure.objects.values_list("pk", flat=True))
    asked = {"action": "synchronise_flavors", "_selected_action": [flavor.pk], "confirmed": "yes", "nodes": chosen}
    federation.staff.post(reverse("admin:flavors_flavor_changelist"), asked)


@pytest.fixture
def federation(api: Api, clouds: Lab, settings: Settings, admin_client: Client) -> Federation:
    """Two nodes that have a promoted flavor; nobody has touched anything yet."""
    settings.METRICS_TOKEN = TOKEN
    people = with_accounts(api)
    for node in NODES:
        make_node(clouds, node, node.lower())
    assert people.manager.post(PROMOTED, id="story", **VALUES).status == 201
    assert synchronise() == 0
    return Federation(clouds, people.nobody, people.manager, people.spain2, admin_client)


def test_what_is_said_is_so(federation: Federation) -> None:
    path = f"{FLAVORS}/story"
    federation.assert_told()

    # Deleted by hand and found by asking what is so; installed again over the API.
    federation.delete("Spain2")
    look_by_status(federation)
    federation.assert_told()
    installed = federation.operator.put(path, nodes=["Spain2"])
    assert (installed.status, sorted(installed.body["flavor"]["nodes"])) == (200, ["Mordor", "Spain2"])
    federation.assert_told()

    # Deleted by hand, and nobody has looked: whoever installs it is not told that it is there.
    federation.delete("Mordor")
    assert shell("install_flavor", "story", "--node", "Mordor").output == "Mordor: created.\n"
    federation.assert_told()
    federation.delete("Spain2")
    assert federation.operator.put(path, nodes=["Spain2"]).status == 200
    federation.assert_told()

    # Deleted by hand, and made again by hand.
    federation.delete("Mordor")
    look_by_run(federation)
    federation.assert_told()
    federation.create("Mordor")
    look_by_command(federation)
    federation.assert_told()

    # Changed by hand: it is there, and not installed over.
    federation.delete("Spain2")
    federation.create("Spain2", ram=512)
    refused = federation.operator.put(path, nodes=["Spain2"])
    assert refused.result == refusal(409, "Spain2: there is already a flavor with the id story and different values.")
    federation.assert_told()

    # Renamed by hand: under its id with another name, and then its name under another id.
    federation.delete("Mordor")
    federation.create("Mordor", name="renamed")
    look_by_page(federation)
    federation.assert_told()
    federation.delete("Mordor")
    federation.create("Mordor", id="another", ram=512)
    look_by_preview(federation)
    federation.assert_told()
    assert shell("install_flavor", "story", "--node", "Mordor").status == 1
    federation.assert_told()

    # Repaired, as far as that goes; the rest when the name is free.
    assert synchronise("--replace") == 2
    federation.assert_told()
    federation.delete("Mordor", "another")
    assert synchronise() == 0
    federation.assert_told()

    # The catalogue's flavor changes: what was seen holds no longer, until somebody looks.
    assert federation.manager.put(f"{PROMOTED}/story", ram=1024).status == 200
    federation.assert_told(dict.fromkeys(NODES, CHANGED))
    federation.assert_told()
    assert synchronise("--replace") == 0
    federation.assert_told()

    # Taken out through us, by an administrator of the region with a token of their own.
    theirs = by_token("basic") | {"X-Auth-Token-KeyStone": federation.lab.token("spain2-admin")}
    assert federation.api.having(theirs).delete("/v1/regions/Spain2/flavors/story").status == 204
    federation.assert_told()

    # What no node has any more may go.
    still = federation.manager.delete(f"{PROMOTED}/story")
    assert still.status == 405
    federation.delete("Mordor")
    look_by_command(federation)
    federation.assert_told()
    assert federation.manager.delete(f"{PROMOTED}/story").status == 204
    assert federation.api.get(path).status == 404
