"""From the release in which the runs were part of `flavors`: they, the rights to them and their queue live on."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.apps.registry import Apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from rq.job import Job

from identity.models import User
from synchronisation.models import Removal, SyncOutcome, SyncRun, WrittenFlavor
from synchronisation.running import create_run
from synchronisation.tasks import carry_out_run, start_run
from testing.cloud import Federation

LAST_OF_FLAVORS = ("flavors", "0011_written_flavors")
BEFORE = [LAST_OF_FLAVORS, ("synchronisation", None)]
TASK = "flavors.tasks.carry_out_run"
"""What the release before wrote into the queue."""

transactional = pytest.mark.django_db(transaction=True)


@pytest.fixture
def before() -> Iterator[Apps]:
    """The models as they were, over the database as it was, with the types and permissions of that time."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    try:
        yield executor.loader.project_state(LAST_OF_FLAVORS).apps
    finally:
        call_command("migrate", verbosity=0)


def _model(apps: Apps, label: str) -> Any:
    return apps.get_model(label)


def _a_run(apps: Apps) -> Any:
    node = _model(apps, "infrastructures.Infrastructure").objects.create(name="Mordor")
    run = _model(apps, "flavors.SyncRun").objects.create(
        requested_by="frodo", state="drift", finished_at=timezone.now(), flavorids=["tiny"]
    )
    part = _model(apps, "flavors.SyncNode").objects.create(run=run, infrastructure=node, name="Mordor", state="done")
    _model(apps, "flavors.SyncOutcome").objects.create(
        node=part, flavorid="tiny", name="m1.tiny", state="missing", action="create", result="failed", reason="no"
    )
    written = {"flavorid": "tiny", "written_by": "sam", "written_at": timezone.now(), "run": run}
    _model(apps, "flavors.WrittenFlavor").objects.create(**written)
    _model(apps, "flavors.Removal").objects.create(infrastructure=node, flavorid="old", was={})
    return run


@transactional
@pytest.mark.database
@pytest.mark.thorough
def test_runs_are_kept_with_all_that_belongs_to_them(before: Apps) -> None:
    run = _a_run(before)
    for _ in range(2):
        call_command("migrate", verbosity=0)
        kept = SyncRun.objects.get()
        outcome = SyncOutcome.objects.get(node__run=kept)
        assert (kept.pk, kept.requested_by, kept.state, kept.flavorids) == (run.pk, "frodo", "drift", ["tiny"])
        assert (outcome.node.name, outcome.state, outcome.result, outcome.reason) == (
            "Mordor",
            "missing",
            "failed",
            "no",
        )
        assert (WrittenFlavor.objects.get().run, Removal.objects.get().flavorid) == (kept, "old")
        MigrationExecutor(connection).migrate(BEFORE)
        assert _model(before, "flavors.SyncRun").objects.get().pk == run.pk


@transactional
@pytest.mark.database
@pytest.mark.thorough
def test_who_could_look_at_runs_still_can_and_the_history_still_names_them(before: Apps) -> None:
    run = _a_run(before)
    types, permissions = (
        before.get_model(*model) for model in (("contenttypes", "ContentType"), ("auth", "Permission"))
    )
    type_of_runs, _ = types.objects.get_or_create(app_label="flavors", model="syncrun")
    may_view, _ = permissions.objects.get_or_create(
        content_type=type_of_runs, codename="view_syncrun", defaults={"name": "Can view synchronisation run"}
    )
    group = Group.objects.create(name="watchers")
    group.permissions.add(may_view.pk)
    alone = User.objects.create_user("alone", is_staff=True)
    alone.user_permissions.add(may_view.pk)
    member = User.objects.create_user("member", is_staff=True)
    member.groups.add(group)
    entry = LogEntry.objects.create(
        user_id=alone.pk, content_type_id=type_of_runs.pk, object_id=str(run.pk), object_repr="run", action_flag=2
    )
    call_command("migrate", verbosity=0)
    for account in (User.objects.get(pk=alone.pk), User.objects.get(pk=member.pk)):
        assert account.has_perm("synchronisation.view_syncrun")
        client = Client()
        client.force_login(account)
        answer = client.get(f"/admin/flavors/syncrun/{run.pk}/change/", follow=True)
        assert answer.redirect_chain == [(f"/admin/synchronisation/syncrun/{run.pk}/change/", 302)]
        assert (answer.status_code, answer.context["run"].pk) == (200, run.pk)
    entry.refresh_from_db()
    assert entry.get_edited_object() == SyncRun.objects.get()
    assert not types.objects.filter(app_label="flavors", model__startswith="sync").exists()


@transactional
@pytest.mark.database
@pytest.mark.usefixtures("_own_signals")
def test_what_the_release_before_has_put_into_the_queue_is_carried_out(federation: Federation) -> None:
    run = start_run(requested_by="frodo", infrastructures=[])
    assert DBTaskResult.objects.update(task_path=TASK) == 1
    call_command("run_worker", "--batch")
    run.refresh_from_db()
    assert (run.state, run.attempts) == (SyncRun.State.IN_SYNC, 1)
    assert carry_out_run.get_result(run.task_id).status == "SUCCESSFUL"


def test_so_is_what_it_has_put_into_a_redis() -> None:
    job = Job.create(TASK, args=(1,), connection=redis.Redis())
    assert job.func is carry_out_run


@pytest.mark.django_db
def test_the_list_of_runs_is_found_where_it_was(admin_client: Client) -> None:
    create_run(requested_by="frodo", infrastructures=[])
    answer = admin_client.get("/admin/flavors/syncrun/", follow=True)
    assert (answer.status_code, answer.redirect_chain) == (200, [("/admin/synchronisation/syncrun/", 302)])
