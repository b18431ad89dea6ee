"""The catalogue's revision is another one after whatever is written to the catalogue, by whom and however."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from django.core.management import call_command
from django.db import DatabaseError, close_old_connections, connection, transaction

from flavors.lists import revision
from flavors.lists.revision import current_revision
from flavors.models import CatalogueRevision, Flavor, Installation
from infrastructures.models import Infrastructure
from testing.flavors import make_flavor, make_infrastructure, make_installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def _save() -> None:
    flavor = Flavor.objects.get(flavorid="nano")
    flavor.vcpus = 7
    flavor.save(update_fields=["vcpus"])


def _rename() -> None:
    node = Infrastructure.objects.get(name="Mordor")
    node.name = "Gondor"
    node.save()


def _by_hand() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flavors_flavor SET ram = 3 WHERE flavorid = 'nano'")


WRITES: dict[str, Callable[[], object]] = {
    "a flavor is created": lambda: make_flavor(name="new"),
    "flavors are created in bulk": lambda: Flavor.objects.bulk_create([Flavor(name="new", vcpus=1, ram=1, disk=1)]),
    "a flavor is saved": _save,
    "flavors are updated": lambda: Flavor.objects.update(disk=11),
    "flavors are updated in bulk": lambda: Flavor.objects.bulk_update(
        [Flavor(pk=Flavor.objects.get(flavorid="nano").pk, swap=3)], ["swap"]
    ),
    "a flavor is deleted": lambda: Flavor.objects.get(flavorid="free").delete(),
    "a flavor is installed": lambda: make_installation(Flavor.objects.get(flavorid="nano"), "Spain2"),
    "an installation is moved": lambda: Installation.objects.update(infrastructure=make_infrastructure("Spain2")),
    "installations are deleted": lambda: Installation.objects.all().delete(),
    "a node is renamed": _rename,
    "nodes are renamed": lambda: Infrastructure.objects.filter(name="Mordor").update(name="Gondor"),
    "somebody writes SQL": _by_hand,
}


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    make_installation(make_flavor(flavorid="nano"), "Mordor")
    make_flavor(flavorid="free", name="free")


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_it_changes(write: Callable[[], object]) -> None:
    before = current_revision()
    write()
    assert current_revision() not in (before, None)


def test_it_does_not_count_and_so_never_comes_again() -> None:
    seen = set()
    for number in range(20):
        Flavor.objects.update(disk=number)
        seen.add(current_revision())
    assert len(seen) == 20
    assert CatalogueRevision.objects.count() == 1
    assert str(CatalogueRevision.objects.get()) == current_revision()


def test_it_stays_when_nothing_that_is_shown_has_changed() -> None:
    before = current_revision()
    node = Infrastructure.objects.get(name="Mordor")
    node.username = "sauron"
    node.save()
    make_infrastructure("Spain2").delete()
    Flavor.objects.filter(flavorid="nobody").update(disk=11)
    assert current_revision() == before


def test_a_change_that_is_rolled_back_takes_it_along() -> None:
    before = current_revision()
    with transaction.atomic():
        Flavor.objects.update(disk=11)
        assert current_revision() != before
        transaction.set_rollback(True)
    assert current_revision() == before


def test_without_its_row_there_is_none_until_somebody_writes() -> None:
    CatalogueRevision.objects.all().delete()
    assert current_revision() is None
    Flavor.objects.update(disk=11)
    assert current_revision() is not None


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_drops_its_triggers_has_them_made_anew() -> None:
    revision.remove(connection)
    before = current_revision()
    Flavor.objects.update(disk=11)
    assert current_revision() == before
    call_command("migrate", verbosity=0)
    migrated = current_revision()
    assert migrated != before
    Flavor.objects.update(disk=12)
    assert current_revision() != migrated


@pytest.mark.django_db(transaction=True)
@pytest.mark.thorough
def test_its_migration_can_be_undone_and_done_again() -> None:
    call_command("migrate", "flavors", "0003", verbosity=0)
    try:
        Flavor.objects.update(disk=11)
    finally:
        call_command("migrate", verbosity=0)
    before = current_revision()
    Flavor.objects.update(disk=12)
    assert current_revision() not in (before, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "mysql", reason="SQLite's connections do not die")
def test_a_connection_that_has_died_is_made_anew() -> None:
    before = current_revision()
    assert before is not None
    with connection.cursor() as cursor, suppress(DatabaseError):
        cursor.execute("KILL CONNECTION_ID()")
    close_old_connections()  # as Django does when a request begins
    assert current_revision() == before
