"""The names of a flavor that is being replaced are nobody else's meanwhile."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from flavorsync_project.api.errors import Conflict
from infrastructures.models import Infrastructure, Replacement
from infrastructures.replacements.changes import create_flavor, delete_flavor
from infrastructures.replacements.replacing import replace_flavor
from infrastructures.tests.fake_nova import FakeNova
from testing.infrastructures import make_infrastructure, make_nova_flavor, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]

OLD = make_nova_flavor()


def create(nova: FakeNova, infrastructure: Infrastructure, name: str) -> None:
    create_flavor(infrastructure=infrastructure, nova=nova, flavor=make_nova_flavor(id="7", name=name))


def refused_elsewhere(nova: FakeNova, infrastructure: Infrastructure, name: str) -> bool:
    """Say whether another thread, on its own connection, is refused the name."""

    def attempt() -> bool:
        try:
            create(nova, infrastructure, name)
        except Conflict:
            return True
        finally:
            connection.close()
        return False

    with ThreadPoolExecutor() as pool:
        return pool.submit(attempt).result()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["m1.custom", "M1.CUSTOM", "renamed", "Renamed"])
def test_nobody_takes_the_old_name_or_the_new_one_meanwhile(name: str) -> None:
    infrastructure, nova, intruder = make_infrastructure(), FakeNova(OLD), FakeNova()
    refused: dict[str, bool] = {}

    def intrude(call: str) -> None:
        if call != "get":  # what it reads first tells it the name
            refused[call] = refused_elsewhere(intruder, infrastructure, name)

    nova.before_call = intrude
    replace_flavor(
        infrastructure=infrastructure, nova=nova, flavorid="42", changes={"name": "renamed"}, requested_by="somebody"
    )
    assert refused == {"list": True, "delete": True, "create": True}
    assert intruder.calls == []
    assert not refused_elsewhere(intruder, infrastructure, name)


@pytest.mark.parametrize("name", ["m1.custom", "M1.Custom", "renamed"])
def test_the_names_stay_reserved_while_a_replacement_is_open(name: str) -> None:
    record = make_replacement(new=make_nova_flavor(name="renamed").as_json())
    nova = FakeNova()
    with pytest.raises(Conflict, match="being replaced"):
        create(nova, record.infrastructure, name)
    assert nova.flavors == {}
    record.delete()
    create(nova, record.infrastructure, name)
    assert [flavor.name for flavor in nova.flavors.values()] == [name]


def test_they_are_free_in_another_cloud() -> None:
    make_replacement()
    nova = FakeNova()
    create(nova, make_infrastructure("Mordor"), "m1.custom")
    assert set(nova.flavors) == {"7"}


def test_deleting_another_flavor_needs_no_name() -> None:
    record = make_replacement()
    nova = FakeNova(make_nova_flavor(id="7", name="other"))
    delete_flavor(infrastructure=record.infrastructure, nova=nova, flavorid="7")
    assert nova.flavors == {}
    assert Replacement.objects.get() == record


def test_the_id_stays_reserved_too_while_a_replacement_is_open() -> None:
    record = make_replacement(flavorid="7")
    nova = FakeNova()
    with pytest.raises(Conflict, match="the id 7 belongs to a flavor that is being replaced"):
        create(nova, record.infrastructure, "free")
    assert nova.flavors == {}
    record.delete()
    create(nova, record.infrastructure, "free")
    assert set(nova.flavors) == {"7"}
