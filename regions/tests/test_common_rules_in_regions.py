"""What holds for every operation, where a region's own cloud answers (contract, sections 1 and 2)."""

from typing import Any

import pytest

from regions.tests.clouds import Cloud
from regions.tests.test_common_rules_contract import PASSWORD, basic_credentials
from testing.fixtures import MANAGER
from testing.flavors import make_flavor
from testing.wire import Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db]

PROMOTED = [f"{root}/promotedflavors{rest}" for root in ("/v1", "/api/v1") for rest in ("", "/nano")]
REGIONS = [f"{root}/{name}" for root in ("/v1", "/api/v1") for name in ("regions", "nodes")]
REGION_FLAVORS = [
    f"{root}/{name}/Spain2/flavors{rest}"
    for root in ("/v1", "/api/v1")
    for name in ("regions", "nodes", "region")
    for rest in ("", "/5")
]


@pytest.mark.parametrize("path", [*PROMOTED, *REGIONS, *REGION_FLAVORS])
def test_every_name_of_a_path_answers_the_same_with_and_without_a_slash(admin: Api, path: str) -> None:
    make_flavor(flavorid="nano")
    canonical = path.replace("/api/", "/").replace("/nodes", "/regions").replace("/region/", "/regions/")
    expected = admin.get(canonical)
    assert expected.status == 200
    assert [admin.get(each).result for each in (path, f"{path}/")] == [expected.result] * 2


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("root", ["/v1", "/api/v1"])
def test_writing_is_never_redirected(admin: Api, spain2: Cloud, root: str, slash: str) -> None:
    manager = admin.having(MANAGER)
    sizes = {"id": "made", "name": "made", "vcpus": 1, "ram": 1, "disk": 1}
    for collection in ("promotedflavors", "regions/Spain2/flavors", "nodes/Spain2/flavors", "region/Spain2/flavors"):
        one = f"{root}/{collection}/made{slash}"
        assert manager.post(f"{root}/{collection}{slash}", **sizes).status == 201
        assert manager.put(one, ram=2).body["flavor"]["ram"] == 2
        assert manager.delete(one).status == 204


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": basic_credentials("operator", PASSWORD)},
        {"User": "operator", "Password": PASSWORD},
        {"user": "operator", "password": PASSWORD, "Authorization": basic_credentials("operator", PASSWORD)},
    ],
    ids=["basic", "headers", "both"],
)
def test_a_local_account_is_a_caller_like_any_other(
    admin: Api, headers: dict[str, str], django_user_model: Any
) -> None:
    django_user_model.objects.create_user(username="operator", password=PASSWORD)
    keystone = {"X-Auth-Token-KeyStone": admin.headers["X-Auth-Token-KeyStone"]}
    local = Api(admin.wire, headers | keystone)
    assert local.get("/v1/promotedflavors").status == 200
    assert local.get("/v1/regions").status == 200
    assert local.get("/v1/regions/Spain2/flavors/5").status == 200
