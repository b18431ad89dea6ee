"""The commands of the operators against a real Keystone and Nova."""

from collections.abc import Mapping
from typing import Any

import pytest

from flavors.tests.federation import CLOUDS, in_nova, make_node
from infrastructures.tests.shell import shell
from lab import Lab

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
