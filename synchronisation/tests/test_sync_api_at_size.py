"""The synchronisation over HTTP where there are many nodes: summed up, in pages, and only what is asked for."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flavors.models import Flavor, Sighting
from infrastructures.models import Infrastructure
from synchronisation.ending import end_run
from synchronisation.models import LastComparison, SyncOutcome, SyncRun
from testing.cloud import Federation
from testing.infrastructures import make_registered
from testing.synchronising import NODES, RUNS, STATUS, Callers, an_outcome, compared, make_run, promote
from testing.wire import Answer, Api

pytestmark = pytest.mark.django_db

UNTOUCHED: dict[str, Any] = {
    "state": "in_sync",
    "action": "nothing",
    "reason": "",
    "differences": [],
    "servers": None,
    "result": "",
    "seconds": None,
}
LIST = "GET /flavors/detail"


@pytest.fixture
def manager(callers: Callers) -> Api:
    """The API for who may synchronise everything."""
    return callers.manager


def queries(api: Api, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert api.get(path).status == 200
    return len(captured)


# What was last seen, summed up


def summary(answer: Answer) -> Any:
    """Return a summary's nodes by name, without the times of their comparisons."""
    assert answer.status == 200, answer.body
    document = answer.body["status"]
    for node in document["nodes"]:
        if node.pop("compared_at"):
            continue
        assert node["state"] in ("waiting", "failed")
    return document["state"], {node.pop("name"): node for node in document["nodes"]}


def counts(**some: int) -> dict[str, int]:
    seen = ("in_sync", "missing", "different", "other_id", "name_taken", "unreachable", "ignored")
    return {**dict.fromkeys((*seen, "changed", "not_compared"), 0), **some}


def last_seen(node: str, states: dict[str, str]) -> None:
    """Have a run seen these flavors in a node just now."""
    infrastructure, now = Infrastructure.objects.get(name=node), timezone.now()
    LastComparison.objects.update_or_create(infrastructure=infrastructure, defaults={"whole_at": now})
    for flavor in Flavor.objects.filter(flavorid__in=states):
        values = {"state": states[flavor.flavorid], "digest": flavor.digest, "since": now, "seen_at": now}
        Sighting.objects.create(flavor=flavor, infrastructure=infrastructure, **values)


def test_the_summary_tells_what_was_last_seen_and_asks_no_cloud(manager: Api, scripted: Federation) -> None:
    for id in ("a", "b", "c"):
        promote(id)
    last_seen("Mordor", {"a": "in_sync", "b": "missing", "c": "different"})
    last_seen("Spain2", {"a": "in_sync", "b": "in_sync"})
    promote("d")
    Flavor.objects.filter(flavorid="c").update(ram=7)
    spain2 = LastComparison.objects.filter(infrastructure__name="Spain2")
    spain2.update(unreachable_at=timezone.now(), error="Spain2: its Nova answered 503.")
    assert summary(manager.get(f"{STATUS}?summary=true")) == (
        "partly_done",
        {
            "Mordor": {"state": "done", "error": "", "counts": counts(in_sync=1, missing=1, changed=1, not_compared=1)},
            "Rohan": {"state": "waiting", "error": "", "counts": counts(not_compared=4)},
            "Spain2": {"state": "failed", "error": "Spain2: its Nova answered 503.", "counts": counts(unreachable=4)},
        },
    )
    assert summary(manager.get(f"{STATUS}?summary=1&node=Mordor&flavor=a&flavor=b")) == (
        "drift",
        {"Mordor": {"state": "done", "error": "", "counts": counts(in_sync=1, missing=1)}},
    )
    assert scripted.calls() == {}
    assert manager.get(f"{STATUS}?summary=perhaps").status == 400
    assert manager.get(f"{STATUS}?summary=true&flavor=x").status == 404


def test_a_summary_takes_as_many_queries_whatever_it_sums_up(callers: Callers) -> None:
    for id in ("a", "never seen"):
        promote(id)
    last_seen("Mordor", {"a": "in_sync"})
    few = queries(callers.manager, f"{STATUS}?summary=true")
    for number in range(20):
        promote(str(number))
        make_registered(f"node-{number}")
        last_seen(f"node-{number}", {"a": "in_sync", "0": "missing"})
    assert queries(callers.manager, f"{STATUS}?summary=true") <= few <= 12


# In pages, and in part


def pages(api: Api, path: str) -> list[Any]:
    """Return the documents of all pages."""
    found = []
    while path:
        answer = api.get(path)
        assert answer.status == 200, answer.body
        found.append(answer.body)
        path = answer.headers.get("Link", "").removeprefix("<http://testserver").partition(">")[0]
    return found


def test_a_status_comes_in_pages_of_nodes_and_only_these_are_asked(manager: Api, scripted: Federation) -> None:
    promote("a")
    first, second = pages(manager, f"{STATUS}?limit=2")
    assert [[node["name"] for node in page["status"]["nodes"]] for page in (first, second)] == [
        ["Mordor", "Rohan"],
        ["Spain2"],
    ]
    assert scripted.calls() == {name: [LIST] for name in NODES}
    scripted.clouds["Spain2"].calls.clear()
    manager.get(f"{STATUS}?limit=1")
    assert scripted.clouds["Spain2"].calls == []
    assert manager.get(f"{STATUS}?marker=Gondor").status == 400


def a_large_run() -> SyncRun:
    run = make_run("Gondor", *NODES)
    missing = {"state": "missing", "action": "create", "result": "done"}
    compared(run, "Gondor", an_outcome("a"), an_outcome("b"), ended=True)
    compared(run, "Mordor", an_outcome("a"), an_outcome("b", **missing), ended=True)
    compared(run, "Rohan", an_outcome("a", **missing), an_outcome("b"), ended=True)
    compared(run, "Spain2", an_outcome("a"), an_outcome("b"), ended=True)
    end_run(run.pk)
    return run


def found_in(document: Any) -> dict[str, str]:
    return {node["name"]: "".join(each["id"] for each in node["outcomes"]) for node in document["run"]["nodes"]}


def test_an_ended_run_tells_of_every_flavor_in_every_node(manager: Api) -> None:
    run = a_large_run()
    assert SyncOutcome.objects.count() == 2
    document = manager.get(f"{RUNS}/{run.pk}").body
    assert found_in(document) == dict.fromkeys(["Gondor", *NODES], "ab")
    assert document["run"]["progress"] == {"nodes": 4, "nodes_done": 4, "flavors": 8, "flavors_done": 8}
    gondor = document["run"]["nodes"][0]
    assert gondor["outcomes"][0] == {"id": "a", "name": "a", **UNTOUCHED}
    assert (gondor["state"], gondor["error"]) == ("done", "")
    assert gondor["finished_at"] == document["run"]["finished_at"] is not None


def test_what_came_of_a_run_comes_in_pages_of_nodes(manager: Api) -> None:
    run = a_large_run()
    found = pages(manager, f"{RUNS}/{run.pk}?limit=3")
    assert [list(found_in(page)) for page in found] == [["Gondor", "Mordor", "Rohan"], ["Spain2"]]
    assert {page["run"]["progress"]["nodes"] for page in found} == {4}
    if manager.wire.media_type == "application/json":
        assert found[0]["run_links"] == [
            {"rel": "next", "href": f"http://testserver{RUNS}/{run.pk}?limit=3&marker=Rohan"}
        ]
    assert manager.get(f"{RUNS}/{run.pk}?marker=Shire").status == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("node=Mordor&node=Gondor", {"Gondor": "ab", "Mordor": "ab"}),
        ("node=Shire", {}),
        ("state=missing", {"Mordor": "b", "Rohan": "a"}),
        ("state=missing&node=Rohan", {"Rohan": "a"}),
        ("state=missing&state=different&limit=1&marker=Mordor", {"Rohan": "a"}),
        ("state=different", {}),
        ("state=", {"Gondor": "ab", "Mordor": "ab", "Rohan": "ab", "Spain2": "ab"}),
    ],
)
def test_nodes_and_states_of_a_run_are_chosen(manager: Api, query: str, expected: dict[str, str]) -> None:
    assert found_in(manager.get(f"{RUNS}/{a_large_run().pk}?{query}").body) == expected


def test_a_state_that_there_is_not_is_400(manager: Api) -> None:
    answer = manager.get(f"{RUNS}/{a_large_run().pk}?state=lost")
    assert (answer.status, answer.message.startswith("state: must be one of in_sync, missing")) == (400, True)


def test_an_operator_sees_a_run_in_which_nothing_happened_in_their_node(callers: Callers) -> None:
    run = a_large_run()
    make_run("Rohan")
    assert [each["id"] for each in callers.spain2.get(RUNS).body["runs"]] == [str(run.pk)]
    document = callers.spain2.get(f"{RUNS}/{run.pk}").body
    assert found_in(document) == {"Spain2": "ab"}
    assert document["run"]["progress"] == {"nodes": 1, "nodes_done": 1, "flavors": 2, "flavors_done": 2}
    assert found_in(callers.spain2.get(f"{RUNS}/{run.pk}?state=missing").body) == {}
