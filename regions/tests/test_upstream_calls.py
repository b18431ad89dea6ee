"""How much each operation asks of the clouds and of the database, counted by the clouds themselves."""

from collections.abc import Callable
from typing import Any

import pytest

from infrastructures.models import Replacement
from lab import Lab
from regions.tests.clouds import Cloud, Tokens
from testing.fixtures import BASIC
from testing.flavors import make_infrastructure
from testing.wire import Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

URL = "/v1/regions/Spain2/flavors"
NEW = {"name": "counted", "vcpus": 1, "ram": 64, "disk": 0}
LIST = "GET /v2.1/flavors/detail"
SHOW = "GET /v2.1/flavors/{id}"
CREATE = "POST /v2.1/flavors"
DELETE = "DELETE /v2.1/flavors/{id}"
EXTRA_SPECS = "POST /v2.1/flavors/{id}/os-extra_specs"
ACCESS = "GET /v2.1/flavors/{id}/os-flavor-access"
GRANT = "POST /v2.1/flavors/{id}/action"

Calls = dict[str, dict[str, int]]


def calls(lab: Lab, act: Callable[[], Any], status: int) -> Calls:
    """Return what all clouds and the IdM together were asked while *act* was answered with *status*."""
    with lab.counting() as served:
        answer = act()
    assert answer.status == status
    return {cloud: dict(requests) for cloud, requests in served.items() if requests}


@pytest.fixture
def warm(admin: Api) -> Api:
    """The API, having met both tokens and Spain2's Nova before."""
    assert admin.get(f"{URL}/1").status == 200
    return admin


def test_a_warm_list_is_one_call(warm: Api, lab: Lab) -> None:
    assert calls(lab, lambda: warm.get(URL), 200) == {"Spain2": {LIST: 1}}


def test_a_warm_show_is_one_call(warm: Api, lab: Lab) -> None:
    assert calls(lab, lambda: warm.get(f"{URL}/5"), 200) == {"Spain2": {SHOW: 1}}


def test_a_warm_creation_is_one_call(warm: Api, lab: Lab, spain2: Cloud) -> None:
    assert calls(lab, lambda: warm.post(URL, **NEW), 201) == {"Spain2": {CREATE: 1}}


def test_a_creation_with_an_unknown_idm_token_is_two_calls(warm: Api, lab: Lab, tokens: Tokens, spain2: Cloud) -> None:
    owner = warm.having({"X-Auth-Token": "lab-token-owner-spain2"})
    assert calls(lab, lambda: owner.post(URL, **NEW), 201) == {"idm": {"GET /user": 1}, "Spain2": {CREATE: 1}}


def test_a_warm_deletion_is_one_call(warm: Api, lab: Lab, spain2: Cloud) -> None:
    assert calls(lab, lambda: warm.delete(f"{URL}/1"), 204) == {"Spain2": {DELETE: 1}}


@pytest.mark.parametrize(
    ("flavorid", "changes", "expected"),
    [
        ("1", {"ram": 77}, {SHOW: 1, DELETE: 1, CREATE: 1}),
        ("1", {"ram": 512}, {SHOW: 1}),
        ("1", {"name": "other"}, {SHOW: 1, LIST: 1, DELETE: 1, CREATE: 1}),
        ("5", {"ram": 77}, {SHOW: 1, DELETE: 1, CREATE: 1, EXTRA_SPECS: 1}),
        ("rich", {"ram": 77}, {SHOW: 1, ACCESS: 1, DELETE: 1, CREATE: 1, EXTRA_SPECS: 1, GRANT: 2}),
    ],
    ids=["plain", "nothing to change", "renamed", "extra specs", "private, extra specs, two grants"],
)
def test_an_update_is_as_many_calls_as_documented(
    warm: Api, lab: Lab, spain2: Cloud, flavorid: str, changes: dict[str, Any], expected: dict[str, int]
) -> None:
    if flavorid == "rich":
        spain2.make_rich_flavor("rich")
    assert calls(lab, lambda: warm.put(f"{URL}/{flavorid}", **changes), 200) == {"Spain2": expected}


@pytest.mark.usefixtures("_regions")
def test_a_cold_list_with_a_scoped_token(api: Api, lab: Lab, tokens: Tokens) -> None:
    admin = api.having(BASIC | tokens("spain2-admin"))
    assert calls(lab, lambda: admin.get(URL), 200) == {
        "idm": {"GET /user": 1},
        "keystone": {"GET /v3/auth/tokens": 1},
        "Spain2": {"GET /v2.1/": 1, LIST: 1},
    }


@pytest.mark.usefixtures("_regions")
def test_a_token_scoped_to_nothing_is_rescoped_once(api: Api, lab: Lab) -> None:
    admin = api.having(BASIC | {"X-Auth-Token-KeyStone": lab.unscoped_token("unscoped-admin")})
    assert calls(lab, lambda: admin.get(URL), 200)["keystone"] == {
        "GET /v3/auth/tokens": 1,
        "POST /v3/auth/tokens": 2,
        "GET /v3/auth/projects": 1,
    }
    assert calls(lab, lambda: admin.get(URL), 200) == {"Spain2": {LIST: 1}}


@pytest.mark.parametrize("flavors", [0, 9])
def test_the_list_costs_three_queries_however_long(
    warm: Api, lab: Lab, spain2: Cloud, django_assert_num_queries: Any, flavors: int
) -> None:
    elsewhere = make_infrastructure("Lannion2")
    for number in range(flavors):
        lab.create_flavor("Spain2", f"counted {number}")
        Replacement.objects.create(infrastructure=elsewhere, flavorid=str(number), old={}, new={})
    with django_assert_num_queries(3):
        answer = warm.get(URL)
    assert len(answer.body["flavors"]) == 6 + flavors
