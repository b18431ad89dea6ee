"""A run as a story: tiles of outcomes, nodes not reached, what was done, and what is left and why."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from testing.flavors import make_flavor
from testing.infrastructures import make_registered

pytestmark = [pytest.mark.django_db, pytest.mark.database]

# What came of each flavor in Crete
OUTCOMES = {
    "made": ("missing", "create", "done", ""),
    "failing": ("missing", "create", "failed", "Crete: it refuses that."),
    "taken": ("name_taken", "cannot", "", "Crete already has another flavor of this name."),
    "found": ("different", "update", "planned", ""),
}


@pytest.fixture
def run() -> SyncRun:
    """A repair of five flavors in two nodes, one of which could not be reached."""
    now = timezone.now()
    run = SyncRun.objects.create(
        repairs=True,
        state=SyncRun.State.PARTLY_DONE,
        started_at=now - timedelta(seconds=75),
        finished_at=now,
        flavor_count=10,
        flavors_done=10,
    )
    crete, gent = make_registered("Crete"), make_registered("Gent")
    part = SyncNode.objects.create(run=run, infrastructure=crete, name="Crete", state="done", flavor_count=5)
    SyncNode.objects.create(
        run=run,
        infrastructure=gent,
        name="Gent",
        state="failed",
        unreachable=True,
        error="Nobody answers.",
        flavor_count=5,
    )
    for name, (state, action, result, reason) in OUTCOMES.items():
        make_flavor(name=name, flavorid=name)
        SyncOutcome.objects.create(
            node=part, flavorid=name, name=name, state=state, action=action, result=result, reason=reason
        )
    return run


def page(client: Client, run: SyncRun) -> str:
    return client.get(reverse("admin:synchronisation_syncrun_change", args=[run.pk])).text


def test_it_begins_with_what_came_of_it_and_says_why_the_rest_is_left(admin_client: Client, run: SyncRun) -> None:
    answer = admin_client.get(reverse("admin:synchronisation_syncrun_change", args=[run.pk]))
    story = answer.context["story"]
    assert [(figure.words, figure.count) for figure in story.figures] == [
        ("in sync as found", 1),
        ("mended", 1),
        ("could be mended", 1),
        ("left, and why is below", 1),
        ("failed", 1),
        ("nodes not reached", 1),
    ]
    assert [outcome.name for outcome in story.done] == ["made"]
    assert [outcome.name for outcome in story.left] == ["failing", "found", "taken"]
    for shown in ("Nobody answers.", "it refuses that", "it took 1 min 15 s", "Retry what did not succeed…"):
        assert shown in answer.text


def test_what_failed_is_tried_again_and_what_was_found_is_repaired(admin_client: Client, run: SyncRun) -> None:
    """Where a node was away nobody knows which flavors it lacks: all are looked for again."""
    crete, gent = Infrastructure.objects.order_by("name").values_list("pk", flat=True)

    def retried() -> list[tuple[str, int]]:
        retry: list[tuple[str, int]] = admin_client.get(
            reverse("admin:synchronisation_syncrun_change", args=[run.pk])
        ).context["retry"]
        return retry

    assert retried() == [("nodes", crete), ("nodes", gent)]
    run.nodes.filter(unreachable=True).delete()
    failing, found = (Flavor.objects.get(name=name).pk for name in ("failing", "found"))
    assert retried() == [("nodes", crete), ("flavors", failing)]
    SyncRun.objects.update(repairs=False)
    assert retried() == [("nodes", crete), ("flavors", found)]
    assert "Repair what was found…" in page(admin_client, run)


def test_while_it_goes_on_there_is_nothing_to_retry(admin_client: Client, run: SyncRun) -> None:
    SyncRun.objects.update(state=SyncRun.State.RUNNING, finished_at=None)
    text = page(admin_client, run)
    assert "Retry" not in text
    assert "begun" in text


def test_a_run_is_started_from_the_list(admin_client: Client, run: SyncRun) -> None:
    runs = admin_client.get(reverse("admin:synchronisation_syncrun_changelist")).text
    assert "Compare all nodes now" in runs
    assert "Repair all nodes…" in runs
