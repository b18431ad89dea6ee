"""Cancelling a run: it begins with no further node, and ends; over the API, on its page, by the command."""

import threading
from collections.abc import Iterator

import pytest
from django.core.management import CommandError
from django.test import Client
from django.urls import reverse
from django_tasks_db.models import DBTaskResult

from infrastructures.models import Infrastructure
from synchronisation.models import SyncNode, SyncRun
from synchronisation.running import carry_out, create_run
from synchronisation.tasks import carry_out_run, start_run, take_up_runs
from testing.cloud import Federation
from testing.shell import run as typed
from testing.synchronising import RUNS, Callers, clouds_that_lack_a_flavor, make_run

pytestmark = pytest.mark.django_db(transaction=True)

NODES = 24
STOPPED = "The run was stopped."


@pytest.fixture
def federation() -> Iterator[Federation]:
    """More clouds than are begun at once, which lack a promoted flavor."""
    with clouds_that_lack_a_flavor(NODES) as federation:
        yield federation


def queued() -> SyncRun:
    return start_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)


def test_one_that_waits_ends_at_once_and_asks_no_cloud(federation: Federation) -> None:
    run = queued()
    assert typed("sync_flavors", "--cancel", str(run.pk)) == f"Run {run.pk} is cancelled.\n"
    carry_out_run.call(*DBTaskResult.objects.get().args_kwargs["args"])
    run.refresh_from_db()
    assert (run.state, run.nodes_ended) == (SyncRun.State.CANCELLED, NODES)
    assert set(run.nodes.values_list("error", flat=True)) == {STOPPED}
    assert federation.calls() == {}
    with pytest.raises(CommandError, match=f"Run {run.pk} has ended already."):
        typed("sync_flavors", "--cancel", str(run.pk))
    with pytest.raises(CommandError, match="There is no run 999999."):
        typed("sync_flavors", "--cancel", "999999")


def test_one_that_is_under_way_stops_after_the_steps_that_it_is_at(federation: Federation) -> None:
    """What was done by then stays done; the nodes that nobody has begun with are stopped."""
    run = create_run(requested_by="test", infrastructures=Infrastructure.objects.all(), repairs=True)
    first, said = threading.Lock(), []

    def cancel(node: SyncNode, outcome: object) -> None:
        if first.acquire(blocking=False):
            said.append(typed("sync_flavors", "--cancel", str(run.pk)))

    ended = carry_out(run.pk, listen=cancel)
    assert said == [f"Run {run.pk} is cancelled: it stops after the steps that its workers are at.\n"]
    assert (ended.state, ended.nodes_ended) == (SyncRun.State.CANCELLED, NODES)
    stopped = ended.nodes.filter(error=STOPPED).count()
    done = ended.nodes.filter(state=SyncNode.State.DONE).count()
    assert stopped >= 1
    assert done >= 1
    assert stopped + done == NODES


@pytest.mark.usefixtures("federation")
def test_one_whose_worker_has_died_after_that_is_ended_by_the_scheduler() -> None:
    run = queued()
    SyncRun.objects.filter(pk=run.pk).update(state=SyncRun.State.RUNNING, cancelled_at=run.created_at)
    run.nodes.filter(name="Node00").update(state=SyncNode.State.RUNNING, crew="dead", attempts=1)
    assert take_up_runs() == []
    run.refresh_from_db()
    assert run.state == SyncRun.State.CANCELLED


@pytest.mark.usefixtures("scripted")
def test_over_the_api(callers: Callers) -> None:
    run = make_run("Mordor", "Rohan")
    address = f"{RUNS}/{run.pk}"
    assert callers.basic.delete(address).status == 403
    foreign = {"error": {"message": "This run is also about nodes that are not yours."}}
    assert callers.mordor.delete(address).result == (403, foreign)
    answer = callers.manager.delete(address)
    assert (answer.status, answer.body["run"]["state"]) == (202, "cancelled")
    assert {node["error"] for node in answer.body["run"]["nodes"]} == {STOPPED}
    assert callers.manager.delete(address).status == 409
    assert callers.manager.delete(f"{RUNS}/999").status == 404
    own = make_run("Mordor")
    assert callers.mordor.delete(f"{RUNS}/{own.pk}").status == 202


@pytest.mark.usefixtures("federation")
def test_on_its_page(admin_client: Client) -> None:
    run = queued()
    page = reverse("admin:synchronisation_syncrun_change", args=[run.pk])
    cancel = reverse("admin:synchronisation_syncrun_cancel", args=[run.pk])
    assert cancel in admin_client.get(page).text
    assert admin_client.get(cancel).status_code == 405
    assert f"Run {run.pk} is cancelled." in admin_client.post(cancel, follow=True).text
    assert cancel not in admin_client.get(page).text
    assert f"Run {run.pk} has ended already." in admin_client.post(cancel, follow=True).text
