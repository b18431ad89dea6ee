"""What changes in the catalogue is told, and brought to the nodes where that is wanted, whoever has written it."""

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from flavors.models import Flavor
from synchronisation.delivery import start_when_due
from synchronisation.models import WrittenFlavor
from synchronisation.telling.from_catalogue import Memory, notice_changes
from synchronisation.telling.models import Event, Subscriber
from testing.infrastructures import make_registered
from testing.synchronising import promote

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _subscriber(db: None) -> None:
    Subscriber.objects.create(name="everybody", email="operators@example.org")
    make_registered("Spain2")


def told() -> list[tuple[str, str]]:
    found = [(event.kind, event.subject) for event in Event.objects.order_by("kind", "subject")]
    Event.objects.all().delete()
    return found


def test_promoted_changed_and_gone_are_told_once() -> None:
    memory = Memory()
    promote("a")
    promote("b", promoted=False)
    assert notice_changes(memory) == 1
    assert told() == [("flavor.promoted", "a")]
    Flavor.objects.filter(flavorid="a").update(extra_specs={"hw:cpu_policy": "dedicated"})
    Flavor.objects.filter(flavorid="b").update(promoted=True)
    assert notice_changes(memory) == 2
    assert told() == [("flavor.changed", "a"), ("flavor.promoted", "b")]
    Flavor.objects.filter(flavorid="a").delete()
    assert notice_changes(memory) == 1
    assert told() == [("flavor.retired", "a")]
    assert notice_changes(Memory()) == 0, "also for a process that has just begun"


def test_what_changes_nothing_for_a_node_is_not_told() -> None:
    memory, flavor = Memory(), promote("a")
    notice_changes(memory)
    told()
    flavor.save()
    assert notice_changes(memory) == 0
    assert told() == []


def test_a_catalogue_that_stays_as_it_is_costs_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    memory = Memory()
    promote("a")
    notice_changes(memory)
    with django_assert_num_queries(1):
        assert notice_changes(memory) == 0


def test_by_default_nothing_is_brought_to_the_nodes() -> None:
    promote("a")
    notice_changes(Memory())
    assert not WrittenFlavor.objects.exists()


def test_it_is_brought_to_the_nodes_when_nothing_has_changed_for_a_while(settings: Settings) -> None:
    settings.SYNC_ON_CHANGE_SECONDS = 60
    memory = Memory()
    promote("a")
    notice_changes(memory)
    promote("b")
    notice_changes(memory)
    assert start_when_due() is None
    for written in WrittenFlavor.objects.all():
        written.written_at -= written.written_at - Flavor.objects.get(flavorid="a").created_at
        written.settle_seconds = 0
        written.save()
    run = start_when_due()
    assert run is not None
    assert (run.flavorids, run.repairs, run.requested_by) == (["a", "b"], True, "change of the catalogue")
