"""The pages of a flavor: for everybody, and for the staff."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from flavors.models import Flavor, Sighting
from identity.models import User
from pages import one_flavor, public_history
from synchronisation.ignoring import ignore
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.tests.test_coverage import make_run
from testing.flavors import make_flavor, make_infrastructure, make_installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]

State = Sighting.State
RAM = [{"member": "ram", "node": 256, "catalogue": 512}]


@pytest.fixture
def flavor() -> Flavor:
    """A promoted flavor that three nodes have in different states, and one does not know of."""
    flavor = make_flavor(
        name="a", flavorid="a b", ram=512, description="For everything.", extra_specs={"hw:cpu_policy": "shared"}
    )
    make_run("Crete", 9, {"a b": State.IN_SYNC})
    make_run("Gent", 9, {"a b": State.DIFFERENT}, differences=RAM)
    make_run("Mordor", 9, {"a b": State.IN_SYNC})
    make_infrastructure("Zurich")
    return flavor


def test_nodes_are_told_by_what_they_have_of_it(flavor: Flavor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_flavor, "NODES", 1)
    shares = one_flavor.in_nodes(flavor)
    assert [(share.look.words, [there.name for there in share.nodes], share.more) for share in shares] == [
        ("in sync", ["Crete"], 1),
        ("different", ["Gent"], 0),
        ("not installed, not compared", ["Zurich"], 0),
    ]
    assert shares[1].nodes[0].differences[0].node == "256 MiB"


def test_everybody_sees_what_it_is_and_what_can_be_done_only_the_staff(
    flavor: Flavor, client: Client, admin_client: Client
) -> None:
    public = client.get(reverse("public_flavor", args=["a b"])).text
    staff = admin_client.get(reverse("flavor", args=[flavor.pk])).text
    for shown in ("512 MiB", "For everything.", "hw:cpu_policy", "shared", "Gent"):
        assert shown in public
        assert shown in staff
    for hidden in ("Repair everywhere…", "Retire…", "256 MiB"):
        assert hidden not in public
        assert hidden in staff
    form = admin_client.get(reverse("admin:flavors_flavor_change", args=[flavor.pk])).text
    for offering in (staff, form):
        assert "Retire…" in offering
        assert not {"Publish…", "Promote…", "Keep, not retire…"} & set(re.findall(r"[\w ,]+…", offering))
    assert reverse("public_flavor", args=["a b"]) in client.get("/").text


def test_what_runs_found_is_its_history(flavor: Flavor) -> None:
    outcomes = one_flavor.last_outcomes(flavor, among=None)
    assert [(outcome.node.name, outcome.state) for outcome in outcomes][:2] == [
        ("Mordor", State.IN_SYNC),
        ("Gent", State.DIFFERENT),
    ]


def test_everybody_sees_its_history_without_people_reasons_or_values(flavor: Flavor, client: Client) -> None:
    make_installation(flavor, "Crete", installed_at=days_ago(20))
    for name in ("Gent", "Mordor"):
        make_installation(flavor, name, installed_at=days_ago(10))
    Flavor.objects.filter(pk=flavor.pk).update(created_at=days_ago(30), updated_at=days_ago(5))
    run = SyncRun.objects.create(requested_by="carla", repairs=True)
    for name, action, result in (
        ("Gent", "replace", "done"),
        ("Mordor", "replace", "done"),
        ("Crete", "update", "done"),
    ):
        outcome_of(run, name, action, result)
    outcome_of(SyncRun.objects.create(requested_by="carla"), "Gent", "update", "failed")
    outcome_of(SyncRun.objects.create(requested_by="carla"), "Gent", "update", "done", days=40)  # of a former flavor
    node = make_infrastructure("Gent")
    ignore(flavor=flavor, infrastructure=node, reason="a private reason", ignored_by="carla")
    LogEntry.objects.create(
        user=User.objects.create(username="carla"),
        content_type=ContentType.objects.get_for_model(Flavor),
        object_id=str(flavor.pk),
        action_flag=2,
        change_message="a private reason",
    )
    answer = client.get(reverse("public_flavor", args=["a b"]))
    assert [past.words for past in answer.context["past"]] == [
        "changed in place in Crete",
        "replaced in 2 nodes",
        "last changed in the catalogue",
        "came to 2 nodes",
        "came to Crete",
        "came to the catalogue",
    ]
    for hidden in ("carla", "a private reason", "256 MiB", f"Run {run.pk}"):
        assert hidden not in answer.text


def test_its_history_is_as_long_as_a_page(flavor: Flavor, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        make_installation(flavor, f"node-{number}", installed_at=days_ago(number))
        outcome_of(SyncRun.objects.create(), "Gent", "update", "done")
    monkeypatch.setattr(public_history, "LINES", 3)
    monkeypatch.setattr(public_history, "OUTCOMES", 2)
    assert [past.words for past in public_history.public_history(flavor)] == ["changed in place in Gent"] * 2 + [
        "came to node-0"
    ]


def days_ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


def outcome_of(run: SyncRun, name: str, action: str, result: str, days: int = 0) -> None:
    """Record what a run did of the flavor in a node, a little later than all before on the same day."""
    node = SyncNode.objects.create(
        run=run, infrastructure=make_infrastructure(name), name=name, state="in_sync", finished_at=days_ago(days)
    )
    SyncOutcome.objects.create(
        node=node, flavorid="a b", name="a", state="different", differences=RAM, action=action, result=result
    )
