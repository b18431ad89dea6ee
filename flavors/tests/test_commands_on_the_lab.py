"""The commands of the operators against a real Keystone and Nova."""

from collections.abc import Mapping
from typing import Any

import pytest

from flavors.models import Flavor
from lab import Lab
from testing.federation import CLOUDS, SEEDED, Agree, in_nova, make_node, make_rich_flavor
from testing.flavors import make_flavor
from testing.shell import shell

pytestmark = [pytest.mark.lab, pytest.mark.django_db, pytest.mark.usefixtures("_lab_settings")]


def writes(served: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return what Novas were asked besides reading, by node."""
    asked = {
        node: {call: count for call, count in served[node].items() if not call.startswith("GET")} for node in CLOUDS
    }
    return {node: calls for node, calls in asked.items() if calls}


# check_infrastructures


def test_administrators_may_create_flavors_and_members_may_not(clouds: Lab) -> None:
    make_node(clouds, "Spain2")
    make_node(clouds, "Lannion2", username="lannion2-member")
    make_node(clouds, "Mordor")
    before = {node: in_nova(clouds, node) for node in CLOUDS}
    with clouds.counting() as served:
        answer = shell("check_infrastructures", "--json")
    by_node = {readiness["node"]: readiness for readiness in answer.document}
    for node in ("Spain2", "Mordor"):
        assert by_node[node] == {
            "node": node,
            "ready": True,
            "authenticated": True,
            "compute_endpoint": clouds.nova_url(node),
            "microversion": "2.96",
            "may_create_flavors": True,
            "may_delete_flavors": True,
            "problem": "",
        }
    assert by_node["Lannion2"] == by_node["Spain2"] | {
        "node": "Lannion2",
        "ready": False,
        "compute_endpoint": clouds.nova_url("Lannion2"),
        "may_create_flavors": False,
        "may_delete_flavors": False,
        "problem": "Lannion2: our account may not create or delete flavors there.",
    }
    assert (answer.error, answer.status) == ("1 of 3 not ready.", 1)
    assert {node: in_nova(clouds, node) for node in CLOUDS} == before
    assert served["Spain2"] == {
        "GET /v2.1/": 1,
        "GET /v2.1/flavors/detail": 1,
        "POST /v2.1/flavors": 1,
        "DELETE /v2.1/flavors/{id}": 1,
    }
    assert served["mordor-keystone"] == {"POST /v3/auth/tokens": 1}


@pytest.mark.parametrize(
    ("overrides", "authenticated", "problem"),
    [
        ({"password": "wrong"}, False, "its Keystone refuses the credentials stored for it."),
        ({"tenant": "nowhere"}, False, "its Keystone refuses the credentials stored for it."),
        ({"region": "Moria"}, True, "the Keystone catalogue has no compute endpoint for the region."),
        ({"region": "Isengard"}, True, "its Nova could not be reached."),
    ],
)
def test_what_is_wrong_with_a_registration_is_said(
    clouds: Lab, overrides: dict[str, Any], authenticated: bool, problem: str
) -> None:
    make_node(clouds, "Spain2", **overrides)
    answer = shell("check_infrastructures", "--json")
    (readiness,) = answer.document
    assert (readiness["ready"], readiness["authenticated"], readiness["problem"]) == (
        False,
        authenticated,
        f"Spain2: {problem}",
    )
    assert answer.status == 1


# The flavors' commands


def test_a_flavors_way_by_commands_alone(clouds: Lab, agree: Agree) -> None:
    for node in CLOUDS:
        make_node(clouds, node)
    rich = make_rich_flavor(clouds, "Spain2", "rich")
    assert shell("publish_flavor", "rich", "--node", "Spain2").output == "rich (rich): published.\n"
    with clouds.counting() as served:
        dry = shell("install_flavor", "rich", "--everywhere", "--dry-run")
    assert dry.lines == ["Lannion2: to be created.", "Mordor: to be created.", "Spain2: already installed."]
    assert writes(served) == {}
    installed = shell("install_flavor", "rich", "--everywhere")
    assert installed.lines == ["Lannion2: created.", "Mordor: created.", "Spain2: already installed."]
    assert [in_nova(clouds, node)["rich"] for node in CLOUDS] == [rich] * 3
    assert shell("promote_flavor", "rich").output == "rich: promoted.\n"
    (listed,) = shell("list_flavors", "--promoted", "--json").document
    assert listed["nodes"] == ["Spain2", "Lannion2", "Mordor"]
    live = shell("list_flavors", "--live", "--promoted", "--json").document
    assert [flavor["node"] for flavor in live] == ["Lannion2", "Mordor", "Spain2"]
    agree()


def test_what_the_clouds_have_is_imported_by_reading_alone(clouds: Lab, agree: Agree) -> None:
    for node in CLOUDS:
        make_node(clouds, node)
    with clouds.counting() as served:
        answers = {node: shell("import_flavors", "--from", node) for node in CLOUDS}
    assert writes(served) == {}
    assert answers["Spain2"].lines == [
        "m1.large (4): published.",
        "m1.large.ephemeral (5): published.",
        "m1.medium (3): published.",
        "m1.small (2): published.",
        "m1.tiny (1): published.",
        "spain2.secret (spain2-secret): left out: it is not open to every project of the cloud; name it to take it.",
        "5 published, 0 adopted, 0 known, 1 left out, 0 refused.",
    ]
    assert answers["Lannion2"].lines == [
        "lannion2.swap (lannion2-swap): published.",
        "m1.medium (33): refused: the catalogue has a flavor named m1.medium under the id 3.",
        "m1.small (2): refused: the catalogue has it with different values (disk).",
        "m1.tiny (1): in the catalogue, now here, too.",
        "1 published, 1 adopted, 0 known, 0 left out, 2 refused.",
    ]
    assert [answer.status for answer in answers.values()] == [0, 1, 1]
    assert set(SEEDED["Spain2"]) == {*Flavor.objects.values_list("flavorid", flat=True)} - {"lannion2-swap"} | {
        "spain2-secret"
    }
    agree()


def test_one_cloud_that_is_down_is_told_and_the_others_listed(clouds: Lab) -> None:
    for node in CLOUDS:
        make_node(clouds, node)
    clouds.kill("nova-Mordor")
    try:
        answer = shell("list_flavors", "--live", "--json")
        install = shell("install_flavor", make_flavor(name="anew", flavorid="anew").name, "--everywhere")
    finally:
        clouds.start("nova-Mordor")
    assert {flavor["node"] for flavor in answer.document} == {"Spain2", "Lannion2"}
    assert (answer.error, answer.status) == ("1 of 3 nodes could not be asked.", 1)
    assert install.lines == ["Lannion2: created.", "Mordor: its Nova could not be reached.", "Spain2: created."]
    assert (install.error, install.status) == ("1 of 3 nodes failed.", 1)
