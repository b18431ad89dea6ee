"""A flavor that a client deletes and creates again under the same id: the nodes keep nothing of the old one."""

import pytest
from pytest_django import Settings

from compute.tests.client import Nova, a_manager, give_managers_their_group
from synchronisation.delivery import start_when_due
from synchronisation.running import carry_out
from testing.cloud import registered_clouds

pytestmark = pytest.mark.django_db(transaction=True)

NANO = {"id": "nano", "name": "nano", "vcpus": 1, "ram": 64, "disk": 1}


@pytest.fixture
def admin(settings: Settings) -> Nova:
    """A manager's client; what it writes is due at once."""
    give_managers_their_group()
    settings.COMPUTE_SETTLE_SECONDS = 0
    return a_manager()


def bring() -> None:
    """Do what the scheduler and a worker do."""
    started = start_when_due()
    assert started
    carry_out(started.pk)


def create(admin: Nova, values: dict[str, object]) -> None:
    assert admin.post("/flavors", {"flavor": values}).status == 200


@pytest.mark.parametrize("servers", [0, 2])
def test_extra_specs_of_the_old_one_are_gone(admin: Nova, servers: int) -> None:
    with registered_clouds("Spain2") as federation:
        create(admin, NANO)
        assert admin.post("/flavors/nano/os-extra_specs", {"extra_specs": {"a": "1", "b": "2"}}).status == 200
        bring()
        spain2 = federation.clouds["Spain2"]
        assert spain2.flavors["nano"]["extra_specs"] == {"a": "1", "b": "2"}
        spain2.servers["nano"] = servers
        assert admin.delete("/flavors/nano").status == 202
        create(admin, NANO)
        assert admin.post("/flavors/nano/os-extra_specs", {"extra_specs": {"b": "2"}}).status == 200
        bring()
        assert spain2.flavors["nano"]["extra_specs"] == {"b": "2"}
