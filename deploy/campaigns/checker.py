"""Checks all flavors: asks the database and the Novas directly, and compares them with what the writers know."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.campaigns.writers import EXTRA_SPECS, NODES, Resizer
from deploy.tests.load import OPERATOR, Flavor
from deploy.tests.stack import Stack, until
from lab import seed

MAY_BE_OPEN = 240
"""Seconds within which all interrupted work must be finished, once the kills have stopped."""
SIZES = ("name", "vcpus", "ram", "disk", "swap")
OPEN_RUNS = "SELECT COUNT(*) FROM flavors_syncrun WHERE state IN ('waiting', 'running')"
OWN_FAILURES = "SELECT DISTINCT error FROM flavors_syncnode WHERE error LIKE 'Flavor Sync itself%'"
REMOVALS = "SELECT flavorid FROM flavors_removal"
GIVEN_UP = "SELECT COUNT(DISTINCT run_id) FROM flavors_syncnode WHERE error LIKE 'The run was cut short%'"
CATALOGUE = (
    "SELECT f.flavorid, f.name, f.vcpus, f.ram, f.disk, f.swap, f.promoted, f.public, f.extra_specs, c.name "
    "FROM flavors_flavor f LEFT JOIN flavors_installation i ON i.flavor_id = f.id "
    "LEFT JOIN infrastructures_infrastructure c ON c.id = i.infrastructure_id"
)


@dataclass
class Findings:
    """Everything that the check has found wrong."""

    lost: list[str] = field(default_factory=list)
    half_done: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    given_up: int = 0

    def __str__(self) -> str:
        counted = f"Lost: {len(self.lost)}, half done: {len(self.half_done)}, wrong: {len(self.wrong)}"
        return "\n".join([counted, *(f"  {each}" for each in (*self.lost, *self.half_done, *self.wrong))])

    def __bool__(self) -> bool:
        return bool(self.lost or self.half_done or self.wrong)


def check(stack: Stack, known: Mapping[str, Flavor], complaints: list[str]) -> Findings:
    """Wait until interrupted runs have ended, synchronise until nothing is left to do, and compare everything."""
    findings = Findings(wrong=list(complaints))
    try:
        until(lambda: stack.database.rows(OPEN_RUNS) == [["0"]], "all runs have ended", seconds=MAY_BE_OPEN)
        stack.manage("sync_flavors", "--replace")
        until(lambda: _journal(stack) == "[]", "the journal is empty", seconds=MAY_BE_OPEN)
        until(lambda: _is_removed(stack), "what was deleted is gone from the nodes", seconds=MAY_BE_OPEN)
    except AssertionError as error:
        findings.half_done.append(str(error))
    findings.wrong += [f"a run says: {error}" for (error,) in stack.database.rows(OWN_FAILURES)]
    findings.given_up = int(stack.database.rows(GIVEN_UP)[0][0])
    for node in NODES:
        _compare_node(node, stack, known, findings)
    _compare_catalogue(_catalogue(stack), known, findings)
    return findings


def _journal(stack: Stack) -> str:
    stack.send("GET", "/v1/flavors", OPERATOR)  # every contact with a node settles interrupted replacements there
    return stack.manage("settle_replacements", "--json").strip()


def _is_removed(stack: Stack) -> bool:
    """Say whether deleted flavors have left all nodes; if not, carry out a run that removes them."""
    if not stack.database.rows(REMOVALS):
        return True
    stack.manage("sync_flavors", "--replace")
    return False


def _compare_node(node: str, stack: Stack, known: Mapping[str, Flavor], findings: Findings) -> None:
    seeded = {flavor.id: flavor.extra_specs for flavor in seed.FLAVORS[node]}
    has = {flavor["id"]: flavor for flavor in stack.lab.flavors(node)}
    wanted = {id: flavor for id, flavor in known.items() if node in flavor["nodes"]}
    findings.lost += [f"{node} has no {id}" for id in sorted({*seeded, *wanted} - has.keys())]
    findings.half_done += [f"{node} has {id}, which nobody knows" for id in sorted(has.keys() - {*seeded, *wanted})]
    for id, flavor in wanted.items():
        if id in has:
            findings.half_done += [f"{node}: {id}: {what}" for what in _differences(has[id], flavor)]


def _differences(has: Mapping[str, Any], wanted: Flavor) -> Iterator[str]:
    for member in SIZES:
        if (has[member] or 0) != wanted[member]:
            yield f"{member} is {has[member]} and not {wanted[member]}"
    specs = EXTRA_SPECS if wanted["id"] in Resizer.names else wanted.get("extra_specs", {})
    if has["extra_specs"] != specs:
        yield f"extra_specs are {has['extra_specs']} and not {specs}"


def _compare_catalogue(catalogue: Mapping[str, Flavor], known: Mapping[str, Flavor], findings: Findings) -> None:
    published = {id: flavor for id, flavor in known.items() if flavor["public"]}
    findings.lost += [f"the catalogue has no {id}" for id in sorted(published.keys() - catalogue.keys())]
    findings.half_done += [
        f"the catalogue has {id}, which nobody knows" for id in sorted(catalogue.keys() - published.keys())
    ]
    findings.wrong += [
        f"the catalogue has {catalogue[id]} and not {flavor}"
        for id, flavor in published.items()
        if id in catalogue and catalogue[id] != {"extra_specs": {}} | flavor | {"nodes": sorted(flavor["nodes"])}
    ]


def _catalogue(stack: Stack) -> dict[str, Flavor]:
    """Read the catalogue directly from the database."""
    catalogue: dict[str, Flavor] = {}
    for id, name, vcpus, ram, disk, swap, promoted, public, specs, node in stack.database.rows(CATALOGUE):
        sizes = {"vcpus": int(vcpus), "ram": int(ram), "disk": int(disk), "swap": int(swap)}
        marks = {"promoted": promoted == "1", "public": public == "1", "extra_specs": json.loads(specs)}
        flavor = catalogue.setdefault(id, {"id": id, "name": name, **sizes, **marks, "nodes": []})
        flavor["nodes"] = sorted([*flavor["nodes"], *([] if node == "NULL" else [node])])
    return catalogue
