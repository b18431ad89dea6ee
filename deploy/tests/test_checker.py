"""What the checker of the kills finds: each fault that may be left behind is planted once."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from deploy.campaigns import checker
from deploy.campaigns.writers import EXTRA_SPECS, NODES
from deploy.tests.stack import Stack
from lab import seed

SPECS = '{"hw:cpu_policy": "shared"}'
SIZES = {"vcpus": 1, "ram": 2, "disk": 3, "swap": 0}
PROMOTED = {"id": "p", "name": "p.flavor", **SIZES, "promoted": True, "public": True, "nodes": NODES} | {
    "extra_specs": {"hw:cpu_policy": "shared"}
}
PRIVATE = {"id": "rich-0", "name": "rich", **SIZES, "promoted": False, "public": False, "nodes": NODES}
KNOWN = {"p": PROMOTED, "rich-0": PRIVATE}


def in_nova(flavor: Mapping[str, Any], extra_specs: Mapping[str, str]) -> dict[str, Any]:
    return {**{member: flavor[member] for member in checker.SIZES}, "id": flavor["id"], "extra_specs": extra_specs}


@dataclass
class After:
    """What a campaign leaves behind: two Novas, the database's rows, and what the commands say."""

    novas: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {
            node: {
                **{flavor.id: {"id": flavor.id} for flavor in seed.FLAVORS[node]},
                "p": in_nova(PROMOTED, {"hw:cpu_policy": "shared"}),
                "rich-0": in_nova(PRIVATE, deepcopy(EXTRA_SPECS)),
            }
            for node in NODES
        }
    )
    rows_of: dict[str, list[list[str]]] = field(
        default_factory=lambda: {
            checker.OPEN_RUNS: [["0"]],
            checker.OWN_FAILURES: [],
            checker.GIVEN_UP: [["0"]],
            checker.CATALOGUE: [["p", "p.flavor", "1", "2", "3", "0", "1", "1", SPECS, node] for node in NODES],
            checker.REMOVALS: [],
        }
    )

    @property
    def lab(self) -> "After":
        return self

    @property
    def database(self) -> "After":
        return self

    def flavors(self, node: str) -> list[dict[str, Any]]:
        return list(self.novas[node].values())

    def rows(self, query: str) -> list[list[str]]:
        return self.rows_of[query]

    def send(self, *request: Any) -> None:
        """Settle nothing: nothing is open."""

    def manage(self, *arguments: str) -> str:
        return "[]"


def found_in(after: After) -> checker.Findings:
    return checker.check(cast("Stack", after), KNOWN, [])


def test_where_nothing_is_amiss_nothing_is_found() -> None:
    assert str(found_in(After())) == "Lost: 0, half done: 0, wrong: 0"


def gone(after: After) -> None:
    del after.novas["Mordor"]["rich-0"]


def gone_that_was_there_before(after: After) -> None:
    del after.novas["Spain2"]["1"]


def gone_from_the_catalogue(after: After) -> None:
    after.rows_of[checker.CATALOGUE] = []


def as_it_was_before(after: After) -> None:
    after.novas["Mordor"]["p"]["ram"] = 1


def without_an_extra_spec(after: After) -> None:
    after.novas["Spain2"]["rich-0"]["extra_specs"].popitem()


def not_unset_in_a_node(after: After) -> None:
    after.novas["Mordor"]["p"]["extra_specs"]["more"] = "1"


def not_unset_in_the_catalogue(after: After) -> None:
    for row in after.rows_of[checker.CATALOGUE]:
        row[8] = "{}"


def made_and_not_known(after: After) -> None:
    after.novas["Spain2"]["x"] = {"id": "x"}


def recorded_in_one_node_alone(after: After) -> None:
    after.rows_of[checker.CATALOGUE].pop()


def failed_by_itself(after: After) -> None:
    after.rows_of[checker.OWN_FAILURES] = [["Flavor Sync itself failed here; its log says why."]]


@pytest.mark.parametrize(
    ("leave", "counted", "said"),
    [
        (gone, "Lost: 1, half done: 0, wrong: 0", "Mordor has no rich-0"),
        (gone_that_was_there_before, "Lost: 1, half done: 0, wrong: 0", "Spain2 has no 1"),
        (gone_from_the_catalogue, "Lost: 1, half done: 0, wrong: 0", "the catalogue has no p"),
        (as_it_was_before, "Lost: 0, half done: 1, wrong: 0", "Mordor: p: ram is 1 and not 2"),
        (without_an_extra_spec, "Lost: 0, half done: 1, wrong: 0", "Spain2: rich-0: extra_specs are"),
        (not_unset_in_a_node, "Lost: 0, half done: 1, wrong: 0", "Mordor: p: extra_specs are"),
        (not_unset_in_the_catalogue, "Lost: 0, half done: 0, wrong: 1", "the catalogue has {"),
        (made_and_not_known, "Lost: 0, half done: 1, wrong: 0", "Spain2 has x, which nobody knows"),
        (recorded_in_one_node_alone, "Lost: 0, half done: 0, wrong: 1", "the catalogue has {"),
        (failed_by_itself, "Lost: 0, half done: 0, wrong: 1", "a run says: Flavor Sync itself failed"),
    ],
)
def test_what_is_left_behind_is_found(leave: Callable[[After], None], counted: str, said: str) -> None:
    after = After()
    leave(after)
    first, second = str(found_in(after)).splitlines()
    assert first == counted
    assert said in second
