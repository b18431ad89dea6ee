"""The synchronisation over HTTP: what nodes have right now, runs that are started, and what came of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django_tasks.base import TaskResultStatus
from pytest_django import DjangoCaptureOnCommitCallbacks

from flavors.catalogue.retiring import retire
from flavors.models import Installation
from infrastructures.models import Infrastructure
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.recording import record_ends
from synchronisation.tasks import carry_out_run
from testing.cloud import Federation
from testing.flavors import make_flavor, make_installation
from testing.infrastructures import make_infrastructure
from testing.synchronising import NODES, RUNS, STATUS, Callers, an_outcome, compared, in_nova, make_run, promote, start
from testing.wire import Answer, Api

pytestmark = pytest.mark.django_db

IN_SYNC = {"state": "in_sync", "action": "nothing", "reason": "", "differences": []}
LIST = "GET /flavors/detail"


@pytest.fixture
def manager(callers: Callers) -> Api:
    """The API for who may synchronise everything."""
    return callers.manager


def moment(text: str | None) -> datetime:
    """Return a moment of the last minute."""
    parsed = parse_datetime(text or "")
    assert parsed is not None
    assert timezone.now() - timedelta(minutes=1) < parsed <= timezone.now()
    return parsed


def refusal(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": {"message": message}}


# What nodes have right now


def status(answer: Answer) -> Any:
    """Return the status that was answered, without the times of its comparisons."""
    assert answer.status == 200, answer.body
    document = answer.body["status"]
    for node in document["nodes"]:
        moment(node.pop("compared_at"))
    return document


def test_every_state_is_told_with_what_a_run_would_do(manager: Api, scripted: Federation) -> None:
    make_installation(promote("a-same"), "Mordor")
    promote("b-unrecorded")
    promote("c-missing")
    promote("d-specs", extra_specs={"hw:cpu": "x", "hw:mem": "large"}, description="as agreed")
    promote("e-numbers", rxtx_factor=2.0)
    promote("f-other-id")
    promote("g-name-taken")
    make_flavor(flavorid="public", name="public", promoted=False)
    scripted.clouds["Mordor"].flavors = {
        flavor["id"]: flavor
        for flavor in (
            in_nova("a-same"),
            in_nova("b-unrecorded"),
            in_nova("d-specs", extra_specs={"hw:cpu": "y", "its-own": "1"}),
            in_nova("e-numbers", ram=3, **{"os-flavor-access:is_public": False}),
            in_nova("42", name="f-other-id"),
            in_nova("43", name="G-Name-Taken"),
        )
    }
    found = status(manager.get(f"{STATUS}?node=Mordor"))
    assert found["state"] == "drift"
    (mordor,) = found["nodes"]
    outcomes = mordor.pop("outcomes")
    assert mordor == {"name": "Mordor", "state": "done", "error": ""}
    assert [outcome.pop("name") for outcome in outcomes] == [outcome["id"] for outcome in outcomes]
    assert {outcome.pop("id"): outcome for outcome in outcomes} == {
        "a-same": IN_SYNC,
        "b-unrecorded": {**IN_SYNC, "action": "adopt"},
        "c-missing": {**IN_SYNC, "state": "missing", "action": "create"},
        "d-specs": {
            "state": "different",
            "action": "update",
            "reason": "",
            "differences": [
                {"member": "description", "node": "", "catalogue": "as agreed"},
                {"member": "extra_specs.hw:cpu", "node": "y", "catalogue": "x"},
                {"member": "extra_specs.hw:mem", "node": None, "catalogue": "large"},
            ],
        },
        "e-numbers": {
            "state": "different",
            "action": "cannot",
            "reason": (
                "Nova cannot change ram, rxtx_factor, is_public in place, and replacing flavors was not asked for."
            ),
            "differences": [
                {"member": "ram", "node": 3, "catalogue": 2},
                {"member": "rxtx_factor", "node": 1.0, "catalogue": 2.0},
                {"member": "is_public", "node": False, "catalogue": True},
            ],
        },
        "f-other-id": {**IN_SYNC, "state": "other_id", "action": "adopt", "reason": "Its id there is 42."},
        "g-name-taken": {
            "state": "name_taken",
            "action": "cannot",
            "reason": "Flavor 43 there has its name in another case, G-Name-Taken.",
            "differences": [{"member": "name", "node": "G-Name-Taken", "catalogue": "g-name-taken"}],
        },
    }
    assert not SyncRun.objects.exists()
    assert Installation.objects.count() == 1
    assert scripted.calls() == {"Mordor": [LIST]}


def test_a_node_that_cannot_be_reached_is_in_the_answer_and_holds_up_no_other(
    manager: Api, scripted: Federation
) -> None:
    promote("a")
    for cloud in scripted.clouds.values():
        cloud.flavors = {"a": in_nova("a")}
    scripted.clouds["Rohan"].failing[LIST] = 503
    Infrastructure.objects.filter(name="Spain2").update(keystone_url="https://nobody.example.org/v3")
    found = status(manager.get(STATUS))
    errors = {
        "Mordor": "",
        "Rohan": "Rohan: its Nova answered 503.",
        "Spain2": "Spain2: its Keystone could not be reached.",
    }
    assert {node["name"]: node["error"] for node in found["nodes"]} == errors
    assert {node["name"]: node["state"] for node in found["nodes"]} == {
        "Mordor": "done",
        "Rohan": "failed",
        "Spain2": "failed",
    }
    assert found["state"] == "partly_done"
    assert found["nodes"][1]["outcomes"] == [
        {
            "id": "a",
            "name": "a",
            "state": "unreachable",
            "action": "cannot",
            "reason": errors["Rohan"],
            "differences": [],
        }
    ]


def test_all_in_sync_is_in_sync_and_takes_one_list_call_per_cloud(manager: Api, scripted: Federation) -> None:
    for id in ("a", "b"):
        flavor = promote(id)
        for name, cloud in scripted.clouds.items():
            make_installation(flavor, name)
            cloud.flavors[id] = in_nova(id)
    found = status(manager.get(STATUS))
    assert found["state"] == "in_sync"
    assert [(node["name"], [outcome["id"] for outcome in node["outcomes"]]) for node in found["nodes"]] == [
        (name, ["a", "b"]) for name in NODES
    ]
    assert scripted.calls() == {name: [LIST] for name in NODES}


def test_without_any_promoted_flavor_all_is_in_sync(manager: Api) -> None:
    found = status(manager.get(STATUS))
    assert found == {
        "state": "in_sync",
        "nodes": [{"name": name, "state": "done", "error": "", "outcomes": []} for name in NODES],
    }


@pytest.mark.parametrize(
    ("query", "nodes", "ids"),
    [
        ("", NODES, ["a", "b", "c"]),
        ("?node=Rohan", ["Rohan"], ["a", "b", "c"]),
        ("?node=Rohan&node=Mordor&node=Rohan", ["Mordor", "Rohan"], ["a", "b", "c"]),
        ("?flavor=b", NODES, ["b"]),
        ("?flavor=c&flavor=a&node=Spain2", ["Spain2"], ["a", "c"]),
        ("?node&flavor=", NODES, ["a", "b", "c"]),
    ],
)
def test_the_status_of_some(manager: Api, query: str, nodes: list[str], ids: list[str]) -> None:
    for id in ("a", "b", "c"):
        promote(id)
    make_infrastructure("without-credentials")
    found = status(manager.get(f"{STATUS}{query}"))
    assert [node["name"] for node in found["nodes"]] == list(nodes)
    assert [[outcome["id"] for outcome in node["outcomes"]] for node in found["nodes"]] == [ids] * len(nodes)


def test_a_node_without_credentials_can_be_asked_for(manager: Api) -> None:
    promote("a")
    make_infrastructure("Shire")
    (node,) = status(manager.get(f"{STATUS}?node=Shire"))["nodes"]
    assert (node["state"], node["error"]) == ("failed", "Shire: no credentials are stored for it.")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("node=Shire&node=Mordor&node=Gondor", "nodes: there is no node Gondor, Shire"),
        ("flavor=a&flavor=public", "flavors: there is no promoted flavor public"),
        ("flavor=%ff", "flavors: there is no promoted flavor \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_the_status_of_what_there_is_not_is_404(manager: Api, scripted: Federation, query: str, message: str) -> None:
    promote("a")
    make_flavor(flavorid="public", name="public", promoted=False)
    answer = manager.get(f"{STATUS}?{query}")
    assert (answer.status, answer.message) == (404, message)
    assert scripted.calls() == {}


# Starting


def test_a_run_is_put_into_the_queue_and_shown(
    manager: Api, scripted: Federation, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    for id in ("a", "b"):
        promote(id)
    with django_capture_on_commit_callbacks(execute=True):
        answer = start(manager)
    run = SyncRun.objects.get()
    assert answer.status == 202
    assert answer.headers["Location"] == f"http://testserver{RUNS}/{run.pk}"
    shown = answer.body
    document = dict(shown["run"])
    moment(document.pop("created_at"))
    waiting = dict.fromkeys(("started_at", "compared_at", "finished_at"))
    assert document == {
        "id": str(run.pk),
        "state": "waiting",
        "requested_by": "manager",
        "dry_run": False,
        "replace": False,
        "exact": False,
        "started_at": None,
        "finished_at": None,
        "flavors": [],
        "progress": {"nodes": 3, "nodes_done": 0, "flavors": 6, "flavors_done": 0},
        "nodes": [{"name": name, "state": "waiting", "error": "", **waiting, "outcomes": []} for name in NODES],
    }
    assert (run.repairs, run.replaces, run.exact, run.periodic) == (True, False, False, False)
    assert carry_out_run.get_result(run.task_id).status == TaskResultStatus.READY
    assert manager.get(f"{RUNS}/{run.pk}").body == shown
    assert scripted.calls() == {}


def test_all_that_can_be_asked_for_is_heeded(manager: Api) -> None:
    for id in ("a", "b", "c"):
        promote(id)
    members = {"dry_run": True, "replace": True, "exact": True}
    answer = start(manager, **members, nodes=["Spain2", "Mordor", "Spain2"], flavors=["c", "a", "c"])
    document = answer.body["run"]
    assert {name: document[name] for name in members} == members
    assert document["flavors"] == ["c", "a"]
    assert [node["name"] for node in document["nodes"]] == ["Mordor", "Spain2"]
    assert document["progress"] == {"nodes": 2, "nodes_done": 0, "flavors": 4, "flavors_done": 0}
    run = SyncRun.objects.get()
    assert (run.repairs, run.replaces, run.exact, run.flavorids) == (False, True, True, ["c", "a"])


def test_what_is_said_to_be_false_is_false(manager: Api) -> None:
    start(manager, dry_run=False, replace=False, exact=False)
    run = SyncRun.objects.get()
    assert (run.repairs, run.replaces, run.exact) == (True, False, False)


def test_only_nodes_that_can_be_entered_are_meant_when_none_is_named(manager: Api) -> None:
    make_infrastructure("Shire")
    assert [node["name"] for node in start(manager).body["run"]["nodes"]] == list(NODES)
    assert [node["name"] for node in start(manager, nodes=["Shire"]).body["run"]["nodes"]] == ["Shire"]


@pytest.mark.parametrize("path", [RUNS, f"{RUNS}/", f"/api{RUNS}", f"/api{RUNS}/"])
def test_the_location_is_under_the_path_that_was_asked(manager: Api, path: str) -> None:
    answer = manager.send("POST", path, manager.wire.write({"run": {}}))
    assert answer.status == 202
    assert answer.headers["Location"] == f"http://testserver{path.rstrip('/')}/{SyncRun.objects.get().pk}"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"nodes": ["Mordor", "Shire", "Gondor"]}, "nodes: there is no node Gondor, Shire"),
        ({"flavors": ["a", "nano", "public"]}, "flavors: there is no promoted flavor nano, public"),
    ],
)
def test_what_there_is_not_is_409(manager: Api, members: dict[str, Any], message: str) -> None:
    promote("a")
    make_flavor(flavorid="public", name="public", promoted=False)
    assert start(manager, **members).result == refusal(409, message)
    assert not SyncRun.objects.exists()


def test_without_any_node_there_is_nothing_to_run_over(manager: Api) -> None:
    Infrastructure.objects.all().delete()
    make_infrastructure("Shire")
    assert start(manager).result == refusal(409, "nodes: we hold no credentials for any node yet")
    assert status(manager.get(STATUS)) == {"state": "in_sync", "nodes": []}


# What came of it


def test_a_run_tells_what_it_found_planned_and_did(manager: Api) -> None:
    run = make_run("Mordor", "Rohan", "Spain2", replaces=True)
    ram = {"member": "ram", "node": 3, "catalogue": 2}
    spec = {"member": "extra_specs.a&b", "node": None, "catalogue": "<1>"}
    replaced = an_outcome(
        "b", state="different", action="replace", differences=[ram, spec], servers=7, result="done", seconds=0.25
    )
    failed = an_outcome("c", state="missing", action="create", result="failed", reason="Mordor: no.", seconds=15.0)
    compared(run, "Mordor", an_outcome("a"), replaced, failed, ended=True)
    compared(run, "Rohan", an_outcome("a"), an_outcome("b", state="missing", action="create", result="planned"))
    SyncRun.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    promote("a")
    document = manager.get(f"{RUNS}/{run.pk}").body["run"]
    nodes = {node["name"]: node for node in document["nodes"]}
    assert (document["state"], document["replace"], document["requested_by"]) == ("running", True, "sauron")
    moment(document["started_at"])
    assert document["finished_at"] is None
    untouched = {"servers": None, "result": "", "seconds": None}
    assert nodes["Mordor"]["outcomes"] == [
        {"id": "a", "name": "a", **IN_SYNC, **untouched},
        {
            "id": "b",
            "name": "b",
            "state": "different",
            "action": "replace",
            "reason": "",
            "differences": [ram, spec],
            "servers": 7,
            "result": "done",
            "seconds": 0.25,
        },
        {
            "id": "c",
            "name": "c",
            "state": "missing",
            "action": "create",
            "reason": "Mordor: no.",
            "differences": [],
            "servers": None,
            "result": "failed",
            "seconds": 15.0,
        },
    ]
    assert [outcome["result"] for outcome in nodes["Rohan"]["outcomes"]] == ["", "planned"]
    assert nodes["Spain2"]["outcomes"] == []
    assert [nodes[name]["state"] for name in NODES] == ["done", "running", "waiting"]
    moment(nodes["Mordor"]["finished_at"])
    moment(nodes["Rohan"]["compared_at"])
    # In Spain2, where it has not begun, the one flavor that is promoted by now is still to come.
    assert document["progress"] == {"nodes": 3, "nodes_done": 1, "flavors": 6, "flavors_done": 4}


def test_what_a_dry_run_plans_is_done_with(manager: Api) -> None:
    run = make_run("Mordor", repairs=False)
    compared(run, "Mordor", an_outcome("a"), an_outcome("b", state="missing", action="create", result="planned"))
    assert manager.get(f"{RUNS}/{run.pk}").body["run"]["progress"] == {
        "nodes": 1,
        "nodes_done": 0,
        "flavors": 2,
        "flavors_done": 2,
    }


def test_a_node_that_failed_before_it_was_compared_has_no_flavors_to_come(manager: Api) -> None:
    run = make_run("Mordor")
    promote("a")
    record_ends({run.nodes.get(): "Another run is at work."})
    document = manager.get(f"{RUNS}/{run.pk}").body["run"]
    assert document["progress"] == {"nodes": 1, "nodes_done": 1, "flavors": 0, "flavors_done": 0}
    assert document["nodes"][0]["error"] == "Another run is at work."


def test_a_run_that_there_is_not_is_404(manager: Api) -> None:
    for id in ("0", "999999", "9" * 40, "-1", "01", "abc", "1.5", "\N{ARABIC-INDIC DIGIT ONE}", "%00", "detail"):
        answer = manager.get(f"{RUNS}/{id}")
        assert (answer.status, answer.message.startswith("The run ")) == (404, True), id


# The list


def test_the_list_has_the_newest_first_and_nothing_of_nodes(manager: Api) -> None:
    first = make_run("Mordor", flavorids=["a"], exact=True)
    second = make_run("Rohan", repairs=False)
    SyncRun.objects.filter(pk=first.pk).update(state="drift", started_at=timezone.now(), finished_at=timezone.now())
    answer = manager.get(RUNS)
    newest, oldest = answer.body["runs"]
    moment(newest.pop("created_at"))
    for name in ("created_at", "started_at", "finished_at"):
        moment(oldest.pop(name))
    assert newest == {
        "id": str(second.pk),
        "state": "waiting",
        "requested_by": "sauron",
        "dry_run": True,
        "replace": False,
        "exact": False,
        "started_at": None,
        "finished_at": None,
        "flavors": [],
    }
    assert oldest == {
        "id": str(first.pk),
        "state": "drift",
        "requested_by": "sauron",
        "dry_run": False,
        "replace": False,
        "exact": True,
        "flavors": ["a"],
    }


def test_the_list_comes_in_pages_when_asked(manager: Api) -> None:
    runs = [str(make_run("Mordor").pk) for _ in range(5)][::-1]
    pages, path = [], f"{RUNS}?limit=2"
    while path:
        answer = manager.get(path)
        pages.append([run["id"] for run in answer.body["runs"]])
        link = answer.headers.get("Link", "")
        path = link.removeprefix("<http://testserver").partition(">")[0]
    assert pages == [runs[:2], runs[2:4], runs[4:]]
    assert [run["id"] for run in manager.get(RUNS).body["runs"]] == runs


@pytest.mark.parametrize(("query", "size"), [("", 100), ("?limit=0", 100), ("?limit=150", 150), ("?limit=99999", 1000)])
def test_the_list_comes_in_pages_unasked(manager: Api, query: str, size: int) -> None:
    SyncRun.objects.bulk_create(SyncRun(requested_by="sauron") for _ in range(size + 1))
    newest = [str(key) for key in SyncRun.objects.order_by("-pk").values_list("pk", flat=True)]
    first = manager.get(RUNS + query)
    assert [run["id"] for run in first.body["runs"]] == newest[:size]
    link = first.headers["Link"].removeprefix("<http://testserver").partition(">")[0]
    if manager.wire.media_type == "application/json":
        assert first.body["runs_links"] == [{"rel": "next", "href": f"http://testserver{link}"}]
    last = manager.get(link)
    assert [run["id"] for run in last.body["runs"]] == newest[size:]
    assert "Link" not in last.headers


def test_a_wrong_page_is_400(manager: Api) -> None:
    make_run("Mordor")
    for query in ("marker=abc", "marker=0", "marker=999999", "marker=" + "9" * 50, "limit=x"):
        answer = manager.get(f"{RUNS}?{query}")
        assert (answer.status, query.partition("=")[2][:5] in answer.message) == (400, True), query


# What it costs


def queries(api: Api, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert api.get(path).status == 200
    return len(captured)


@pytest.mark.parametrize("query", ["", "?node=Mordor&node=Rohan&flavor=0&flavor=1"])
def test_a_status_takes_as_many_queries_whatever_it_compares(
    callers: Callers, scripted: Federation, query: str
) -> None:
    for id in range(2):
        promote(str(id))
    few = queries(callers.manager, STATUS + query)
    for id in range(2, 20):
        flavor = promote(str(id))
        for node in NODES:
            make_installation(flavor, node)
            scripted.clouds[node].flavors[str(id)] = in_nova(str(id))
    assert queries(callers.manager, STATUS + query) <= few <= 17


def test_a_run_takes_as_many_queries_whatever_came_of_it(callers: Callers) -> None:
    small, large = make_run("Mordor"), make_run(*NODES)
    compared(small, "Mordor", an_outcome("a"))
    for node in NODES:
        compared(large, node, *(an_outcome(str(id)) for id in range(20)))
    for caller in (callers.manager, callers.mordor):
        path = f"{RUNS}/{small.pk}"
        caller.get(path)
        assert queries(caller, f"{RUNS}/{large.pk}") == queries(caller, path) <= 10


def test_the_list_takes_as_many_queries_whatever_its_length(callers: Callers) -> None:
    make_run("Mordor")
    for caller in (callers.manager, callers.mordor):
        caller.get(RUNS)
        few = queries(caller, RUNS)
        for _ in range(10):
            compared(make_run("Mordor"), "Mordor", an_outcome("a"), ended=True)
        assert queries(caller, RUNS) == few <= 8


def test_no_error_of_a_node_becomes_an_answers_status(manager: Api, scripted: Federation) -> None:
    promote("a")
    for cloud in scripted.clouds.values():
        cloud.password = "changed"
    found = status(manager.get(STATUS))
    assert {node["error"].partition(": ")[2] for node in found["nodes"]} == {
        "its Keystone refuses the credentials stored for it."
    }
    assert {outcome["state"] for node in found["nodes"] for outcome in node["outcomes"]} == {
        SyncOutcome.State.UNREACHABLE.value
    }


@pytest.mark.parametrize("query", ["", "?summary=true"])
def test_the_status_tells_what_is_being_retired(manager: Api, scripted: Federation, query: str) -> None:
    flavor = promote("old")
    make_installation(flavor, "Mordor")
    scripted.clouds["Mordor"].flavors["old"] = in_nova("old")
    at = datetime(2030, 5, 1, 12, tzinfo=UTC)
    retire(flavor=flavor, requested_by="sauron", at=at)
    document: Any = manager.get(f"{STATUS}{query}").body
    assert document["status"]["retiring"] == [
        {
            "id": "old",
            "name": "old",
            "retire_at": "2030-05-01T12:00:00Z",
            "nodes": [{"name": "Mordor", "reason": ""}],
        }
    ]
