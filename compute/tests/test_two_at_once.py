"""Clients that write at the same time: nothing is lost, and nothing is made twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from compute.tests.client import Answer, Nova, give_managers_their_group
from flavors.models import Flavor
from synchronisation.models import Removal, WrittenFlavor
from testing.flavors import make_flavor, make_installation

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 6


@pytest.fixture(autouse=True)
def _group(transactional_db: None) -> None:
    give_managers_their_group()


def at_once(send: Callable[[int], Answer]) -> list[int]:
    """Have so many clients send something at the same time, and return the statuses of the answers, in order."""

    def sent(number: int) -> int:
        try:
            return send(number).status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sorted(pool.map(sent, range(CLIENTS)))


@pytest.mark.parametrize("member", ["id", "name"])
def test_one_of_several_makes_the_flavor(admin: Nova, member: str) -> None:
    def create(number: int) -> Answer:
        values = {"id": f"id-{number}", "name": f"name-{number}", member: "same", "ram": 1, "vcpus": 1, "disk": 1}
        return admin.post("/flavors", {"flavor": values})

    assert at_once(create) == [200] + [409] * (CLIENTS - 1)
    assert Flavor.objects.count() == WrittenFlavor.objects.count() == 1


def test_extra_specs_of_several_are_all_there(admin: Nova) -> None:
    make_flavor(flavorid="nano")
    statuses = at_once(lambda number: admin.post("/flavors/nano/os-extra_specs", {"extra_specs": {f"k{number}": "1"}}))
    assert statuses == [200] * CLIENTS
    assert Flavor.objects.get().extra_specs == {f"k{number}": "1" for number in range(CLIENTS)}


def test_one_of_several_grants_access(admin: Nova) -> None:
    flavor = make_flavor(flavorid="nano", is_public=False)
    granted = at_once(lambda _: admin.post("/flavors/nano/action", {"addTenantAccess": {"tenant": "p"}}))
    assert granted == [200] + [409] * (CLIENTS - 1)
    assert flavor.grants.count() == 1


def test_a_deletion_by_several_is_one(admin: Nova) -> None:
    make_installation(make_flavor(flavorid="nano"), "Spain2", made=True)
    assert set(at_once(lambda _: admin.delete("/flavors/nano"))) <= {202, 404}
    assert not Flavor.objects.exists()
    assert Removal.objects.count() == WrittenFlavor.objects.count() == 1
