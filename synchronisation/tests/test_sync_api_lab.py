"""The whole story over HTTP: drift in the lab's clouds is seen, a run is started, and a worker repairs."""

import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab import Lab
from testing.federation import CLOUDS, in_nova, make_node, put, with_accounts
from testing.flavors import make_flavor
from testing.process import Process, url_of_this_database
from testing.synchronising import RUNS, STATUS, start
from testing.wire import Answer, Api

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

MAY_TAKE_SECONDS = 120
COUNT = 6


def watched(lab: Lab, api: Api, path: str) -> tuple[Any, list[int]]:
    """Have a worker carry a run out; return how it was at last, and what flavors were done on the way."""
    done = []
    deadline = time.monotonic() + MAY_TAKE_SECONDS
    worker = Process(lab, url_of_this_database()).begin("run_worker", "--batch")
    try:
        while (run := api.get(path).body["run"])["finished_at"] is None:
            assert time.monotonic() < deadline, run
            done.append(run["progress"]["flavors_done"])
            time.sleep(0.05)
        assert worker.wait(MAY_TAKE_SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()
    return run, done


def found(answer: Answer) -> dict[tuple[str, str], str]:
    """Return the states that are not in sync, by node and flavor."""
    return {
        (node["name"], outcome["id"]): outcome["state"]
        for node in answer.body["status"]["nodes"]
        for outcome in node["outcomes"]
        if outcome["state"] != "in_sync"
    }


def test_the_whole_story(api: Api, clouds: Lab) -> None:
    people = with_accounts(api)
    manager, spain2 = people.manager, people.spain2
    for node in CLOUDS:
        make_node(clouds, node, node.lower())
    flavors = [
        make_flavor(flavorid=f"f{number}", name=f"f.{number}", ram=512, extra_specs={"hw:cpu_policy": "shared"})
        for number in range(COUNT)
    ]
    same, specs, numbers, *_ = flavors
    for node in ("Mordor", "Spain2"):
        put(clouds, node, same)
        put(clouds, node, specs, extra_specs={"hw:cpu_policy": "dedicated"})
        put(clouds, node, numbers, ram=64)
    missing = {(node, flavor.flavorid): "missing" for node in CLOUDS for flavor in flavors}
    planted = {(node, flavor.flavorid): "different" for node in ("Mordor", "Spain2") for flavor in (specs, numbers)}
    drift = {
        key: state for key, state in (missing | planted).items() if key not in {("Mordor", "f0"), ("Spain2", "f0")}
    }

    # The drift is seen, with one list call per cloud; an operator sees that of their own node.
    with clouds.counting() as served:
        status = manager.get(STATUS)
    assert (status.body["status"]["state"], found(status)) == ("drift", drift)
    for node in CLOUDS:
        assert {call: n for call, n in served[node].items() if call != "GET /v2.1/"} == {"GET /v2.1/flavors/detail": 1}
    assert found(spain2.get(STATUS)) == {key: state for key, state in drift.items() if key[0] == "Spain2"}

    # A run is started, waits, and is carried out by a worker while everybody concerned looks on.
    started = start(manager)
    path = urlsplit(started.headers["Location"]).path
    total = len(CLOUDS) * COUNT
    assert started.status == 202
    assert started.body["run"]["progress"] == {"nodes": 3, "nodes_done": 0, "flavors": total, "flavors_done": 0}
    run, done = watched(clouds, manager, path)
    assert run["progress"] == {"nodes": 3, "nodes_done": 3, "flavors": total, "flavors_done": total}
    assert done == sorted(done)
    assert run["state"] == "drift"
    outcomes = {(node["name"], outcome["id"]): outcome for node in run["nodes"] for outcome in node["outcomes"]}
    told = {key: (outcome["action"], outcome["result"]) for key, outcome in outcomes.items()}
    by_state = {"missing": ("create", "done"), "different": ("update", "done"), "in_sync": ("adopt", "done")}
    cannot = {(node, "f2"): ("cannot", "") for node in ("Mordor", "Spain2")}
    assert told == {key: by_state[drift.get(key, "in_sync")] for key in outcomes} | cannot
    assert outcomes["Spain2", "f2"]["differences"] == [{"member": "ram", "node": 64, "catalogue": 512}]
    assert outcomes["Lannion2", "f1"]["seconds"] > 0
    assert [node["name"] for node in spain2.get(path).body["run"]["nodes"]] == ["Spain2"]
    assert people.mordor.get(f"{RUNS}?limit=1").body["runs"][0]["id"] == run["id"]
    assert people.basic.get(path).status == 403

    # What is left takes replacing, for which the operator of one node asks, there alone.
    left = dict.fromkeys(cannot, "different")
    assert found(manager.get(STATUS)) == left
    replacing = start(spain2, replace=True, flavors=["f2"])
    run, _ = watched(clouds, spain2, urlsplit(replacing.headers["Location"]).path)
    ((outcome,),) = [node["outcomes"] for node in run["nodes"]]
    assert (run["state"], outcome["action"], outcome["result"], outcome["servers"]) == ("in_sync", "replace", "done", 0)
    assert found(manager.get(STATUS)) == {("Mordor", "f2"): "different"}
    assert people.mordor.get(f"{RUNS}/{run['id']}").status == 404
    assert in_nova(clouds, "Spain2")["f2"]["ram"] == 512
    assert spain2.get(STATUS).body["status"]["state"] == "in_sync"
