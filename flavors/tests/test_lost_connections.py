"""A connection to MariaDB that is lost while a cloud has done its part: what was done is written down all the same."""

import pytest
from django.db import connection, connections

from flavors.models import Flavor, Installation
from flavors.services import forget_installations, record_installation
from flavors.tests.factories import make_flavor, make_infrastructure, make_installation
from infrastructures.commits import again_when_not_written
from infrastructures.locks import exclusive

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
    again_when_not_written(lambda: forget_installations(flavor=installation.flavor, installations=[installation]))
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
