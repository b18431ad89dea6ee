"""Extra specs as they come to the nodes, and as they are read there."""

import pytest
from pytest_django import Settings

from compute.tests.client import a_manager, give_managers_their_group
from synchronisation.delivery import start_when_due
from synchronisation.models import SyncRun
from synchronisation.running import carry_out
from testing.cloud import registered_clouds

NANO = {"id": "nano", "name": "nano", "vcpus": 1, "ram": 64, "disk": 1}


def bring() -> None:
    """Do what the scheduler and a worker do."""
    started = start_when_due()
    assert started
    assert carry_out(started.pk).state == SyncRun.State.IN_SYNC


@pytest.mark.django_db(transaction=True)
def test_a_value_of_several_lines_comes_and_goes(settings: Settings) -> None:
    """Nova accepts it. A node's whole list was refused that had one, so that nobody could take it out again."""
    give_managers_their_group()
    settings.COMPUTE_SETTLE_SECONDS = 0
    admin = a_manager()
    with registered_clouds("Spain2") as federation:
        assert admin.post("/flavors", {"flavor": NANO}).status == 200
        specs = {"a": "two\nlines", "b": "1"}
        assert admin.post("/flavors/nano/os-extra_specs", {"extra_specs": specs}).status == 200
        bring()
        assert federation.clouds["Spain2"].flavors["nano"]["extra_specs"] == specs
        assert admin.delete("/flavors/nano/os-extra_specs/a").status == 200
        bring()
        assert federation.clouds["Spain2"].flavors["nano"]["extra_specs"] == {"b": "1"}
