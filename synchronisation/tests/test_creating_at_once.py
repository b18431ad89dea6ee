"""A run creates some flavors in a node at once: how many, and what becomes of those that cannot go with the others."""

import asyncio
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from benchmarks.farm import Farm
from flavors.models import Flavor
from infrastructures.clouds import open_nova
from infrastructures.locks import exclusive
from infrastructures.models import Infrastructure, Replacement
from infrastructures.replacements.changes import create_flavors, lock_of
from infrastructures.threads import Threads
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.repairing import MOST_CREATIONS
from synchronisation.running import carry_out, create_run
from testing.farm import registered_farm
from testing.flavors import make_flavor
from testing.infrastructures import make_nova_flavor, make_replacement

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS_TO_COME_TOGETHER = 10


@pytest.fixture
def farm(settings: Settings) -> Iterator[Farm]:
    """One cloud that lacks eight promoted flavors."""
    settings.INFRASTRUCTURE_URL_ALLOWLIST = ["127.0.0.1"]
    for number in range(8):
        make_flavor(flavorid=f"f{number}", name=f"f{number}")
    with registered_farm(1) as farm:
        yield farm


def run() -> SyncRun:
    infrastructures = Infrastructure.objects.all()
    return carry_out(create_run(requested_by="test", infrastructures=infrastructures, repairs=True).pk)


def most_at_once(farm: Farm, expected: int) -> int:
    """Return how many creations a run sends at once; each is kept waiting until *expected* have come."""
    waiting, most = 0, 0

    async def wait(cloud: int) -> None:
        nonlocal waiting, most
        waiting, begun = waiting + 1, asyncio.get_running_loop().time()
        most = max(most, waiting)
        while farm.calls["create"] % expected and asyncio.get_running_loop().time() - begun < SECONDS_TO_COME_TOGETHER:
            await asyncio.sleep(0.01)
        waiting -= 1

    farm.wait = wait  # type: ignore[method-assign]
    assert run().state == SyncRun.State.IN_SYNC
    return most


def test_four_at_once(farm: Farm) -> None:
    assert most_at_once(farm, MOST_CREATIONS) == MOST_CREATIONS


def test_no_more_than_may_be_at_work_in_a_cloud(farm: Farm, settings: Settings) -> None:
    settings.CLOUD_CONCURRENCY = 2
    assert most_at_once(farm, 2) == 2


def test_one_that_somebody_else_is_changing_fails_alone(farm: Farm) -> None:
    node = Infrastructure.objects.get()
    with exclusive(lock_of(node, "f1")):
        assert run().state == SyncRun.State.PARTLY_DONE
    failed = SyncOutcome.objects.get(result=SyncOutcome.Result.FAILED)
    assert (failed.flavorid, failed.reason) == ("f1", f"{node}: somebody else is changing flavor f1.")
    assert farm.clouds[0].flavors.keys() == {f"f{number}" for number in range(8) if number != 1}
    assert not Replacement.objects.exists()


def test_the_name_of_a_flavor_that_is_being_replaced_is_kept_for_it(farm: Farm) -> None:
    node = Infrastructure.objects.get()
    half_way = make_nova_flavor(name="f1").as_json()
    make_replacement(infrastructure=node, old=half_way, new=half_way)
    flavors = [flavor.as_nova() for flavor in Flavor.objects.filter(flavorid__in=["f0", "f1"])]
    with Threads(MOST_CREATIONS) as threads:
        errors = create_flavors(infrastructure=node, nova=open_nova(node), flavors=flavors, threads=threads)
    assert [error and str(error.detail) for error in errors] == [
        None,
        f"{node}: the name f1 belongs to a flavor that is being replaced.",
    ]
    assert farm.clouds[0].flavors.keys() == {"f0"}
    assert Replacement.objects.count() == 1


def test_one_that_nova_refuses_fails_alone(farm: Farm) -> None:
    farm.clouds[0].put({"id": "f2", "name": "there by now"})
    listed = farm.clouds[0].listed
    farm.clouds[0].listed = lambda: b'{"flavors": []}'  # type: ignore[method-assign]
    assert run().state == SyncRun.State.PARTLY_DONE
    farm.clouds[0].listed = listed  # type: ignore[method-assign]
    assert [outcome.flavorid for outcome in SyncOutcome.objects.filter(result="failed")] == ["f2"]
    assert len(farm.clouds[0].flavors) == 8
    assert not Replacement.objects.exists()
