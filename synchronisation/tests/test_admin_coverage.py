"""The coverage map and the synchronisation runs in the admin site."""

import re
from datetime import timedelta
from html import escape, unescape
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from flavors.admin.looks import address_of_cell
from flavors.models import Flavor
from flavors.tests.test_admin import member_of_staff
from synchronisation.coverage import State
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.tests.test_coverage import make_run
from testing import synchronising as sync
from testing.flavors import make_flavor, make_infrastructure, make_installation
from testing.infrastructures import make_registered

pytestmark = pytest.mark.django_db

MAP = reverse("admin:flavors_flavor_coverage")
COMPARE_NOW = reverse("admin:flavors_flavor_compare_now")
FLAVORS = reverse("admin:flavors_flavor_changelist")
RUNS = reverse("admin:synchronisation_syncrun_changelist")


def cell(flavor: Flavor, node: str) -> str:
    return address_of_cell(flavor.flavorid, node)


def page_of(run: SyncRun) -> str:
    return reverse("admin:synchronisation_syncrun_change", args=[run.pk])


# The map


def test_the_map_marks_names_and_counts_each_state(admin_client: Client) -> None:
    for number, name in enumerate(["a<b>", "c"]):
        make_flavor(name=name, flavorid=str(number))
    make_run("Crete", 9, {"0": State.MISSING, "1": State.IN_SYNC})
    make_run("Spain<i>", 9, {"0": State.IN_SYNC, "1": State.DIFFERENT})
    answer = admin_client.get(MAP)
    for shown in ("a&lt;b&gt;</a> ", "Spain&lt;i&gt;"):
        assert shown in answer.text
    for shown in ("+<i>missing</i>", "✓<i>in sync</i>", "≠<i>different</i>", "a<b></a> ★"):
        assert shown in unescape(answer.text)
    assert "2 flavors in 2 nodes" in " ".join(answer.text.split())
    assert "2026-11-23 09:00 UTC" in answer.text
    assert [(figure.look.words, figure.count) for figure in answer.context["figures"]] == [
        ("in sync", 2),
        ("missing", 1),
        ("different", 1),
    ]


@pytest.mark.parametrize(
    ("state", "button"),
    [
        (State.MISSING, "Create a in Spain2…"),
        (State.OTHER_ID, "Adopt a in Spain2…"),
        (State.NAME_TAKEN, "Look again…"),
        (State.IN_SYNC, "Synchronise a in Spain2"),
    ],
)
def test_a_cells_button_says_what_it_is_for(admin_client: Client, state: State, button: str) -> None:
    make_registered("Spain2")
    flavor = make_flavor(name="a", flavorid="a")
    make_run("Spain2", 9, {"a": state})
    look = "remedy" if state == State.NAME_TAKEN else "main"
    assert f'<button class="{look}">{button}</button>' in admin_client.get(cell(flavor, "Spain2")).text


def test_each_cell_leads_to_its_page(admin_client: Client) -> None:
    flavor = make_flavor(name="a", flavorid="a")
    make_run("Crete", 9, {"a": State.MISSING})
    href = escape(cell(flavor, "Crete").removeprefix(MAP))
    assert f'<td class="missing"><a href="{href}">' in admin_client.get(MAP).text


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({}, ["a", "b"]),
        ({"only": "trouble"}, ["b"]),
        ({"state": "in_sync"}, ["a"]),
        ({"state": "x"}, ["a", "b"]),
        ({"flavor": "A"}, ["a"]),
        ({"which": "public"}, ["a", "b", "c"]),
    ],
)
def test_the_map_is_narrowed(admin_client: Client, query: dict[str, str], rows: list[str]) -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_flavor(name="c", promoted=False)
    make_run("Crete", 9, {"a": State.IN_SYNC, "b": State.MISSING})
    text = admin_client.get(MAP, query).text
    assert [name for name in ("a", "b", "c") if f'<th scope="row" title="{name}">' in text] == rows


def test_a_figure_leads_to_its_flavors_and_back(admin_client: Client) -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 9, {"a": State.IN_SYNC, "b": State.MISSING})
    make_infrastructure("Zurich")

    def figures(query: str) -> list[tuple[str, int, str]]:
        shown = admin_client.get(MAP + query).context["figures"]
        return [(figure.look.words, figure.count, figure.query) for figure in shown]

    unseen = ("not installed, not compared", 2, "")
    assert figures("?node=e&nodes=2") == [
        ("in sync", 1, "?node=e&state=in_sync"),
        ("missing", 1, "?node=e&state=missing"),
    ]
    assert figures("?state=missing") == [("in sync", 1, "?state=in_sync"), ("missing", 1, "?"), unseen]


def test_a_node_that_cannot_be_asked_is_a_line_and_no_reason_to_show_every_flavor(admin_client: Client) -> None:
    for name in ("a", "b"):
        make_flavor(name=name, flavorid=name)
    make_run("Crete", 9, {"a": State.IN_SYNC, "b": State.MISSING})
    make_run("Gent", 9, {"a": State.UNREACHABLE, "b": State.UNREACHABLE})
    text = admin_client.get(MAP, {"only": "trouble"}).text
    assert [name for name in ("a", "b") if f'<th scope="row" title="{name}">' in text] == ["b"]
    for query in ({"only": "trouble"}, {}):
        assert admin_client.get(MAP, query).text.count("Gent</a> could not be asked <time") == 1
    assert "could not be asked" not in admin_client.get(MAP, {"node": "Crete"}).text


def test_the_map_takes_as_many_queries_whatever_its_size(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for flavor in range(20):
        make_flavor(name=f"flavor {flavor}", flavorid=str(flavor))
    for node in range(10):
        make_run(f"Node {node}", 10, {str(flavor): State.IN_SYNC for flavor in range(20)})
    with django_assert_max_num_queries(11):
        assert admin_client.get(MAP).text.count("in sync</i>") == 200


def test_a_window_of_the_map_is_shown_and_leads_to_the_others(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synchronisation.admin.coverage.FLAVORS_SHOWN", 2)
    monkeypatch.setattr("synchronisation.admin.coverage.NODES_SHOWN", 3)
    for name in "abc":
        make_flavor(name=name, flavorid=name)
    for number in range(4):
        make_run(f"Node {number}", 9, dict.fromkeys("abc", State.IN_SYNC))

    def shown(query: str) -> tuple[list[str], list[str], list[str]]:
        answer = admin_client.get(MAP + query)
        flavors = re.findall('<th scope="row" title="(.*?)">', answer.text)
        nodes = re.findall('<th scope="col"[^>]*><a href="[^"]*" title="(.*?)">', answer.text)
        assert [figure.count for figure in answer.context["figures"]] == [12]
        return flavors, nodes, [unescape(link) for link in re.findall('rel="(?:prev|next)" href="(.*?)"', answer.text)]

    first = ["Node 0", "Node 1", "Node 2"]
    assert shown("") == (["a", "b"], first, ["?flavors=2", "?nodes=2"])
    assert shown("?flavors=2") == (["c"], first, ["?flavors=1", "?flavors=2&nodes=2"])
    assert shown("?flavors=2&nodes=2") == (["c"], ["Node 3"], ["?flavors=1&nodes=2", "?flavors=2&nodes=1"])
    assert shown("?flavors=9&nodes=x") == ([], [], ["?flavors=2&nodes=x", "?flavors=9&nodes=2"])


# What is done from it


def test_a_comparison_is_started_in_the_background(admin_client: Client) -> None:
    make_flavor()
    make_registered("Spain2")
    make_infrastructure("without credentials")
    assert "Compare now" in admin_client.get(MAP).text
    answer = admin_client.post(COMPARE_NOW)
    run = SyncRun.objects.get()
    assert answer["Location"] == page_of(run)
    assert (run.requested_by, run.repairs, run.flavorids, run.state) == ("admin", False, [], "waiting")
    assert [node.name for node in run.nodes.all()] == ["Spain2"]
    assert page_of(run) in admin_client.get(MAP).text


def test_a_cell_says_what_differs_and_offers_the_repair(admin_client: Client) -> None:
    make_registered("Spain2")
    flavor = make_flavor(name="a", flavorid="a")
    differences = [{"member": "ram", "node": 4096, "catalogue": 8192}]
    run = make_run("Spain2", 9, {"a": State.DIFFERENT}, differences=differences)
    SyncOutcome.objects.update(reason="Nova cannot.")
    text = admin_client.get(cell(flavor, "Spain2")).text
    for shown in ("≠ different", "4 GiB", "8 GiB", "Nova cannot.", "Replace a in Spain2…", page_of(run)):
        assert shown in text


def test_flavors_are_synchronised_from_their_list(admin_client: Client) -> None:
    nodes = [make_registered(name) for name in ("Mordor", "Spain2")]
    flavors = [make_flavor(name="a", flavorid="a"), make_flavor(name="b", flavorid="b", promoted=False)]
    changelist = reverse("admin:flavors_flavor_changelist")
    values: dict[str, Any] = {"action": "synchronise_flavors", "_selected_action": [flavor.pk for flavor in flavors]}
    answer = admin_client.post(changelist, values)
    assert [applies for _, applies, _ in answer.context["prospects"]] == [True, False]
    assert not SyncRun.objects.exists()
    answer = admin_client.post(changelist, values | {"confirmed": "yes", "nodes": [nodes[0].pk], "only_compares": "on"})
    run = SyncRun.objects.get()
    assert answer["Location"] == page_of(run)
    assert (run.repairs, run.flavorids, [node.name for node in run.nodes.all()]) == (False, ["a"], ["Mordor"])


@pytest.mark.parametrize("permissions", [["view_flavor"], ["view_flavor", "change_flavor", "change_infrastructure"]])
def test_who_may_not_promote_starts_no_run(client: Client, permissions: list[str]) -> None:
    make_registered("Spain2")
    flavor = make_flavor(name="a", flavorid="a")
    client.force_login(member_of_staff(*permissions))
    assert "Compare now" not in client.get(MAP).text
    assert "Synchronise a" not in client.get(cell(flavor, "Spain2")).text
    assert client.post(COMPARE_NOW).status_code == 403
    assert client.post(cell(flavor, "Spain2")).status_code == 403
    values = {"action": "synchronise_flavors", "_selected_action": [flavor.pk], "confirmed": "yes"}
    client.post(reverse("admin:flavors_flavor_changelist"), values)
    assert not SyncRun.objects.exists()


def test_an_operator_synchronises_their_own_nodes_alone(client: Client) -> None:
    flavor = make_flavor(name="a", flavorid="a")
    own, other = make_registered("Mordor"), make_registered("Spain2")
    operator = member_of_staff("view_flavor", "register_infrastructure")
    own.operators.set([operator])
    client.force_login(operator)
    assert client.post(cell(flavor, other.name)).status_code == 403
    assert client.post(cell(flavor, own.name)).status_code == 200
    client.post(COMPARE_NOW)
    assert [node.name for node in SyncNode.objects.all()] == ["Mordor"]


def test_a_manager_synchronises_all_nodes(client: Client) -> None:
    flavor = make_flavor(name="a", flavorid="a")
    make_registered("Mordor")
    client.force_login(member_of_staff("view_flavor", "promote_flavor"))
    assert client.post(cell(flavor, "Mordor")).status_code == 200
    client.post(COMPARE_NOW)
    assert [node.name for node in SyncNode.objects.all()] == ["Mordor"]


def test_where_there_is_no_node_no_run_is_started(client: Client) -> None:
    client.force_login(member_of_staff("view_flavor", "register_infrastructure"))
    make_registered("Mordor")
    answer = client.post(COMPARE_NOW, follow=True)
    assert "There is no node that you may compare" in answer.text
    assert not SyncRun.objects.exists()


def test_the_map_is_for_those_who_may_view_flavors(client: Client) -> None:
    flavor = make_installation(make_flavor()).flavor
    client.force_login(member_of_staff("view_infrastructure"))
    for url in (MAP, cell(flavor, "Spain2")):
        assert client.get(url).status_code == 403
    client.logout()
    assert client.get(MAP).status_code == client.post(COMPARE_NOW).status_code == 302
    assert client.get(MAP)["Location"].startswith(reverse("admin:login"))


def test_a_run_is_started_by_post_alone(admin_client: Client) -> None:
    assert admin_client.get(COMPARE_NOW).status_code == 405
    assert admin_client.post(MAP).status_code == 405
    enforcing = Client(enforce_csrf_checks=True)
    enforcing.force_login(member_of_staff("view_flavor", "promote_flavor"))
    assert enforcing.post(COMPARE_NOW).status_code == 403
    assert not SyncRun.objects.exists()


# The runs, and where each page is


def test_each_page_says_where_it_is(admin_client: Client) -> None:
    run = make_run("Crete", 9, {"a": State.MISSING})
    flavor = make_flavor(name="a", flavorid="a")
    compare = reverse("admin:flavors_flavor_compare")
    make_installation(flavor, "Crete")
    promote = {"do": "promote", "flavorid": "a", "node": "Crete", "next": compare}
    change = reverse("admin:flavors_flavor_change", args=[flavor.pk])
    asked = {"_selected_action": [flavor.pk], "action": "install_flavors"}
    for answer, where in (
        (admin_client.get(MAP), []),
        (admin_client.get(cell(flavor, "Crete")), [MAP]),
        (admin_client.get(compare), []),
        (admin_client.post(compare + "change/", promote), [compare]),
        (admin_client.post(FLAVORS, asked), [FLAVORS]),
        (admin_client.post(FLAVORS, asked | {"next": change}), [FLAVORS, change]),
        (admin_client.get(change), [FLAVORS]),
        (admin_client.get(page_of(run)), [RUNS]),
    ):
        _, _, after = answer.text.partition('<nav class="breadcrumbs"')
        assert re.findall('href="(.*?)"', after.partition("</nav>")[0]) == where


def test_the_list_of_runs_takes_as_many_queries_whatever_its_length(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        make_run(f"Node {number}", 9, {"a": State.IN_SYNC})
    SyncRun.objects.update(started_at=F("finished_at") - timedelta(minutes=61))
    with django_assert_max_num_queries(8):
        answer = admin_client.get(RUNS)
    assert answer.context["cl"].result_count == 20
    assert answer.text.count("1 of 1") == answer.text.count("1 h 1 min") == 20


def test_a_run_is_shown_node_by_node(admin_client: Client) -> None:
    run = make_run("Crete", 9, {"a": State.MISSING}, result="done")
    text = admin_client.get(page_of(run)).text
    for shown in (
        "drift found",
        "1 flavor compared, 1 not in sync, 1 repaired, 0 failed",
        "missing",
        "create",
        "done",
    ):
        assert shown in text
    progress = admin_client.get(reverse("admin:synchronisation_syncrun_progress", args=[run.pk])).json()
    assert (progress["ended"], progress["done"], progress["total"], progress["count"]) == (True, 1, 1, "1 of 1 node")


def test_a_runs_bar_moves_with_each_flavor(admin_client: Client) -> None:
    """By nodes it would stand still for all of a long first one."""
    make_flavor(flavorid="a", name="a")
    make_flavor(flavorid="b", name="b")
    run = sync.make_run("Crete", "Gent")
    done = sync.an_outcome("a", state="missing", action="create", result="done")
    sync.compared(run, "Crete", done, sync.an_outcome("b", state="missing", action="create", result="planned"))
    progress = admin_client.get(reverse("admin:synchronisation_syncrun_progress", args=[run.pk])).json()
    assert (progress["done"], progress["total"], progress["count"]) == (1, 4, "0 of 2 nodes")
    assert 'aria-valuemax="4" aria-valuenow="1"' in admin_client.get(page_of(run)).text


def test_what_was_in_sync_is_not_listed_as_what_was_not(admin_client: Client) -> None:
    run = sync.make_run("Crete", state=SyncRun.State.IN_SYNC, finished_at=timezone.now())
    sync.compared(run, "Crete", sync.an_outcome("a", action="adopt", result="done"), ended=True)
    text = admin_client.get(page_of(run)).text
    assert "What is left" not in text
    assert "adopt: done" in text
    assert "1 flavor compared, 0 not in sync, 0 repaired, 0 failed, 1 adopted as found" in text


def test_a_run_that_did_some_of_it_is_neither_done_nor_failed(admin_client: Client) -> None:
    run = make_run("Crete", 9, {"a": State.MISSING}, result="done")
    SyncRun.objects.update(state=SyncRun.State.PARTLY_DONE)
    for url in (page_of(run), RUNS):
        assert "◐ partly done" in admin_client.get(url).text


def test_a_runs_progress_takes_as_many_queries_whatever_its_size(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    run = sync.make_run(*(f"Node {number}" for number in range(20)))
    make_flavor()
    with django_assert_max_num_queries(5):  # two of them for who is asking
        progress = admin_client.get(reverse("admin:synchronisation_syncrun_progress", args=[run.pk])).json()
    assert (progress["state"], progress["ended"], progress["total"]) == ("… waiting", False, 20)
    assert set(progress["nodes"].values()) == {"waiting"}


def test_runs_are_shown_to_those_who_may_and_changed_by_nobody(admin_client: Client, client: Client) -> None:
    run = make_run("Crete", 9, {"a": State.MISSING})
    progress = reverse("admin:synchronisation_syncrun_progress", args=[run.pk])
    delete = reverse("admin:synchronisation_syncrun_delete", args=[run.pk])
    assert admin_client.post(page_of(run), {"state": "in_sync"}).status_code == 403
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    assert admin_client.get(reverse("admin:synchronisation_syncrun_add")).status_code == 403
    other = Client()
    other.force_login(member_of_staff("view_flavor"))
    for url in (RUNS, page_of(run), progress):
        assert other.get(url).status_code == 403
    assert other.get(reverse("admin:synchronisation_syncrun_change", args=[10**6])).status_code in (302, 403)
