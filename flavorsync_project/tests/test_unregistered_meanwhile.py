"""A region that is unregistered while one of its flavors is being changed."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from flavorsync_project.tests.world import ACTORS, UNREGISTERED, OpenCloud, set_up
from infrastructures.models import Infrastructure
from infrastructures.registration import unregister_infrastructure
from testing.cloud import Federation
from testing.infrastructures import make_registered

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cloud(settings: Settings) -> Iterator[OpenCloud]:
    """A region with one flavor."""
    with Federation() as federation:
        set_up(settings, federation)
        make_registered(UNREGISTERED)
        cloud = OpenCloud(federation.http, UNREGISTERED)
        cloud.has("small")
        yield cloud


def test_the_change_is_refused_and_nothing_is_lost(cloud: OpenCloud) -> None:
    def unregister(call: str) -> None:
        if call == "GET /flavors/small":
            unregister_infrastructure(infrastructure=Infrastructure.objects.get(name=UNREGISTERED))

    cloud.before_call = unregister
    before = dict(cloud.flavors["small"])
    answer = APIClient(raise_request_exception=False).put(
        f"/v1/regions/{UNREGISTERED}/flavors/small",
        {"flavor": {"ram": 8192}},
        format="json",
        headers={**ACTORS["basic"], "X-Auth-Token-KeyStone": cloud.administrator},
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "Isengard has just been unregistered.")
    assert cloud.flavors == {"small": before}
