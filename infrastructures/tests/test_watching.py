"""The scheduler watches what nobody asks for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.utils import timezone

from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.records import NovaFlavor
from infrastructures.tests.cloud import Federation, RegisteredCloud, flavor_document
from infrastructures.tests.factories import let_the_doubt_end, make_infrastructure, make_registered, make_replacement
from infrastructures.tests.shell import run
from infrastructures.watching import settle_everywhere

pytestmark = pytest.mark.django_db(transaction=True)


def watch(infrastructure: Infrastructure, cloud: RegisteredCloud) -> None:
    """Have the cloud's flavor 42 watched."""
    stored = replace(NovaFlavor.from_nova(cloud.flavors["42"]), projects=()).as_json()
    until = timezone.now() + timedelta(minutes=5)
    make_replacement(infrastructure=infrastructure, old=None, new=stored, is_met=True, unsure_until=until)


@pytest.fixture
def federation() -> Any:
    with Federation() as federation:
        for name in ("Mordor", "Spain2"):
            federation.add(name, flavor_document(**{"os-flavor-access:is_public": True}))
        yield federation


def test_what_has_vanished_is_made_again_with_nobody_asking(federation: Federation) -> None:
    cloud, infrastructure = federation.clouds["Mordor"], make_registered("Mordor")
    watch(infrastructure, cloud)
    whole = cloud.flavors.pop("42")
    run("run_scheduler", "--once")
    assert NovaFlavor.from_nova(cloud.flavors["42"]) == NovaFlavor.from_nova(whole)
    let_the_doubt_end()
    run("run_scheduler", "--once")
    assert not Replacement.objects.exists()


def test_a_dead_cloud_does_not_keep_the_others_from_being_looked_after(federation: Federation) -> None:
    mordor, spain2 = federation.clouds["Mordor"], federation.clouds["Spain2"]
    for cloud in (mordor, spain2):
        watch(make_registered(cloud.name), cloud)
    spain2.flavors.clear()

    def die(call: str) -> None:
        raise requests.exceptions.ConnectionError

    mordor.before_call = die
    assert settle_everywhere() == 2
    assert set(spain2.flavors) == {"42"}
    assert Replacement.objects.get(infrastructure__name="Mordor").last_error


def test_clouds_that_we_cannot_enter_are_left_to_their_users() -> None:
    make_replacement(infrastructure=make_infrastructure("Moria"))
    assert settle_everywhere() == 0
    assert Replacement.objects.exists()


def test_where_nothing_is_written_down_one_query_is_made(django_assert_num_queries: Any) -> None:
    make_registered("Mordor")
    with django_assert_num_queries(1):
        assert settle_everywhere() == 0
