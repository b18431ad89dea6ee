"""The list of regions: each status of the contract, in both formats."""

from typing import Any

import pytest

from lab import Lab, seed
from testing.fixtures import BASIC, MANAGER, OWNER
from testing.flavors import make_infrastructure
from testing.wire import NO_TOKEN, Api

pytestmark = pytest.mark.django_db

URL = "/v1/regions"
NAMES = ["Budapest2", "Lannion2", "Spain2", "Zurich"]


@pytest.fixture(scope="session")
def lab(lab_without_clouds: Lab) -> Lab:
    """No cloud is asked here."""
    return lab_without_clouds


def document(*names: str) -> dict[str, Any]:
    return {"Infrastructures": [{"id": name, "name": name} for name in names]}


@pytest.fixture
def _four_regions() -> None:
    for name in ("Zurich", "Spain2", "Budapest2", "Lannion2"):
        make_infrastructure(name)


@pytest.mark.usefixtures("_four_regions")
@pytest.mark.parametrize("caller", [BASIC, MANAGER, OWNER], ids=["basic", "manager", "owner"])
@pytest.mark.parametrize("path", ["/v1/regions", "/v1/nodes"])
def test_all_are_listed_by_name(api: Api, caller: dict[str, str], path: str) -> None:
    assert api.having(caller).get(path).result == (200, document(*NAMES))


def test_there_may_be_none(api: Api) -> None:
    assert api.having(BASIC).get(URL).result == (200, document())


@pytest.mark.usefixtures("_four_regions")
def test_they_come_in_pages_when_asked(api: Api) -> None:
    basic = api.having(BASIC)
    first = basic.get(f"{URL}?limit=2")
    assert first.body["Infrastructures"] == document(*NAMES[:2])["Infrastructures"]
    assert first.headers["Link"] == f'<http://testserver{URL}?limit=2&marker=Lannion2>; rel="next"'
    last = basic.get(f"{URL}?limit=3&marker=Lannion2")
    assert last.result == (200, document(*NAMES[2:]))
    assert "Link" not in last.headers


@pytest.mark.parametrize("headers", [{}, {"X-Auth-Token": seed.idm_token("expired")}], ids=["none", "expired"])
def test_without_a_valid_token_it_is_401_in_plain_text(api: Api, headers: dict[str, str]) -> None:
    assert api.having(headers).get(URL).result == (401, NO_TOKEN)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_they_cannot_be_written(api: Api, method: str) -> None:
    answer = api.having(MANAGER).send(method, URL, b"{}")
    assert answer.result == (405, {"error": {"message": f'Method "{method}" not allowed.'}})
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_no_cloud_is_contacted(api: Api, lab: Lab) -> None:
    with lab.counting() as served:
        api.having(BASIC).get(URL)
    assert {cloud: dict(requests) for cloud, requests in served.items() if requests} == {"idm": {"GET /user": 1}}


@pytest.mark.parametrize("rows", [1, 12])
def test_the_list_costs_one_query_however_long(api: Api, django_assert_num_queries: Any, rows: int) -> None:
    for row in range(rows):
        make_infrastructure(f"region{row}")
    with django_assert_num_queries(1):
        answer = api.having(BASIC).get(URL)
    assert len(answer.body["Infrastructures"]) == rows
