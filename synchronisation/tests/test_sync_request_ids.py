"""A run bears the id of the request that asked for it, or one of its own, in the log and towards the clouds."""

import logging

import pytest
from django.core.management import call_command
from django_tasks_db.models import DBTaskResult

from flavorsync_project.telemetry.request_id import HEADER, RequestIdFilter, traced
from infrastructures.models import Infrastructure
from synchronisation.models import SyncRun
from synchronisation.tasks import start_run
from testing.cloud import Federation
from testing.federation import PROMOTE, WIRES, by_account
from testing.synchronising import start
from testing.wire import Api

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_own_signals")]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, with its request ids."""
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(RequestIdFilter())
    return caplog


def start_one() -> SyncRun:
    return start_run(requested_by="somebody", infrastructures=Infrastructure.objects.all(), repairs=True)


def ids_sent(federation: Federation) -> set[str | None]:
    """Return the ids that Keystones and Novas were sent since the last time."""
    ids = {request.headers.get(HEADER) for request in federation.http.request_history}
    federation.http.reset_mock()
    return ids


def ids_logged(logged: pytest.LogCaptureFixture, run: SyncRun) -> set[str]:
    """Return the ids of the lines about a run."""
    return {
        record.__dict__["request_id"] for record in logged.records if record.getMessage().startswith(f"Run {run.pk}")
    }


def test_a_run_bears_the_id_of_the_request_that_asked_for_it(
    federation: Federation, logged: pytest.LogCaptureFixture
) -> None:
    with traced() as request:
        run = start_one()
    call_command("run_worker", "--batch")
    assert (ids_sent(federation), ids_logged(logged, run)) == ({request.id}, {request.id})
    assert federation.clouds["Mordor"].flavors
    assert [record.getMessage() for record in logged.records if record.name == "synchronisation.tasks"] == [
        f"Run {run.pk} begins",
        f"Run {run.pk}: in sync",
    ]


def test_the_answer_to_who_asked_over_the_api_has_that_id(federation: Federation) -> None:
    answer = start(Api(WIRES["json"], by_account("manager", PROMOTE)))
    assert answer.status == 202
    call_command("run_worker", "--batch")
    assert ids_sent(federation) == {answer.headers[HEADER]}


def test_runs_that_nobody_asked_for_have_ids_of_their_own(
    federation: Federation, logged: pytest.LogCaptureFixture
) -> None:
    sent = []
    for _ in range(2):
        run = start_one()
        call_command("run_worker", "--batch")
        (sent_id,) = ids_sent(federation)
        assert ids_logged(logged, run) == {sent_id}
        sent.append(sent_id)
    assert None not in sent
    assert len(set(sent)) == 2


def test_a_run_that_is_taken_up_bears_the_id_of_that(federation: Federation, logged: pytest.LogCaptureFixture) -> None:
    run, other = start_one(), start_one()
    SyncRun.objects.update(state=SyncRun.State.RUNNING, attempts=1)
    DBTaskResult.objects.all().delete()
    call_command("run_scheduler", "--once")
    call_command("run_worker", "--batch")
    ids = ids_logged(logged, run)
    assert len(ids) == 1
    assert ids < ids_sent(federation)
    assert ids.isdisjoint(ids_logged(logged, other))
