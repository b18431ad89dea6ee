"""A flavor that is ignored in a node: left alone there, compared all the same, and shown as an exception."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from flavors.admin.looks import address_of_cell
from flavors.models import Flavor, Sighting
from flavors.tests.test_admin import member_of_staff
from infrastructures.models import Infrastructure
from infrastructures.registration import unregister_infrastructure
from synchronisation.coverage import coverage
from synchronisation.ending import end_when_done
from synchronisation.ignoring import heed, ignore
from synchronisation.metrics import StateCollector
from synchronisation.models import IgnoredFlavor, Removal, SyncOutcome, SyncRun
from synchronisation.removing import note_removals
from synchronisation.repairing import IGNORED
from synchronisation.summary import known_flavors, summaries
from synchronisation.telling.from_runs import announce_runs
from synchronisation.telling.models import Event, Kind, Subscriber
from synchronisation.tests.test_admin_plans import posted, words
from synchronisation.tests.test_sync_api import status
from synchronisation.tests.test_synchronisation import run, told, writes
from synchronisation.trend import known
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor, make_installation
from testing.infrastructures import make_registered
from testing.synchronising import STATUS, Callers

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "Mordor's own sizes, until it moves"


@pytest.fixture
def mordor(federation: Federation) -> RegisteredCloud:
    """One of two registered clouds, neither of which has the flavor `tiny`, which Mordor ignores."""
    ignore(
        flavor=Flavor.objects.get(),
        infrastructure=Infrastructure.objects.get(name="Mordor"),
        reason=REASON,
        ignored_by="curator",
    )
    return federation.clouds["Mordor"]


def page(name: str = "cell") -> str:
    address = address_of_cell("tiny", "Mordor")
    return address if name == "cell" else address.replace("/cell/", f"/cell/{name}/")


# The synchronisation


@pytest.mark.parametrize("has", [{}, {"ram": 1}, {"description": "another", "ram": 2}])
def test_a_run_compares_it_and_leaves_it_alone(mordor: RegisteredCloud, has: dict[str, Any]) -> None:
    if has:
        mordor.flavors["tiny"] = document_of(Flavor.objects.get(), **has)
    ended = run(replaces=True, exact=True)
    assert writes(mordor) == []
    assert told(ended) == {
        ("Mordor", "tiny"): ("ignored", "nothing", ""),
        ("Spain2", "tiny"): ("missing", "create", "done"),
    }
    assert ended.state == SyncRun.State.IN_SYNC
    assert ended.found == {"ignored": 1, "missing": 1}
    outcome = SyncOutcome.objects.get(state="ignored")
    assert outcome.reason.startswith("Ignored by curator since 20")
    assert outcome.reason.endswith(REASON)
    assert bool(outcome.differences) == bool(has)
    assert Sighting.objects.get(infrastructure__name="Mordor").state == ("different" if has else "missing")


def test_once_taken_back_the_next_run_repairs_it(mordor: RegisteredCloud) -> None:
    run()
    heed(flavor=Flavor.objects.get(), infrastructure=Infrastructure.objects.get(name="Mordor"))
    assert told(run())["Mordor", "tiny"] == ("missing", "create", "done")
    assert "tiny" in mordor.flavors


def test_what_is_ignored_while_a_run_is_under_way_is_left_alone(federation: Federation) -> None:
    flavor, mordor = Flavor.objects.get(), Infrastructure.objects.get(name="Mordor")
    cloud = federation.clouds["Mordor"]

    def ignore_now(call: str) -> None:
        if not IgnoredFlavor.objects.exists():
            ignore(flavor=flavor, infrastructure=mordor, reason=REASON, ignored_by="")

    cloud.before_call = ignore_now
    assert told(run())["Mordor", "tiny"] == ("missing", "create", "failed")
    assert SyncOutcome.objects.get(node__name="Mordor").reason == IGNORED
    assert writes(cloud) == []


def test_the_access_to_it_is_left_alone_too(mordor: RegisteredCloud) -> None:
    flavor = Flavor.objects.get()
    Flavor.objects.update(is_public=False)
    flavor.grants.create(project="p")
    make_installation(flavor, "Mordor")
    mordor.flavors["tiny"] = document_of(flavor, **{"os-flavor-access:is_public": False})
    run()
    assert writes(mordor) == []


def test_a_flavor_that_leaves_the_catalogue_stays_where_it_is_ignored(mordor: RegisteredCloud) -> None:
    flavor = Flavor.objects.get()
    for node in ("Mordor", "Spain2"):
        make_installation(flavor, node, made=True)
    note_removals(flavor, requested_by="curator")
    assert [removal.infrastructure.name for removal in Removal.objects.all()] == ["Spain2"]


# What is shown


def test_it_counts_neither_as_a_difference_nor_as_in_sync(mordor: RegisteredCloud) -> None:
    make_flavor(flavorid="other", name="other")
    run()
    for _seen in (True, False):  # and so where it was never seen
        found = coverage()
        assert {row.name: row.states for row in found.rows} == {
            "other": ["in_sync", "in_sync"] if _seen else ["recorded", "recorded"],
            "TestNano": ["ignored", "in_sync" if _seen else "recorded"],
        }
        assert found.counts["ignored"] == 1
        assert sum(found.counts.values()) == 4
        node = summaries(Infrastructure.objects.all(), known_flavors(Flavor.objects.all()))[0]
        assert node.counts["ignored"] == 1
        if _seen:
            assert (node.amiss, known(node)) == (0, 1)
        Sighting.objects.all().delete()


def test_it_can_be_looked_for_on_the_map_and_is_no_trouble(mordor: RegisteredCloud) -> None:
    make_flavor(flavorid="other", name="other")
    run(repairs=False)
    assert {row.name for row in coverage(state="ignored").rows} == {"TestNano"}
    assert {row.name for row in coverage(state="missing", node="Mordor").rows} == {"other"}
    assert {row.name for row in coverage(trouble=True, node="Mordor").rows} == {"other"}


def test_metrics_count_it_apart(mordor: RegisteredCloud) -> None:
    run()
    metrics = {metric.name: metric.samples for metric in StateCollector().collect()}
    ignored = {sample.labels["node"]: sample.value for sample in metrics["flavorsync_ignored_flavors"]}
    assert ignored == {"Mordor": 1, "Spain2": 0}
    assert not [each for each in metrics["flavorsync_drift_flavors"] if each.value or each.labels["state"] == "ignored"]


def test_nobody_is_told_of_it_as_drift(mordor: RegisteredCloud) -> None:
    Subscriber.objects.create(name="somebody", email="somebody@example.org")
    run(repairs=False)
    assert announce_runs() == 1
    found = Event.objects.filter(kind=Kind.DRIFT_FOUND)
    assert [event.subject for event in found] == ["Spain2"]


def test_a_run_tells_of_it_apart(mordor: RegisteredCloud, admin_client: Client) -> None:
    ended = run()
    assert end_when_done(ended.pk) is False
    shown = words(admin_client.get(reverse("admin:synchronisation_syncrun_change", args=[ended.pk])))
    assert "1 ignored" in shown.replace("ignored 1", "1 ignored")
    assert REASON in shown.replace("&#x27;", "'")
    assert "What is left" not in shown


# In the pages


def test_it_is_made_and_taken_back_on_the_cells_page(federation: Federation, admin_client: Client) -> None:
    assert f'href="{escape(page("ignore"))}"' in admin_client.get(page()).text
    assert "whatever the node has of it" in admin_client.get(page("ignore")).text
    refused = admin_client.post(page("ignore"), {"reason": " "})
    assert "Say why the flavor is to be ignored." in refused.text
    answer = admin_client.post(page("ignore"), {"reason": REASON})
    assert answer["Location"] == page()
    ignored = IgnoredFlavor.objects.get()
    assert (ignored.reason, ignored.ignored_by) == (REASON, "admin")
    assert LogEntry.objects.get().get_change_message() == f"ignored in Mordor: {REASON}"
    shown = admin_client.get(page()).text
    for text in ("∅ ignored", escape(REASON), "by admin", "No longer ignore"):
        assert text in shown
    assert "Create TestNano" not in shown
    assert escape(REASON) in admin_client.get(page("ignore")).text
    assert admin_client.post(page("ignore"))["Location"] == page()
    assert not IgnoredFlavor.objects.exists()
    assert LogEntry.objects.latest("pk").get_change_message() == "no longer ignored in Mordor"


def test_a_preview_says_what_is_ignored_and_why(mordor: RegisteredCloud, admin_client: Client) -> None:
    shown = admin_client.post(page())
    assert "nothing: ignored" in words(shown)
    assert REASON in words(shown).replace("&#x27;", "'")
    admin_client.post(page(), posted(shown))
    assert writes(mordor) == []


def test_whoever_may_not_repair_a_node_may_not_ignore_anything_there(federation: Federation, client: Client) -> None:
    owner = member_of_staff("view_flavor", "register_infrastructure")
    Infrastructure.objects.get(name="Spain2").operators.set([owner])
    client.force_login(owner)
    assert client.get(page("ignore")).status_code == client.post(page("ignore"), {"reason": "x"}).status_code == 403
    assert "Ignore here" not in client.get(page()).text
    assert not IgnoredFlavor.objects.exists()


# Over the API


@pytest.mark.usefixtures("scripted")
def test_the_status_has_it_as_an_exception(callers: Callers) -> None:
    flavor = make_flavor(flavorid="tiny")
    for node in Infrastructure.objects.all():
        ignore(flavor=flavor, infrastructure=node, reason=REASON, ignored_by="curator")
    found = status(callers.manager.get(STATUS))
    assert found["state"] == "in_sync"
    for node in found["nodes"]:
        ((outcome),) = node["outcomes"]
        assert (outcome["state"], outcome["action"]) == ("ignored", "nothing")
        assert outcome["reason"].endswith(REASON)
    summed_up = callers.manager.get(f"{STATUS}?summary=true").body["status"]
    assert summed_up["state"] == "in_sync"
    assert {(int(node["counts"]["ignored"]), int(node["counts"]["missing"])) for node in summed_up["nodes"]} == {(1, 0)}


# What ends it


def test_it_goes_with_the_node_and_with_the_flavor() -> None:
    flavor, node = make_flavor(), make_registered("Mordor")
    ignore(flavor=flavor, infrastructure=node, reason=REASON, ignored_by="")
    unregister_infrastructure(infrastructure=node)
    assert not IgnoredFlavor.objects.exists()
    ignore(flavor=flavor, infrastructure=make_registered("Rohan"), reason=REASON, ignored_by="")
    flavor.delete()
    assert not IgnoredFlavor.objects.exists()


@pytest.mark.parametrize(("name", "reason"), [("TestNano", "another"), ("other", "")])
def test_there_is_one_row_for_each_cell_and_it_has_a_reason(name: str, reason: str) -> None:
    node = make_registered("Mordor")
    IgnoredFlavor.objects.create(flavor=make_flavor(), infrastructure=node, reason=REASON)
    make_flavor(name="other", flavorid="other")
    row = IgnoredFlavor(infrastructure=node, flavor=Flavor.objects.get(name=name), reason=reason)
    with pytest.raises(ValidationError):
        row.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()
