"""What nodes were like day by day."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from flavors.models import Sighting
from infrastructures.models import Infrastructure
from synchronisation import trend
from synchronisation.models import LastComparison, NodeDay
from synchronisation.tests.test_coverage import see
from testing.flavors import make_flavor, make_infrastructure

pytestmark = [pytest.mark.django_db, pytest.mark.database]

State = Sighting.State


@pytest.fixture
def _federation() -> None:
    """Crete has one of two flavors as it should be, Gent cannot be asked, and Zurich was never compared."""
    now = timezone.now()
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    see(make_infrastructure("Crete"), now - timedelta(minutes=1), {"a": State.IN_SYNC, "b": State.MISSING})
    see(make_infrastructure("Gent"), now - timedelta(hours=1), {"a": State.IN_SYNC, "b": State.IN_SYNC})
    LastComparison.objects.create(infrastructure=make_infrastructure("Gent"), unreachable_at=now)
    make_infrastructure("Zurich")


def figures() -> dict[str, tuple[int, int, int, int]]:
    columns = ("infrastructure__name", "flavors", "in_sync", "looks", "looks_away")
    return {name: (*figures,) for name, *figures in NodeDay.objects.values_list(*columns)}


@pytest.mark.usefixtures("_federation")
def test_the_scheduler_writes_down_what_nodes_are_like_every_ten_minutes() -> None:
    call_command("run_scheduler", once=True)
    assert figures() == {"Crete": (2, 1, 1, 0), "Gent": (0, 0, 1, 1), "Zurich": (0, 0, 1, 0)}
    assert not trend.note_when_due()

    NodeDay.objects.update(noted_at=timezone.now() - timedelta(minutes=11))
    LastComparison.objects.all().delete()
    assert trend.note_when_due()
    assert figures() == {"Crete": (2, 1, 2, 0), "Gent": (2, 2, 2, 1), "Zurich": (0, 0, 2, 0)}


@pytest.mark.usefixtures("_federation")
def test_the_trend_is_of_all_nodes_or_of_one_and_has_gaps() -> None:
    trend.note_when_due()
    today = timezone.now().date()
    crete = Infrastructure.objects.get(name="Crete")
    NodeDay.objects.create(
        infrastructure=crete, day=today - timedelta(days=2), flavors=4, in_sync=1, looks=8, looks_away=2,
        noted_at=timezone.now(),
    )  # fmt: skip
    everywhere, there = trend.trend(days=3), trend.trend(days=3, node=crete.pk)
    assert [day.day for day in everywhere] == [today - timedelta(days=ago) for ago in (2, 1, 0)]
    assert [day.per_cent for day in everywhere] == [25, None, 50]
    assert [(day.looks, day.looks_away) for day in there] == [(8, 2), (0, 0), (1, 0)]


@pytest.mark.usefixtures("_federation")
def test_days_go_after_a_year() -> None:
    crete = Infrastructure.objects.get(name="Crete")
    long_ago = timezone.now() - timedelta(days=500)
    NodeDay.objects.create(infrastructure=crete, day=long_ago.date(), noted_at=long_ago)
    trend.note_when_due()
    assert NodeDay.objects.filter(day=long_ago.date()).count() == 0
