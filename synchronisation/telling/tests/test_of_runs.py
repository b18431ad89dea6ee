"""What runs have to tell: drift that is found, repaired or cannot be, and nodes that go and come back."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from infrastructures.models import Infrastructure
from synchronisation.models import SyncRun
from synchronisation.running import carry_out, create_run
from synchronisation.telling.from_runs import announce_runs
from synchronisation.telling.models import Delivery, Event, Kind, Subscriber
from testing.cloud import Federation, registered_clouds
from testing.synchronising import in_nova, promote

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clouds() -> Iterator[Federation]:
    """Two registered clouds without flavors."""
    with registered_clouds("Mordor", "Rohan") as federation:
        yield federation


@pytest.fixture
def everybody() -> Subscriber:
    """Somebody who is told everything."""
    return Subscriber.objects.create(name="everybody", email="operators@example.org")


def run(*, repairs: bool = True) -> SyncRun:
    nodes = Infrastructure.objects.all()
    run = carry_out(create_run(requested_by="test", infrastructures=nodes, repairs=repairs).pk)
    assert [announce_runs(), announce_runs()] == [1, 0]
    return run


def told() -> list[tuple[str, str]]:
    """Return kind and subject of what is to be told, and forget it."""
    found = [(event.kind, event.subject) for event in Event.objects.order_by("kind", "subject")]
    Event.objects.all().delete()
    return found


def test_drift_is_told_once_per_node_however_many_runs_find_it(clouds: Federation, everybody: Subscriber) -> None:
    clouds.clouds["Mordor"].flavors = {name: in_nova(name) for name in ("a", "b")}
    for name in ("a", "b"):
        promote(name)
    run(repairs=False)
    (event,) = Event.objects.all()
    assert (event.kind, event.subject, event.infrastructure) == (
        Kind.DRIFT_FOUND, "Rohan", Infrastructure.objects.get(name="Rohan"),
    )  # fmt: skip
    assert event.data["count"] == 2
    assert event.data["flavors"][0] == {
        "id": "a", "name": "a", "state": "missing", "action": "create", "reason": "", "differences": [],
    }  # fmt: skip
    told()
    run(repairs=False)
    assert told() == []


def test_what_is_repaired_is_told_each_time(clouds: Federation, everybody: Subscriber) -> None:
    promote("a")
    run()
    assert told() == [("drift.repaired", "Mordor"), ("drift.repaired", "Rohan")]
    run()
    assert told() == []
    clouds.clouds["Rohan"].flavors.clear()
    run()
    assert told() == [("drift.repaired", "Rohan")]


def test_a_repair_that_keeps_failing_is_told_once(clouds: Federation, everybody: Subscriber) -> None:
    promote("a")
    clouds.clouds["Rohan"].failing["POST /flavors"] = 403
    run()
    assert told() == [("drift.repaired", "Mordor"), ("repair.failed", "Rohan")]
    run()
    assert told() == []
    clouds.clouds["Rohan"].failing.clear()
    run()
    assert told() == [("drift.repaired", "Rohan")]


def test_a_node_that_goes_and_comes_back_is_told_each_once(clouds: Federation, everybody: Subscriber) -> None:
    run()
    clouds.clouds["Rohan"].failing["GET /flavors/detail"] = 503
    run()
    (event,) = Event.objects.all()
    assert (event.kind, event.subject, event.data["error"][:7]) == ("node.gone", "Rohan", "Rohan: ")
    told()
    run()
    assert told() == []
    clouds.clouds["Rohan"].failing.clear()
    run()
    (event,) = Event.objects.all()
    assert (event.kind, event.subject) == ("node.back", "Rohan")
    assert event.data["away_since"] < timezone.now().isoformat()


def test_each_is_told_of_what_it_wants(clouds: Federation) -> None:
    Subscriber.objects.create(name="gone alone", email="a@example.org", kinds=[Kind.NODE_GONE])
    rohans = Subscriber.objects.create(name="of Rohan", email="b@example.org")
    rohans.nodes.add(Infrastructure.objects.get(name="Rohan"))
    Subscriber.objects.create(name="nobody", email="c@example.org", active=False)
    promote("a")
    run()
    told_whom = Delivery.objects.values_list("subscriber__name", "event__kind", "event__subject")
    assert list(told_whom) == [("of Rohan", "drift.repaired", "Rohan")]
    assert Event.objects.count() == 1, "what nobody wants is not kept"


def test_without_subscribers_nothing_is_kept(clouds: Federation) -> None:
    promote("a")
    run()
    assert not Event.objects.exists()
