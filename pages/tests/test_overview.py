"""The overview: what is in sync, what needs somebody, and the button that mends it."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from flavors.models import Sighting
from identity.models import User
from infrastructures.models import Check
from pages.nodes import Health
from pages.overview import Overview
from synchronisation.models import LastComparison, SyncRun
from synchronisation.tests.test_coverage import make_run
from testing.flavors import make_flavor, make_infrastructure
from testing.infrastructures import make_registered, make_replacement

pytestmark = [pytest.mark.django_db, pytest.mark.database]

State = Sighting.State
OVERVIEW = reverse("overview")


@pytest.fixture
def _federation() -> None:
    """Crete is in sync, Gent lacks a flavor, Poznan is away, Trento keeps us out, and Zurich was never compared."""
    now = timezone.now()
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    for node in ("Crete", "Gent", "Poznan", "Trento", "Zurich"):
        make_registered(node)
    make_run("Crete", 9, {"a": State.IN_SYNC, "b": State.IN_SYNC})
    make_run("Gent", 9, {"a": State.IN_SYNC, "b": State.MISSING})
    LastComparison.objects.create(
        infrastructure=make_infrastructure("Poznan"), unreachable_at=now - timedelta(hours=3), error="nobody answers"
    )
    for node, problem in {"Trento": "Our account may not.", "Zurich": ""}.items():
        Check.objects.create(infrastructure=make_infrastructure(node), checked_at=now, problem=problem)


def shown(client: Client) -> Overview:
    answer = client.get(OVERVIEW)
    assert answer.status_code == 200
    found: Overview = answer.context["overview"]
    return found


@pytest.mark.usefixtures("_federation")
def test_nodes_are_shown_on_two_axes_the_worst_first(admin_client: Client) -> None:
    found = shown(admin_client)
    assert [(node.name, node.health, node.sync.words) for node in found.tiles] == [
        ("Poznan", Health.UNREACHABLE, "not known"),
        ("Trento", Health.TROUBLE, "not known"),
        ("Gent", Health.WELL, "1 to mend"),
        ("Crete", Health.WELL, "in sync"),
        ("Zurich", Health.WELL, "not known"),
    ]
    assert (found.per_cent, found.reachable, found.drift) == (75, 3, 1)


@pytest.mark.usefixtures("_federation")
def test_what_needs_somebody_has_a_remedy(admin_client: Client) -> None:
    make_replacement(last_error="Mordor: nobody answers there.")
    SyncRun.objects.create(state=SyncRun.State.FAILED, finished_at=timezone.now())
    remedies = {
        concern.title: [remedy.label for remedy in concern.remedies] for concern in shown(admin_client).concerns
    }
    assert remedies == {
        "Poznan is unreachable": ["Check connection"],
        "Trento cannot be entered": ["Check connection"],
        "Gent has 1 flavor to mend": ["Repair…"],
        "1 node never compared": ["Compare now"],
        "The last run failed": ["See why"],
        "1 change under way has met an error": ["See why"],
    }
    assert "nobody answers" in admin_client.get(OVERVIEW).text


@pytest.mark.usefixtures("_federation")
def test_who_may_not_mend_has_no_buttons_and_is_told_no_reasons(client: Client) -> None:
    user = User.objects.create(username="viewer", is_staff=True)
    client.force_login(user)
    assert "You may not see the flavors" in client.get(OVERVIEW).text
    user.user_permissions.set(_permissions("view_flavor"))
    client.force_login(user)
    assert not [remedy for concern in shown(client).concerns[:4] for remedy in concern.remedies]
    text = client.get(OVERVIEW).text
    assert "nobody answers" not in text
    assert "Recent changes" not in text


def test_whoever_may_not_mend_is_told_of_all_nodes_that_differ(client: Client) -> None:
    make_flavor(name="a", flavorid="a")
    for number in range(6):
        make_run(f"node-{number}", 9, {"a": State.MISSING})
    user = User.objects.create(username="viewer", is_staff=True)
    user.user_permissions.set(_permissions("view_flavor"))
    client.force_login(user)
    total, *named = (
        concern for concern in shown(client).concerns if "mend" in concern.title or "differ" in concern.title
    )
    assert (total.title, total.remedies, len(named)) == ("6 nodes differ from the catalogue", (), 4)


def _permissions(*names: str) -> QuerySet[Permission]:
    return Permission.objects.filter(codename__in=names)


def test_an_empty_federation_says_what_to_do_first(admin_client: Client) -> None:
    found = shown(admin_client)
    assert found.per_cent is None
    assert '<div class="good">' not in admin_client.get(OVERVIEW).text  # nothing is known to be well
    assert [(concern.title, concern.remedies[0].label) for concern in found.concerns] == [
        ("No node is registered yet", "Register a node"),
        ("No flavor is promoted yet", "See the catalogue"),
    ]


def test_it_says_when_the_next_periodic_run_is_due(admin_client: Client, settings: Settings) -> None:
    assert shown(admin_client).next_run is None
    settings.SYNC_INTERVAL_MINUTES = 30
    assert shown(admin_client).is_due
    run = SyncRun.objects.create(periodic=True)
    found = shown(admin_client)
    assert found.next_run == run.created_at + timedelta(minutes=30)
    assert not found.is_due


@pytest.mark.usefixtures("_federation")
def test_the_overview_has_as_many_tiles_as_can_be_looked_at(admin_client: Client) -> None:
    for number in range(70):
        make_infrastructure(f"node-{number:02}")
    found = shown(admin_client)
    assert (len(found.tiles), found.more) == (60, 15)
    assert found.tiles[0].name == "Poznan"


def test_the_navigation_goes_by_task_and_hides_the_queue(admin_client: Client, client: Client) -> None:
    text = admin_client.get(OVERVIEW).text
    for section in ("Overview", "Flavors", "Nodes", "Coverage", "Runs", "Access"):
        assert f">{section}</a>" in text
    assert "Tasks database backend" not in text
    assert admin_client.get("/admin/django_tasks_database/dbtaskresult/").status_code == 404
    user = User.objects.create(username="viewer", is_staff=True)
    user.user_permissions.set(_permissions("view_flavor"))
    client.force_login(user)
    assert ">Access</a>" not in client.get(OVERVIEW).text


def test_the_last_runs_have_a_column_each_and_flavors_a_place(admin_client: Client) -> None:
    make_flavor(name="a", flavorid="a", vcpus=2, ram=4096)
    for number, found in enumerate(({"missing": 2, "in_sync": 5}, None, {"in_sync": 7, "ignored": 1})):
        SyncRun.objects.create(state="in_sync", finished_at=timezone.now(), found=found, requested_by=str(number))
    chart = shown(admin_client).drift_of_runs
    assert chart is not None
    assert [[(part.words, part.count) for part in bar.parts] for bar in chart.bars] == [[("missing", 2)], []]
    text = admin_client.get(OVERVIEW).text
    assert "2 vCPUs, 4 GiB: a" in text
    runs = admin_client.get(reverse("admin:synchronisation_syncrun_changelist")).text
    for differences in ("2", "-", "0"):
        assert f'data-label="Differences" class="field-differences">{differences}</td>' in runs


def test_the_history_leads_to_what_was_changed(admin_client: Client) -> None:
    flavor, node = make_flavor(name="a"), make_infrastructure("Crete")
    user = User.objects.get()
    for what, flag in ((flavor, 2), (node, 2), (user, 2), (node, 3)):
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(what),
            object_id=str(what.pk),
            object_repr=str(what),
            action_flag=flag,
        )
    for page in (OVERVIEW, reverse("admin:admin_logentry_changelist")):
        text = admin_client.get(page).text
        for url in (reverse("flavor", args=[flavor.pk]), reverse("admin:identity_user_change", args=[user.pk])):
            assert f'<a href="{url}">' in text
        assert (
            text.count(f'<a href="{reverse("node", args=[node.pk])}">Crete</a>') - (page == OVERVIEW) == 1
        )  # a tile of the overview has it, too


def test_a_lists_headings_keep_the_box_that_chooses_all(admin_client: Client) -> None:
    make_flavor()
    text = admin_client.get(reverse("admin:flavors_flavor_changelist")).text
    assert '<input type="checkbox" id="action-toggle"' in text
    assert ">vCPUs</a>" in text
