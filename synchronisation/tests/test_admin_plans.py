"""What a repair will do is shown before it is done, and nothing else is done than what was shown."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from flavors.admin.confirming import CHANGED
from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.repairing import UNCONFIRMED
from synchronisation.running import carry_out
from synchronisation.tests.test_admin_coverage import FLAVORS, cell, page_of
from testing.cloud import Federation, RegisteredCloud, registered_clouds
from testing.flavors import document_of, make_flavor
from testing.infrastructures import make_registered

# The run's threads must see what the test has stored.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def federation() -> Iterator[Federation]:
    with registered_clouds("Mordor", "Spain2") as federation:
        yield federation


@pytest.fixture
def spain2(federation: Federation) -> RegisteredCloud:
    return federation.clouds["Spain2"]


@pytest.fixture
def flavor(federation: Federation) -> Flavor:
    """A promoted flavor that Spain2 has with half of its RAM, and that two servers use there."""
    flavor = make_flavor(name="m1.tiny", flavorid="tiny", ram=512)
    spain2 = federation.clouds["Spain2"]
    spain2.flavors["tiny"] = document_of(flavor, ram=256)
    spain2.servers["tiny"] = 2
    return flavor


def posted(answer: Any) -> dict[str, Any]:
    """Return what the page's form sends when its button is pressed."""
    assert answer.status_code == 200
    values: dict[str, list[str]] = {}
    for name, value in re.findall('<input type="hidden" name="(.*?)" value="(.*?)">', answer.text):
        values.setdefault(name, []).append(value)
    return values


def changes(cloud: RegisteredCloud) -> list[str]:
    return [call for call in cloud.calls if not call.startswith("GET ")]


def carried_out() -> SyncRun:
    return carry_out(SyncRun.objects.get().pk)


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub("<.*?>", " ", answer.text))


def test_a_cell_shows_first_what_replacing_does(admin_client: Client, flavor: Flavor, spain2: RegisteredCloud) -> None:
    shown = admin_client.post(cell(flavor, "Spain2"), {"replaces": "on"})
    assert not SyncRun.objects.exists()
    assert changes(spain2) == []
    for text in (
        "m1.tiny Spain2 delete and make again",
        "RAM in the node 256 MiB → in the catalogue 512 MiB",
        "2, which keep the old values",
    ):
        assert text in words(shown)
    answer = admin_client.post(cell(flavor, "Spain2"), posted(shown))
    run = SyncRun.objects.get()
    assert answer["Location"] == page_of(run)
    assert (run.repairs, run.replaces, run.exact, run.flavorids) == (True, True, False, ["tiny"])
    assert [node.name for node in run.nodes.all()] == ["Spain2"]
    assert LogEntry.objects.get(object_id=str(flavor.pk)).get_change_message().endswith("started in Spain2")
    assert carried_out().state == SyncRun.State.IN_SYNC
    assert spain2.flavors["tiny"]["ram"] == 512


def test_what_could_only_be_replaced_can_be_looked_at_from_there(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud
) -> None:
    mend = reverse("admin:flavors_flavor_mend")
    shown = admin_client.post(mend, {"flavors": flavor.pk})
    assert "Nova cannot change 1 of these in place." in shown.text
    asked = {name: values[0] for name, values in posted(shown).items() if name != "plan"}
    answer = admin_client.post(mend, {**asked, "replaces": "on"})
    assert "2, which keep the old values" in words(answer)
    assert CHANGED not in answer.text
    assert "Nova cannot change" not in answer.text


def test_servers_that_may_not_be_counted_are_said_to_be_so(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud
) -> None:
    spain2.failing["GET /servers"] = 403
    shown = admin_client.post(cell(flavor, "Spain2"), {"replaces": "on"})
    assert "m1.tiny Spain2 nothing RAM in the node 256 MiB → in the catalogue 512 MiB" in words(shown)
    assert "We may not count them, so the flavor is left alone. Spain2: " in words(shown)


def change_node(flavor: Flavor, spain2: RegisteredCloud) -> None:
    spain2.flavors["tiny"]["ram"] = 128


def change_catalogue(flavor: Flavor, spain2: RegisteredCloud) -> None:
    Flavor.objects.filter(pk=flavor.pk).update(ram=1024)


def free_servers(flavor: Flavor, spain2: RegisteredCloud) -> None:
    spain2.servers["tiny"] = 0


def make_it_missing(flavor: Flavor, spain2: RegisteredCloud) -> None:
    del spain2.flavors["tiny"]


CHANGES = [change_node, change_catalogue, free_servers, make_it_missing]


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_meanwhile_is_shown_again(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud, change: Any
) -> None:
    first = admin_client.post(cell(flavor, "Spain2"), {"replaces": "on"})
    change(flavor, spain2)
    again = admin_client.post(cell(flavor, "Spain2"), posted(first))
    assert [str(message) for message in get_messages(again.wsgi_request)] == [CHANGED]
    assert not SyncRun.objects.exists()
    assert changes(spain2) == []
    assert admin_client.post(cell(flavor, "Spain2"), posted(again)).status_code == 302


@pytest.mark.parametrize("change", [change_node, change_catalogue, free_servers])
def test_what_has_changed_before_the_run_comes_to_it_is_left_alone(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud, change: Any
) -> None:
    shown = admin_client.post(cell(flavor, "Spain2"), {"replaces": "on"})
    admin_client.post(cell(flavor, "Spain2"), posted(shown))
    change(flavor, spain2)
    assert carried_out().state == SyncRun.State.DRIFT
    outcome = SyncOutcome.objects.get()
    assert (outcome.action, outcome.result, outcome.reason) == (SyncOutcome.Action.CANNOT, "", UNCONFIRMED)
    assert changes(spain2) == []


def test_another_number_of_servers_is_no_other_plan(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud
) -> None:
    shown = admin_client.post(cell(flavor, "Spain2"), {"replaces": "on"})
    spain2.servers["tiny"] = 3
    assert admin_client.post(cell(flavor, "Spain2"), posted(shown)).status_code == 302


def test_what_is_taken_away_in_place_is_shown_too(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud
) -> None:
    spain2.flavors["tiny"] = document_of(flavor, extra_specs={"theirs": "1"})
    shown = admin_client.post(cell(flavor, "Spain2"), {"exact": "on"})
    assert "change theirs in the node 1 → in the catalogue not set" in words(shown)
    admin_client.post(cell(flavor, "Spain2"), posted(shown))
    spain2.flavors["tiny"]["extra_specs"] = {"theirs": "1", "new": "2"}
    assert carried_out().state == SyncRun.State.DRIFT
    assert spain2.flavors["tiny"]["extra_specs"] == {"theirs": "1", "new": "2"}


def test_what_is_in_sync_is_written_down(admin_client: Client, flavor: Flavor, spain2: RegisteredCloud) -> None:
    spain2.flavors["tiny"] = document_of(flavor)
    make_flavor(name="other", flavorid="other")
    SyncRun.objects.all().delete()
    flavor.installations.create(infrastructure=Infrastructure.objects.get(name="Spain2"), flavorid="tiny")
    shown = admin_client.post(cell(flavor, "Spain2"), {"replaces": "on"})
    assert "Everything is in sync." in words(shown)
    admin_client.post(cell(flavor, "Spain2"), posted(shown))
    assert carried_out().state == SyncRun.State.IN_SYNC


def test_synchronising_from_the_list_shows_each_node_and_leaves_out_those_that_cannot_be_asked(
    admin_client: Client, flavor: Flavor, spain2: RegisteredCloud
) -> None:
    dead = make_registered("Isengard")
    nodes = list(Infrastructure.objects.values_list("pk", flat=True))
    chosen = {"action": "synchronise_flavors", "_selected_action": [flavor.pk], "confirmed": "Synchronise"}
    shown = admin_client.post(FLAVORS, {**chosen, "nodes": nodes, "replaces": "on"})
    assert not SyncRun.objects.exists()
    text = words(shown)
    assert text.index("m1.tiny Spain2 delete and make again") < text.index("m1.tiny Mordor create")
    assert "Isengard: " in text
    assert "It is left out." in text
    answer = admin_client.post(FLAVORS, posted(shown))
    run = SyncRun.objects.get()
    assert answer["Location"] == page_of(run)
    assert [node.name for node in run.nodes.all()] == ["Mordor", "Spain2"]
    assert dead.name not in {node.name for node in run.nodes.all()}


def test_without_a_node_that_answers_there_is_nothing_to_confirm(admin_client: Client, flavor: Flavor) -> None:
    make_registered("Isengard")
    shown = admin_client.post(cell(flavor, "Isengard"), {"replaces": "on"})
    assert 'type="submit" class="default"' not in shown.text
    assert admin_client.post(cell(flavor, "Isengard"), posted(shown)).status_code == 200
    assert not SyncRun.objects.exists()


def test_each_page_of_a_plan_says_where_it_is(admin_client: Client, flavor: Flavor) -> None:
    shown = admin_client.post(cell(flavor, "Spain2"), {"replaces": "on"})
    assert shown.context["title"] == "Synchronise m1.tiny in Spain2"
    assert f'class="closelink" href="{escape(cell(flavor, "Spain2"))}"' in shown.text
    assert reverse("admin:flavors_flavor_coverage") in shown.text


def test_a_node_and_a_flavor_everywhere_are_repaired_and_nothing_else(
    admin_client: Client, flavor: Flavor, federation: Federation
) -> None:
    """A column and a row of the map; nothing is asked of the other nodes."""
    other = make_flavor(name="m1.other", flavorid="other")
    mend, nodes = reverse("admin:flavors_flavor_mend"), Infrastructure.objects
    mordor = nodes.get(name="Mordor")
    shown = admin_client.post(mend, {"nodes": mordor.pk})
    assert [line.prospect.step.finding.wanted.flavor for line in shown.context["lines"]] == [other, flavor]
    assert federation.clouds["Spain2"].calls == []
    answer = admin_client.post(mend, posted(shown))
    assert answer.status_code == 302
    carry_out(SyncRun.objects.get().pk)
    assert set(federation.clouds["Mordor"].flavors) == {"tiny", "other"}

    shown = admin_client.post(mend, {"flavors": other.pk})
    assert [str(line.prospect.node) for line in shown.context["lines"]] == ["Spain2"]
    assert changes(federation.clouds["Spain2"]) == []


def test_without_a_node_of_ones_own_there_is_nothing_to_repair(admin_client: Client, flavor: Flavor) -> None:
    Infrastructure.objects.update(encrypted_password="")
    answer = admin_client.post(reverse("admin:flavors_flavor_mend"), {"nodes": ["7", "x"]}, follow=True)
    assert "There is nothing that you may repair" in answer.text
    assert not SyncRun.objects.exists()
