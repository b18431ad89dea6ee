"""The scheduler watches what nobody asks for."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
import requests
from django.db import connection
from django.utils import timezone

from infrastructures.locks import exclusive
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements import changes
from infrastructures.replacements.changes import lock_of, settling_lock_of
from infrastructures.replacements.replacing import replace_flavor, settle_replacements
from infrastructures.replacements.watching import settle_everywhere
from infrastructures.tests.fake_nova import FakeNova
from testing.cloud import Federation, RegisteredCloud, flavor_document
from testing.infrastructures import (
    let_the_doubt_end,
    make_infrastructure,
    make_nova_flavor,
    make_registered,
    make_replacement,
)
from testing.shell import run

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


@pytest.mark.parametrize("watched", [False, True])
def test_who_waits_for_a_replacement_keeps_nobody_off_its_flavor_when_it_has_ended(
    watched: bool,
) -> None:
    record = make_replacement()
    nova = Placed(make_nova_flavor())

    def settle() -> None:
        try:
            settle_replacements(infrastructure=record.infrastructure, nova=nova)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        with exclusive(lock_of(record.infrastructure, "42")):
            waiting = pool.submit(settle)
            time.sleep(0.2)
            Replacement.objects.filter(pk=record.pk).update(is_met=True) if watched else record.delete()
        waiting.result()
    assert nova.places == 0


def test_a_change_waits_until_its_flavor_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    infrastructure, nova = make_replacement().infrastructure, FakeNova()
    waits = Event()

    def told(*of: Any) -> str:
        waits.set()
        return settling_lock_of(*of)

    def change() -> int:
        try:
            return replace_flavor(
                infrastructure=infrastructure,
                nova=copy(nova),
                flavorid="42",
                changes={"ram": 4242},
                requested_by="somebody",
            ).ram
        finally:
            connection.close()

    monkeypatch.setattr(changes, "settling_lock_of", told)
    with ThreadPoolExecutor() as pool:
        changing = []

        def begin_a_change(call: str) -> None:
            nova.before_call = lambda call: None
            changing.append(pool.submit(change))
            assert waits.wait(timeout=10)

        nova.before_call = begin_a_change
        assert settle_replacements(infrastructure=infrastructure, nova=nova) == []
        assert [each.result() for each in changing] == [4242]
    assert nova.flavors["42"].ram == 4242


class Placed(FakeNova):
    """Counts how often somebody held its flavor's lock."""

    places = 0

    def place(self) -> AbstractContextManager[None]:
        """Count it."""
        self.places += 1
        return super().place()
