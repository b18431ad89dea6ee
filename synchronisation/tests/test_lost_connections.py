"""A connection to MariaDB that is lost while a cloud has done its part: what was done is written down all the same."""

import random
from contextlib import suppress

import pytest
from django.core.management.base import CommandError
from django.db import Error, connection, connections

from flavors.catalogue.recording import forget_installations, record_installation
from flavors.models import Flavor, Installation
from infrastructures.commits import again_when_not_written
from infrastructures.locks import exclusive
from infrastructures.models import Infrastructure
from synchronisation.models import SyncRun
from synchronisation.running import carry_out, create_run
from synchronisation.tasks import carry_out_run
from testing.cloud import Federation
from testing.flavors import make_flavor, make_infrastructure, make_installation
from testing.infrastructures import make_registered
from testing.shell import run

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'mysql'", reason="a connection to SQLite cannot be lost"),
]


def lose_connection() -> None:
    """Have the server end the connection of this thread, as it does when it is restarted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        (number,) = cursor.fetchone()
    other = connections["default"].copy()
    with other.cursor() as cursor:
        cursor.execute(f"KILL {number}")
    other.close()


def test_a_deletion_in_a_cloud_is_written_down() -> None:
    installation = make_installation(make_flavor(promoted=False), "Mordor")
    lose_connection()
    again_when_not_written(
        lambda: forget_installations(flavor=installation.flavor, infrastructures=[installation.infrastructure])
    )
    assert not Flavor.objects.exists()


def test_an_installation_by_the_synchronisation_is_written_down() -> None:
    flavor, mordor = make_flavor(), make_infrastructure("Mordor")
    lose_connection()
    record_installation(flavor=flavor, infrastructure=mordor, flavorid="there")
    assert Installation.objects.get(infrastructure=mordor).flavorid == "there"


def test_a_lock_that_is_lost_fails_nothing_that_was_done() -> None:
    with exclusive("lost"):
        lose_connection()
    assert Flavor.objects.count() == 0
    with exclusive("lost"):
        pass


# A run


def end_connections(chance: random.Random) -> None:
    """Have the server end one connection of ours, or all, but for the one that is asked for that."""
    other = connections["default"].copy()
    with other.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY id"
        )
        ids = [number for (number,) in cursor.fetchall()]
        for number in chance.choice([ids, [chance.choice(ids)]]):
            with suppress(Error):  # it has ended by itself
                cursor.execute(f"KILL {number}")
    other.close()


@pytest.mark.parametrize("seed", range(12))
def test_a_run_whose_connections_are_ended_at_any_moment_is_taken_up(
    seed: int,
) -> None:
    chance = random.Random(seed)
    for name in ("tiny", "small", "large"):
        make_flavor(flavorid=name, name=name)
    with Federation() as federation:
        calls = iter(range(1000))
        at = chance.randrange(12)

        def before_call(call: str) -> None:
            if next(calls) == at:
                end_connections(chance)

        for name in ("Mordor", "Rohan", "Spain2"):
            federation.add(name).before_call = before_call
            make_registered(name)
        killed = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)
        with suppress(Error):
            carry_out(killed.pk)
        killed.refresh_from_db()
        assert killed.state in (SyncRun.State.IN_SYNC, SyncRun.State.RUNNING)
        if killed.state == SyncRun.State.RUNNING:
            assert run("run_scheduler", "--once") == f"Run {killed.pk} was cut short and is taken up again.\n"
            carry_out_run.call(killed.pk)
            killed.refresh_from_db()
        assert killed.state == SyncRun.State.IN_SYNC
        assert Installation.objects.filter(made=True).count() == 9
        assert all(sorted(cloud.flavors) == ["large", "small", "tiny"] for cloud in federation.clouds.values())


def test_the_command_says_that_its_run_is_finished_in_the_background() -> None:
    make_flavor(flavorid="tiny")
    with Federation() as federation:
        federation.add("Mordor").before_call = lambda call: end_connections(random.Random(1))
        make_registered("Mordor")
        with pytest.raises(CommandError) as caught:
            run("sync_flavors")
    (cut_short,) = SyncRun.objects.open()
    assert str(caught.value) == (
        f"The connection to the database was lost. Run {cut_short.pk} stays open: the scheduler will finish it."
    )
