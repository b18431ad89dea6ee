"""Synchronisation of the lab's three clouds: drift of every kind is found, repaired as far as it may, and stays so."""

import io
import json
from collections.abc import Collection
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command

from flavors.catalogue.dropping import remember_dropped
from flavors.models import Flavor, Installation
from infrastructures.models import Infrastructure, Replacement
from lab import Lab
from lab.client import send
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.running import carry_out, create_run
from testing.federation import CLOUDS, SEEDED, in_nova, make_node, put
from testing.flavors import make_flavor, make_installation
from testing.proxy import NovaProxy, before, forwarded

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

SPECS = {"hw:cpu_policy": "shared", "quota:vif_inbound_average": "1024"}
LIST = "GET /v2.1/flavors/detail"
COUNT = 30

State = SyncOutcome.State
Planted = dict[tuple[str, str], str]
"""The expected state by node and flavor, where it is another than `missing`."""


@pytest.fixture
def nodes(clouds: Lab) -> list[Infrastructure]:
    """The lab's three clouds, registered."""
    return [make_node(clouds, node) for node in sorted(CLOUDS)]


@pytest.fixture
def promoted() -> list[Flavor]:
    """Thirty promoted flavors, each with something in every member."""
    return [
        make_flavor(
            flavorid=f"sync-{number:02}",
            name=f"sync.{number:02}",
            vcpus=1 + number,
            ram=256 * (1 + number),
            disk=number,
            swap=number,
            ephemeral=number % 3,
            rxtx_factor=1.0 + number % 2,
            description=f"number {number}" if number % 2 else "",
            extra_specs=SPECS,
        )
        for number in range(COUNT)
    ]


@pytest.fixture
def planted(clouds: Lab, nodes: list[Infrastructure], promoted: list[Flavor]) -> Planted:
    """Plant drift of every kind in every cloud; what is not planted is missing there."""
    expected: Planted = {}
    for node in CLOUDS:
        same, adopted, described, specs, more, numbers, hidden, other_id, case, taken = promoted[:10]
        put(clouds, node, same)
        make_installation(same, node)
        put(clouds, node, adopted)
        put(clouds, node, described, description="otherwise")
        put(clouds, node, specs, extra_specs={"hw:cpu_policy": "dedicated", "aggregate:own": "kept"})
        put(clouds, node, more, extra_specs=SPECS | {"aggregate:own": "kept"})
        put(clouds, node, numbers, ram=7, vcpus=9, extra_specs={"aggregate:own": "kept"})
        put(clouds, node, hidden, **{"os-flavor-access:is_public": False})
        put(clouds, node, other_id, id=f"other-in-{node}")
        put(clouds, node, case, id="case", name=case.name.upper())
        put(clouds, node, taken, id="taken", disk=99)
        states = dict.fromkeys([same, adopted, more], State.IN_SYNC)
        states |= dict.fromkeys([described, specs, numbers, hidden], State.DIFFERENT)
        states |= {other_id: State.OTHER_ID} | dict.fromkeys([case, taken], State.NAME_TAKEN)
        expected |= {(node, flavor.flavorid): state for flavor, state in states.items()}
    return expected


def sync(*arguments: str) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    """Return the exit status of `manage.py sync_flavors --json`, and its outcomes by node and flavor."""
    printed, status = io.StringIO(), 0
    try:
        call_command("sync_flavors", "--json", *arguments, stdout=printed)
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, {
        (node["name"], outcome["id"]): outcome
        for node in json.loads(printed.getvalue())["nodes"]
        for outcome in node["outcomes"]
    }


def only(of: dict[tuple[str, str], dict[str, Any]], member: str) -> dict[tuple[str, str], Any]:
    return {key: outcome[member] for key, outcome in of.items()}


def everything(lab: Lab) -> dict[str, Any]:
    return {node: in_nova(lab, node) for node in CLOUDS}


def test_every_kind_of_drift_is_named_and_a_dry_run_changes_nothing(
    clouds: Lab, promoted: list[Flavor], planted: Planted
) -> None:
    before = everything(clouds)
    with clouds.counting() as served:
        status, outcomes = sync("--dry-run")
    assert status == 2
    assert len(outcomes) == 3 * COUNT
    assert only(outcomes, "state") == {key: planted.get(key, State.MISSING) for key in outcomes}
    assert set(only(outcomes, "result").values()) == {"planned", ""}
    for node in CLOUDS:
        reads = {call: count for call, count in served[node].items() if call != "GET /v2.1/"}
        assert reads == {LIST: 1}
        assert outcomes[node, "sync-05"]["differences"] == [
            {"member": "vcpus", "node": 9, "catalogue": 6},
            {"member": "ram", "node": 7, "catalogue": 1536},
            {"member": "extra_specs.hw:cpu_policy", "node": None, "catalogue": "shared"},
            {"member": "extra_specs.quota:vif_inbound_average", "node": None, "catalogue": "1024"},
        ]
        assert outcomes[node, "sync-06"]["differences"] == [{"member": "is_public", "node": False, "catalogue": True}]
        assert outcomes[node, "sync-08"]["reason"].endswith("has its name in another case, SYNC.08.")
        assert outcomes[node, "sync-09"]["differences"] == [{"member": "disk", "node": 99, "catalogue": 9}]
    assert everything(clouds) == before
    assert Installation.objects.count() == 3


def test_a_run_repairs_what_it_may_and_the_next_one_has_nothing_to_do(
    clouds: Lab, promoted: list[Flavor], planted: Planted
) -> None:
    left = {"sync-05", "sync-06", "sync-08", "sync-09"}
    status, outcomes = sync()
    assert status == 2
    assert {flavorid for (_, flavorid), action in only(outcomes, "action").items() if action == "cannot"} == left
    status, outcomes = sync("--replace")
    assert status == 2
    assert {outcomes[node, "sync-05"]["servers"] for node in CLOUDS} == {0}
    assert_clouds_are_as_the_catalogue(clouds, promoted, left={"sync-08", "sync-09"})

    before = everything(clouds)
    with clouds.counting() as served:
        status, outcomes = sync("--replace")
    assert status == 2  # two names are for people to free
    assert set(only(outcomes, "action").values()) == {"nothing", "cannot"}
    for node in CLOUDS:
        assert {call: count for call, count in served[node].items() if call != "GET /v2.1/"} == {LIST: 1}
    assert everything(clouds) == before

    for node in CLOUDS:
        clouds.delete_flavor(node, "case")
        clouds.delete_flavor(node, "taken")
    assert sync()[0] == 0
    assert_clouds_are_as_the_catalogue(clouds, promoted)
    assert not Replacement.objects.exists()


def assert_clouds_are_as_the_catalogue(lab: Lab, promoted: list[Flavor], *, left: Collection[str] = ()) -> None:
    """Fail unless each Nova has its seed, each promoted flavor once and as wanted, and the record says so."""
    for node in CLOUDS:
        there = in_nova(lab, node)
        recorded = {
            installation.flavor.flavorid: installation.flavorid
            for installation in Installation.objects.filter(infrastructure__name=node).select_related("flavor")
        }
        assert set(recorded) == {flavor.flavorid for flavor in promoted} - set(left)
        assert set(there) == SEEDED[node] | set(recorded.values()) | ({"case", "taken"} if left else set())
        for flavor in promoted:
            if flavor.flavorid not in left:
                has = there[recorded[flavor.flavorid]]
                kept = {"aggregate:own": "kept"} if flavor.flavorid in {"sync-03", "sync-04", "sync-05"} else {}
                assert has["extra_specs"] == SPECS | kept
                assert (has["name"], has["ram"], has["vcpus"], has["disk"], has["swap"]) == (
                    *(flavor.name, flavor.ram, flavor.vcpus, flavor.disk, flavor.swap),
                )
                assert has["OS-FLV-EXT-DATA:ephemeral"] == flavor.ephemeral
                assert has["rxtx_factor"] == flavor.rxtx_factor
                assert has["os-flavor-access:is_public"]
                assert has["description"] == (flavor.description or None)


def test_with_one_cloud_down_the_others_are_repaired(
    clouds: Lab, promoted: list[Flavor], nodes: list[Infrastructure]
) -> None:
    clouds.kill("nova-Lannion2")
    try:
        status, outcomes = sync()
    finally:
        clouds.start("nova-Lannion2")
    assert status == 1
    assert {node: {outcomes[node, flavor.flavorid]["result"] for flavor in promoted} for node in CLOUDS} == {
        "Spain2": {"done"},
        "Mordor": {"done"},
        "Lannion2": {""},
    }
    assert {outcomes["Lannion2", flavor.flavorid]["state"] for flavor in promoted} == {"unreachable"}
    assert SyncRun.objects.get().state == SyncRun.State.PARTLY_DONE
    assert SyncNode.objects.get(name="Lannion2").error == "Lannion2: its Nova could not be reached."
    assert sync()[0] == 0
    assert_clouds_are_the_same(clouds, promoted)


def assert_clouds_are_the_same(lab: Lab, promoted: list[Flavor]) -> None:
    ids = {flavor.flavorid for flavor in promoted}
    ours = [{flavorid: flavor for flavorid, flavor in in_nova(lab, node).items() if flavorid in ids} for node in CLOUDS]
    assert set(ours[0]) == ids
    assert ours[0] == ours[1] == ours[2]


def test_a_cloud_that_stalls_holds_up_no_other(
    clouds: Lab, nodes: list[Infrastructure], promoted: list[Flavor]
) -> None:
    others_done = [Event(), Event()]

    def listen(node: SyncNode, outcome: SyncOutcome | None) -> None:
        if node.name != "Spain2" and outcome is None:
            others_done.pop().set()

    waited_for = list(others_done)
    with NovaProxy(clouds.nova_port("Isengard"), clouds.nova_url("Spain2")) as proxy:
        Infrastructure.objects.filter(name="Spain2").update(nova_url=f"http://127.0.0.1:{proxy.port}/v2.1")
        stall = proxy.plan("GET", "/flavors/detail", before(lambda: [done.wait(30) for done in waited_for], forwarded))
        run = create_run(requested_by="", infrastructures=Infrastructure.objects.all(), repairs=True)
        assert carry_out(run.pk, listen=listen).state == SyncRun.State.IN_SYNC
    assert stall.met == 1
    assert all(done.is_set() for done in waited_for)
    assert_clouds_are_the_same(clouds, promoted)


def test_an_exact_run_takes_what_the_catalogue_does_not_name(
    clouds: Lab, nodes: list[Infrastructure], promoted: list[Flavor]
) -> None:
    put(clouds, "Mordor", promoted[0], extra_specs=SPECS | {"aggregate:own": "gone", "a key: of all.sorts-_": "x"})
    assert sync("--exact", "--node", "Mordor")[0] == 0
    assert in_nova(clouds, "Mordor")["sync-00"]["extra_specs"] == SPECS


def test_an_extra_spec_that_the_catalogue_drops_goes_where_we_had_set_it(
    clouds: Lab, nodes: list[Infrastructure]
) -> None:
    """Spain2's operator had the flavor already; Mordor's adds an extra spec to ours."""
    flavor = make_flavor(flavorid="story", name="story", extra_specs=SPECS)
    put(clouds, "Spain2", flavor)

    def specs() -> dict[str, Any]:
        run = carry_out(create_run(requested_by="test", infrastructures=nodes, repairs=True).pk)
        assert run.state == SyncRun.State.IN_SYNC
        return {node: in_nova(clouds, node)["story"]["extra_specs"] for node in CLOUDS}

    assert specs() == dict.fromkeys(CLOUDS, SPECS)
    own = f"{clouds.nova_url('Mordor')}/flavors/story/os-extra_specs"
    send("POST", own, token=clouds.token(f"{CLOUDS['Mordor']}-admin"), body={"extra_specs": {"aggregate:own": "kept"}})
    remember_dropped(flavor, ["hw:cpu_policy"])
    flavor.extra_specs = left = {key: value for key, value in SPECS.items() if key != "hw:cpu_policy"}
    flavor.save(update_fields=["extra_specs"])
    assert specs() == {"Spain2": SPECS, "Lannion2": left, "Mordor": {**left, "aggregate:own": "kept"}}
