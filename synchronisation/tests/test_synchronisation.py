"""Synchronisation runs over scripted clouds: what is found, planned, done and written down, and at what cost."""

import io
import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from types import FrameType
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flavors.models import Flavor, Installation
from flavorsync_project.api.errors import Conflict
from infrastructures import clouds
from infrastructures.models import Infrastructure, Replacement
from synchronisation import repairing
from synchronisation.comparing import compare_nodes, promoted_flavors
from synchronisation.history import nodes_in_full, outcomes_of
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.running import carry_out, create_run
from testing.cloud import Federation, RegisteredCloud
from testing.flavors import document_of, make_flavor, make_installation
from testing.infrastructures import make_registered, make_replacement

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /flavors/detail"
SPECS = {"hw:cpu_policy": "shared"}

Told = dict[tuple[str, str], tuple[str, str, str]]
"""State, action and result by node and flavor."""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clouds, "SECONDS_BEFORE_RETRY", (0, 0))


@pytest.fixture
def federation() -> Iterator[Federation]:
    with Federation() as federation:
        yield federation


@pytest.fixture
def mordor(federation: Federation) -> RegisteredCloud:
    """A registered cloud without flavors."""
    make_registered("Mordor")
    return federation.add("Mordor")


@pytest.fixture
def rohan(federation: Federation) -> RegisteredCloud:
    make_registered("Rohan")
    return federation.add("Rohan")


@pytest.fixture
def tiny() -> Flavor:
    return make_flavor(flavorid="tiny", name="m1.tiny", vcpus=1, ram=512, disk=1, extra_specs=SPECS)


def run(**options: Any) -> SyncRun:
    """Carry out a run over all nodes, and return it."""
    options = {"repairs": True, **options}
    return carry_out(create_run(requested_by="somebody", infrastructures=Infrastructure.objects.all(), **options).pk)


def told(run: SyncRun) -> Told:
    return {
        (node.name, outcome.flavorid): (outcome.state, outcome.action, outcome.result)
        for node in nodes_in_full(run)
        for outcome in outcomes_of(node)
    }


def installed() -> set[tuple[str, str, str]]:
    return set(Installation.objects.values_list("infrastructure__name", "flavor__flavorid", "flavorid"))


def writes(cloud: RegisteredCloud) -> list[str]:
    return [call for call in cloud.calls if not call.startswith("GET ")]


# What a run does


def test_what_is_missing_is_created_and_recorded(mordor: RegisteredCloud, tiny: Flavor) -> None:
    ended = run()
    assert ended.state == SyncRun.State.IN_SYNC
    assert told(ended) == {("Mordor", "tiny"): ("missing", "create", "done")}
    assert mordor.flavors["tiny"]["ram"] == 512
    assert mordor.flavors["tiny"]["extra_specs"] == SPECS
    assert installed() == {("Mordor", "tiny", "tiny")}


def test_a_dry_run_only_reads(mordor: RegisteredCloud, tiny: Flavor) -> None:
    ended = run(repairs=False)
    assert ended.state == SyncRun.State.DRIFT
    assert told(ended) == {("Mordor", "tiny"): ("missing", "create", "planned")}
    assert mordor.calls == [LIST]
    assert installed() == set()


def test_a_second_run_asks_each_cloud_once_and_writes_nothing(
    mordor: RegisteredCloud, rohan: RegisteredCloud, tiny: Flavor
) -> None:
    run()
    mordor.calls.clear()
    rohan.calls.clear()
    ended = run()
    assert ended.state == SyncRun.State.IN_SYNC
    assert told(ended) == {(node, "tiny"): ("in_sync", "nothing", "") for node in ("Mordor", "Rohan")}
    assert (mordor.calls, rohan.calls) == ([LIST], [LIST])


def test_what_is_there_already_is_adopted(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny)
    ended = run()
    assert told(ended) == {("Mordor", "tiny"): ("in_sync", "adopt", "done")}
    assert installed() == {("Mordor", "tiny", "tiny")}
    assert mordor.calls == [LIST]


def test_what_is_there_under_another_id_is_adopted_by_that(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["42"] = document_of(tiny, id="42")
    assert told(run()) == {("Mordor", "tiny"): ("other_id", "adopt", "done")}
    assert installed() == {("Mordor", "tiny", "42")}
    assert told(run()) == {("Mordor", "tiny"): ("in_sync", "nothing", "")}
    assert mordor.calls == [LIST, LIST]


def test_an_adopted_flavor_is_repaired_under_its_id_there(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["42"] = document_of(tiny, id="42", ram=7, extra_specs={})
    make_installation(tiny, "Mordor", flavorid="42")
    assert told(run(replaces=True)) == {("Mordor", "tiny"): ("different", "replace", "done")}
    assert (mordor.flavors["42"]["ram"], mordor.flavors["42"]["extra_specs"]) == (512, SPECS)
    assert list(mordor.flavors) == ["42"]


def test_a_recorded_flavor_that_has_gone_is_made_again_under_its_own_id(mordor: RegisteredCloud, tiny: Flavor) -> None:
    make_installation(tiny, "Mordor", flavorid="42")
    assert told(run()) == {("Mordor", "tiny"): ("missing", "create", "done")}
    assert list(mordor.flavors) == ["tiny"]
    assert installed() == {("Mordor", "tiny", "tiny")}


def test_description_and_extra_specs_are_changed_in_place(mordor: RegisteredCloud, tiny: Flavor) -> None:
    Flavor.objects.update(description="small")
    own = {"hw:cpu_policy": "dedicated", "aggregate:ssd": "true"}
    mordor.flavors["tiny"] = document_of(tiny, description="big", extra_specs=own)
    ended = run()
    assert told(ended) == {("Mordor", "tiny"): ("different", "update", "done")}
    assert mordor.flavors["tiny"]["description"] == "small"
    assert mordor.flavors["tiny"]["extra_specs"] == {"hw:cpu_policy": "shared", "aggregate:ssd": "true"}
    assert writes(mordor) == ["PUT /flavors/tiny", "POST /flavors/tiny/os-extra_specs"]
    assert installed() == {("Mordor", "tiny", "tiny")}
    assert SyncOutcome.objects.get().differences == [
        {"member": "description", "node": "big", "catalogue": "small"},
        {"member": "extra_specs.hw:cpu_policy", "node": "dedicated", "catalogue": "shared"},
    ]


def test_an_exact_run_takes_other_extra_specs_away(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, extra_specs=SPECS | {"aggregate:ssd": "true"})
    assert told(run(repairs=False)) == {("Mordor", "tiny"): ("in_sync", "adopt", "planned")}
    assert told(run(exact=True)) == {("Mordor", "tiny"): ("different", "update", "done")}
    assert mordor.flavors["tiny"]["extra_specs"] == SPECS


def test_other_numbers_wait_for_somebody_to_ask_for_a_replacement(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, ram=7)
    ended = run()
    assert ended.state == SyncRun.State.DRIFT
    assert told(ended) == {("Mordor", "tiny"): ("different", "cannot", "")}
    assert mordor.calls == [LIST]


def test_a_replacement_counts_the_servers_first(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, ram=7, extra_specs={"aggregate:ssd": "true"})
    mordor.servers["tiny"] = 3
    assert told(run(repairs=False, replaces=True)) == {("Mordor", "tiny"): ("different", "replace", "planned")}
    assert mordor.calls == [LIST, "GET /servers"]
    assert SyncOutcome.objects.get().servers == 3
    assert told(run(replaces=True)) == {("Mordor", "tiny"): ("different", "replace", "done")}
    assert mordor.flavors["tiny"]["ram"] == 512
    assert mordor.flavors["tiny"]["extra_specs"] == {"aggregate:ssd": "true", **SPECS}
    assert not Replacement.objects.exists()


def test_an_exact_replacement_keeps_no_other_extra_specs(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, ram=7, extra_specs={"aggregate:ssd": "true"})
    run(replaces=True, exact=True)
    assert mordor.flavors["tiny"]["extra_specs"] == SPECS


@pytest.mark.parametrize("overrides", [{"name": "M1.Tiny"}, {"ram": 7}], ids=["case", "values"])
def test_a_taken_name_is_left_to_people(mordor: RegisteredCloud, tiny: Flavor, overrides: dict[str, Any]) -> None:
    mordor.flavors["42"] = document_of(tiny, id="42", **overrides)
    ended = run(replaces=True)
    assert ended.state == SyncRun.State.DRIFT
    assert told(ended) == {("Mordor", "tiny"): ("name_taken", "cannot", "")}
    assert mordor.calls == [LIST]
    assert installed() == set()


def test_a_flavor_that_was_renamed_is_not_taken_for_the_one_that_has_its_old_name_now(mordor: RegisteredCloud) -> None:
    make_flavor(flavorid="new", name="a")
    renamed = make_flavor(flavorid="old", name="b")
    mordor.flavors["old"] = document_of(renamed, name="a")
    first = run(replaces=True)
    assert told(first) == {
        ("Mordor", "new"): ("name_taken", "cannot", ""),
        ("Mordor", "old"): ("different", "replace", "done"),
    }
    reason = SyncOutcome.objects.get(node__run=first, flavorid="new").reason
    assert reason == "Flavor old there has its name a, and is a different flavor of the catalogue."
    assert run(replaces=True).state == SyncRun.State.IN_SYNC
    assert installed() == {("Mordor", "new", "new"), ("Mordor", "old", "old")}
    assert {flavorid: flavor["name"] for flavorid, flavor in mordor.flavors.items()} == {"old": "b", "new": "a"}


def test_a_flavor_whose_replacement_was_cut_short_is_not_made_otherwise_meanwhile(
    mordor: RegisteredCloud, tiny: Flavor
) -> None:
    old = tiny.as_nova()
    make_replacement(
        infrastructure=Infrastructure.objects.get(),
        flavorid="tiny",
        old=replace(old, projects=()).as_json(),
        new=replace(old, ram=9, projects=(), extra_specs={"aggregate:own": "kept"}).as_json(),
    )
    Flavor.objects.update(name="renamed")
    mordor.failing["POST /flavors"] = 503
    mordor.before_call = lambda call: mordor.failing.clear() if call == LIST else None
    assert run().state == SyncRun.State.FAILED
    assert SyncOutcome.objects.get().reason == "Mordor: the id tiny belongs to a flavor that is being replaced."
    assert mordor.flavors == {}
    run(replaces=True)
    assert (mordor.flavors["tiny"]["name"], mordor.flavors["tiny"]["ram"]) == ("renamed", 512)
    assert mordor.flavors["tiny"]["extra_specs"] == {"aggregate:own": "kept", **SPECS}
    assert Replacement.objects.get().is_met  # the answer 503 may have come from before Nova


def test_only_promoted_flavors_are_brought(mordor: RegisteredCloud, tiny: Flavor) -> None:
    make_flavor(flavorid="public", name="public", promoted=False)
    run()
    assert list(mordor.flavors) == ["tiny"]


def test_a_run_may_be_about_some_flavors(mordor: RegisteredCloud, tiny: Flavor) -> None:
    make_flavor(flavorid="nano")
    assert told(run(flavorids=["nano"])) == {("Mordor", "nano"): ("missing", "create", "done")}


@pytest.mark.parametrize("flavorid", ["nowhere", "public"])
def test_a_run_is_about_promoted_flavors_alone(mordor: RegisteredCloud, tiny: Flavor, flavorid: str) -> None:
    make_flavor(flavorid="public", name="public", promoted=False)
    with pytest.raises(Conflict, match=f"flavors: there is no promoted flavor {flavorid}"):
        run(flavorids=["tiny", flavorid])
    assert not SyncRun.objects.exists()


def test_no_flavor_and_no_node_is_in_sync() -> None:
    assert run().state == SyncRun.State.IN_SYNC
    make_flavor()
    assert run().state == SyncRun.State.IN_SYNC


# What fails


def test_a_node_that_fails_holds_up_no_other(mordor: RegisteredCloud, rohan: RegisteredCloud, tiny: Flavor) -> None:
    mordor.failing[LIST] = 503
    ended = run()
    assert ended.state == SyncRun.State.PARTLY_DONE
    assert told(ended) == {
        ("Mordor", "tiny"): ("unreachable", "cannot", ""),
        ("Rohan", "tiny"): ("missing", "create", "done"),
    }
    assert SyncNode.objects.get(name="Mordor").error == "Mordor: its Nova answered 503."
    assert [outcome.reason for outcome in outcomes_of(nodes_in_full(ended)[0])] == ["Mordor: its Nova answered 503."]
    assert not SyncOutcome.objects.filter(node__name="Mordor").exists()


def test_a_failure_that_passes_is_tried_once_more(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.failing[LIST] = 503
    mordor.before_call = lambda call: mordor.failing.clear() if mordor.calls.count(LIST) == 2 else None
    assert run().state == SyncRun.State.IN_SYNC
    assert mordor.calls[:2] == [LIST, LIST]


def test_credentials_that_are_refused_are_tried_once(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.password = "changed"
    assert run().state == SyncRun.State.FAILED
    assert mordor.authentications == 1


def test_one_flavor_that_fails_holds_up_no_other(mordor: RegisteredCloud, tiny: Flavor) -> None:
    make_flavor(flavorid="nano", name="a", extra_specs={"x": "1"})
    mordor.failing["POST /flavors/nano/os-extra_specs"] = 400
    ended = run()
    assert ended.state == SyncRun.State.PARTLY_DONE
    assert told(ended) == {
        ("Mordor", "nano"): ("missing", "create", "failed"),
        ("Mordor", "tiny"): ("missing", "create", "done"),
    }
    assert SyncOutcome.objects.get(flavorid="nano").reason == "Mordor: as the test said"
    assert (list(mordor.flavors), installed()) == (["tiny"], {("Mordor", "tiny", "tiny")})


def test_a_cloud_that_goes_away_is_not_asked_for_every_flavor(
    federation: Federation, mordor: RegisteredCloud, tiny: Flavor
) -> None:
    for number in range(5):
        make_flavor(flavorid=f"nano{number}", name=f"nano{number}")

    def leave(call: str) -> None:
        if call == "POST /flavors":
            federation.http.post(f"{mordor.endpoint}/flavors", exc=requests.exceptions.ConnectionError)
            federation.http.get(f"{mordor.endpoint}/flavors/m", exc=requests.exceptions.ConnectionError)

    mordor.before_call = leave
    ended = run()
    results = [outcome.result for outcome in SyncOutcome.objects.filter(node__run=ended)]
    assert (ended.state, results.count("failed")) == (SyncRun.State.PARTLY_DONE, 5)
    assert SyncNode.objects.get().error == "Mordor: its Nova could not be reached."
    reasons = set(SyncOutcome.objects.filter(result="failed").values_list("flavorid", "reason"))
    watched = {flavorid: reason for flavorid, reason in reasons if "is watched until" in reason}
    assert len(watched) == repairing.MOST_CREATIONS - 1  # sent with the one that was answered
    assert all(f"flavor {flavorid} is" in reason for flavorid, reason in watched.items())


def test_a_node_without_credentials_says_so(mordor: RegisteredCloud, tiny: Flavor) -> None:
    Infrastructure.objects.update(encrypted_password="")
    assert run().state == SyncRun.State.FAILED
    assert SyncNode.objects.get().error == "Mordor: no credentials are stored for it."


def test_a_flavor_that_leaves_the_catalogue_meanwhile_leaves_the_node_again(
    mordor: RegisteredCloud, tiny: Flavor
) -> None:
    def delete(call: str) -> None:
        if call == "POST /flavors":
            Flavor.objects.all().delete()

    mordor.before_call = delete
    ended = run()
    assert told(ended) == {("Mordor", "tiny"): ("missing", "create", "failed")}
    assert (mordor.flavors, installed()) == ({}, set())


def test_servers_that_may_not_be_counted_keep_their_flavor_alone(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, ram=7)
    make_flavor(flavorid="nano", name="nano")
    mordor.failing["GET /servers"] = 403
    dry, ended = run(replaces=True, repairs=False), run(replaces=True)
    assert (dry.state, ended.state) == (SyncRun.State.FAILED, SyncRun.State.PARTLY_DONE)
    assert told(dry)["Mordor", "nano"] == ("missing", "create", "planned")
    assert told(ended) == {
        ("Mordor", "tiny"): ("different", "replace", "failed"),
        ("Mordor", "nano"): ("missing", "create", "done"),
    }
    outcome = SyncOutcome.objects.get(node__run=ended, flavorid="tiny")
    assert (outcome.servers, outcome.reason) == (
        None,
        "Mordor: it does not let our stored credentials do this.",
    )
    assert mordor.flavors["tiny"]["ram"] == 7


def test_a_run_that_is_stopped_ends_after_the_step_at_hand(mordor: RegisteredCloud, tiny: Flavor) -> None:
    for number in range(30):
        make_flavor(flavorid=f"f{number}", name=f"f{number}")
    interrupted = Event()

    def interrupt(call: str) -> None:
        if call == "POST /flavors" and mordor.calls.count(call) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupted.wait(20)

    def handle(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    mordor.before_call = interrupt
    before = signal.signal(signal.SIGINT, handle)
    try:
        status, printed = command()
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 1
    assert "Mordor: The run was stopped." in printed
    ended = SyncRun.objects.get()
    assert (ended.state, ended.finished_at is None) == (SyncRun.State.PARTLY_DONE, False)
    results = [outcome.result for outcome in SyncOutcome.objects.all()]
    done = results.count("done")
    assert 2 <= done < 31
    assert results.count("planned") == 31 - done
    assert len(mordor.flavors) == len(installed()) == done


# What is written down


def test_a_run_and_its_nodes_say_who_when_and_how_long(mordor: RegisteredCloud, tiny: Flavor) -> None:
    ended = run()
    node, outcome = SyncNode.objects.get(), SyncOutcome.objects.get()
    assert (ended.requested_by, ended.attempts, ended.repairs) == ("somebody", 1, True)
    times = [ended.started_at, node.started_at, node.compared_at, node.finished_at, ended.finished_at]
    assert None not in times
    assert times == sorted(filter(None, times))
    assert outcome.seconds is not None
    assert 0 <= outcome.seconds < 60


def test_a_run_that_has_ended_is_not_carried_out_again(mordor: RegisteredCloud, tiny: Flavor) -> None:
    ended = run()
    mordor.calls.clear()
    assert carry_out(ended.pk).finished_at == ended.finished_at
    assert mordor.calls == []


def test_a_run_outlives_its_node(mordor: RegisteredCloud, tiny: Flavor) -> None:
    ended = run(repairs=False)
    Infrastructure.objects.all().delete()
    assert told(ended) == {("Mordor", "tiny"): ("missing", "create", "planned")}


def test_a_node_that_is_unregistered_before_its_run_is_not_asked(mordor: RegisteredCloud, tiny: Flavor) -> None:
    waiting = create_run(requested_by="", infrastructures=Infrastructure.objects.all(), repairs=True)
    Infrastructure.objects.all().delete()
    assert carry_out(waiting.pk).state == SyncRun.State.FAILED
    assert SyncNode.objects.get().error == "The node is no longer registered."
    assert mordor.calls == []


# Comparing without a run


def test_a_comparison_is_live_and_keeps_nothing(mordor: RegisteredCloud, rohan: RegisteredCloud, tiny: Flavor) -> None:
    rohan.failing[LIST] = 503
    nodes = compare_nodes(infrastructures=list(Infrastructure.objects.all()), flavors=promoted_flavors())
    assert [(node.infrastructure.name, [finding.state for finding in node.findings]) for node in nodes] == [
        ("Mordor", ["missing"]),
        ("Rohan", []),
    ]
    assert str(nodes[1].error and nodes[1].error.detail) == "Rohan: its Nova answered 503."
    assert mordor.calls == [LIST]
    assert not SyncRun.objects.exists()


# Cost


@pytest.mark.parametrize("repairs", [True, False])
def test_queries_do_not_grow_with_flavors(mordor: RegisteredCloud, repairs: bool) -> None:
    def queries_with(count: int) -> int:
        for number in range(Flavor.objects.count(), count):
            flavor = make_flavor(flavorid=f"f{number}", name=f"f{number}")
            make_installation(flavor, "Mordor")
            mordor.flavors[flavor.flavorid] = document_of(flavor)
        with CaptureQueriesContext(connection) as captured:
            assert run(repairs=repairs).state == SyncRun.State.IN_SYNC
        return len(captured)

    queries_with(1)  # the first run over these nodes writes down which ones they are
    assert queries_with(2) == queries_with(40)


# The command


def command(*arguments: str) -> tuple[int, str]:
    """Return the exit status of `manage.py sync_flavors`, and what it prints."""
    printed = io.StringIO()
    try:
        call_command("sync_flavors", *arguments, stdout=printed)
    except SystemExit as ended:
        return int(str(ended.code)), printed.getvalue()
    return 0, printed.getvalue()


def test_the_command_repairs_and_says_so(mordor: RegisteredCloud, rohan: RegisteredCloud, tiny: Flavor) -> None:
    status, printed = command()
    assert status == 0
    number = SyncRun.objects.get().pk
    assert printed.splitlines() == [
        "Mordor: m1.tiny: missing -> create: done",
        "Rohan: m1.tiny: missing -> create: done",
        f"Run {number}: in sync; 2 nodes; 2 created.",
    ]
    assert command() == (0, f"Run {number + 1}: in sync; 2 nodes; 2 in sync.\n")


def test_the_summary_tells_what_was_done_from_what_was_found(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, ram=7)
    mordor.servers["tiny"] = 1
    make_flavor(flavorid="nano")
    printed = command("--dry-run", "--replace")[1]
    assert "replace (1 server uses it): planned" in printed
    assert printed.endswith("drift found; 1 node; 1 missing, 1 different.\n")
    assert command()[1].endswith("drift found; 1 node; 1 created, 1 different.\n")
    assert command("--replace")[1].endswith("in sync; 1 node; 1 replaced, 1 in sync.\n")


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_command_says_when_there_is_no_node(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Beside what it prints, which may be for a script."""
    assert command(*arguments)[0] == 0
    said = "There is no node that we have credentials for, so there is nothing to compare."
    assert capsys.readouterr().err == f"{said} The command register_infrastructure registers one.\n"


def test_who_types_the_command_need_not_have_a_name(
    mordor: RegisteredCloud, tiny: Flavor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    assert command()[0] == 0
    assert SyncRun.objects.get().requested_by == f"{2**31 - 7} (command line)"


def test_the_command_finds_drift_in_a_dry_run(mordor: RegisteredCloud, tiny: Flavor) -> None:
    mordor.flavors["tiny"] = document_of(tiny, ram=7)
    mordor.servers["tiny"] = 2
    status, printed = command("--dry-run", "--replace")
    assert status == 2
    assert "Mordor: m1.tiny: different (ram 7 instead of 512) -> replace (2 servers use it): planned" in printed
    assert mordor.flavors["tiny"]["ram"] == 7
    assert command("--dry-run")[0] == 2
    assert command()[0] == 2
    assert command("--replace")[0] == 0


def test_the_command_fails_when_a_node_does(mordor: RegisteredCloud, rohan: RegisteredCloud, tiny: Flavor) -> None:
    mordor.failing[LIST] = 503
    status, printed = command()
    assert status == 1
    assert "Mordor: Mordor: its Nova answered 503." not in printed
    assert "Mordor: its Nova answered 503." in printed
    assert "Rohan: m1.tiny: missing -> create: done" in printed
    assert "2 nodes; 1 created, 1 unreachable." in printed


def test_the_command_prints_json(mordor: RegisteredCloud, tiny: Flavor) -> None:
    status, printed = command("--json", "--dry-run", "--node", "Mordor", "--flavor", "m1.tiny")
    assert status == 2
    run = SyncRun.objects.get()
    assert json.loads(printed) == {
        "id": run.pk,
        "state": "drift",
        "dry_run": True,
        "nodes": [
            {
                "name": "Mordor",
                "state": "done",
                "error": "",
                "outcomes": [
                    {
                        "id": "tiny",
                        "name": "m1.tiny",
                        "state": "missing",
                        "differences": [],
                        "action": "create",
                        "servers": None,
                        "result": "planned",
                        "reason": "",
                        "seconds": None,
                    }
                ],
            }
        ],
    }


def test_the_command_takes_nodes_and_flavors(mordor: RegisteredCloud, rohan: RegisteredCloud, tiny: Flavor) -> None:
    make_flavor(flavorid="nano")
    assert command("--node", "Rohan", "--flavor", "nano")[0] == 0
    assert (list(mordor.flavors), list(rohan.flavors)) == ([], ["nano"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--node", "Mordor", "--node", "x"], "There is no node x."),
        (["--flavor", "x"], "There is no promoted flavor x."),
    ],
)
def test_the_command_refuses_what_there_is_not(
    mordor: RegisteredCloud, tiny: Flavor, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        command(*arguments)
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_alone(
    mordor: RegisteredCloud, tiny: Flavor, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stderr", screen)
    command()
    assert ("Mordor: m1.tiny" in screen.getvalue()) == terminal


def test_progress_is_counted_in_flavors(mordor: RegisteredCloud, tiny: Flavor, monkeypatch: pytest.MonkeyPatch) -> None:
    """By nodes it would stand still for all of a long first one; a node that ends early is done with all of them."""
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(repairing, "SECONDS_BETWEEN_RECORDS", 0)
    make_flavor(flavorid="nano")
    make_registered("Dead")
    command()
    steps = re.findall(r"(\d)/4 ", screen.getvalue())
    assert list(dict.fromkeys(steps)) in (["0", "1", "2", "4"], ["0", "1", "3", "4"], ["0", "2", "3", "4"])
