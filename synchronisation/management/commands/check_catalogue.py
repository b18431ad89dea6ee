"""`manage.py check_catalogue --scs`: whether the catalogue and the nodes comply with a standard."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandError

from flavors.scs.standard import MANDATORY, RECOMMENDED, Verdict
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, print_table, refusals_in_one_line
from flavorsync_project.console.words import counted
from infrastructures.choosing import find_nodes
from infrastructures.clouds import Outcome
from infrastructures.models import Infrastructure
from synchronisation import standards
from synchronisation.comparing import look_into

CATALOGUE = "the catalogue"
HEADER = ["WHERE", "SCS-0100 NAMES", "SCS-0103 MANDATORY", "RECOMMENDED"]


class Command(commands.Command):
    """Check the promoted flavors, and the flavors that the nodes have."""

    help = (
        "Say what the promoted flavors, and the public flavors of each node, meet of the standards of the Sovereign "
        "Cloud Stack: scs-0100 v3 (names) and scs-0103 v1.1 (mandatory and recommended flavors), with the verdicts of "
        "the standard's own tests. The nodes are asked side by side. Exit status 0 if the catalogue and all nodes "
        "comply, 1 if not or if a node could not be asked."
    )
    examples = (
        "./manage.py check_catalogue --scs",
        "./manage.py check_catalogue --scs --explain --node Spain2",
        "./manage.py check_catalogue --scs --offline --json",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the standard, what to check, and the format."""
        parser.add_argument("--scs", action="store_true", required=True, help="the standard: Sovereign Cloud Stack")
        parser.add_argument("--node", action="append", default=[], help="ask only this node; may be repeated")
        parser.add_argument("--offline", action="store_true", help="ask no node")
        parser.add_argument("--explain", action="store_true", help="also print every SCS name in words")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON object, by place")

    def handle(self, *args: Any, node: list[str], offline: bool, explain: bool, as_json: bool, **options: Any) -> None:
        """Print a table, then every violation by place; fail if anything does not comply."""
        with refusals_in_one_line():
            nodes = find_nodes(node) if node else list(Infrastructure.objects.with_credentials())
        verdicts = {CATALOGUE: standards.of_catalogue()}
        outcomes = [] if offline else look_into(nodes)
        verdicts |= dict(_of_nodes(outcomes))
        if as_json:
            print_json(self.stdout, {place: _as_json(verdict) for place, verdict in verdicts.items()})
        else:
            print_table(
                self.stdout, HEADER, [[place, *standards.figures(verdict)] for place, verdict in verdicts.items()]
            )
            for place, verdict in verdicts.items():
                for line in [*(_names(verdict) if explain else ()), *_wrong(verdict)]:
                    self.stdout.write(f"{place}: {line}")
        self._fail_if_any(verdicts, outcomes)

    def _fail_if_any(self, verdicts: dict[str, Verdict], outcomes: Iterable[Outcome[Any]]) -> None:
        silent = [outcome.error for outcome in outcomes if outcome.error]
        for error in silent:
            self.stderr.write(str(error.detail))
        failing = sum(not (verdict.keeps_names and verdict.has_mandatory) for verdict in verdicts.values())
        said = [f"{failing} of {len(verdicts)} do not comply"] if failing else []
        said += [f"{counted(len(silent), 'node')} could not be asked"] if silent else []
        if said:
            raise CommandError(f"{' and '.join(said)}.")


def _of_nodes(outcomes: Iterable[Outcome[Any]]) -> Iterator[tuple[str, Verdict]]:
    """Yield a verdict for each node that responded."""
    for outcome in outcomes:
        if outcome.result:
            yield outcome.infrastructure.name, standards.of_node(outcome.result)


def _names(verdict: Verdict) -> Iterator[str]:
    for name, words in sorted(verdict.names.items()):
        yield f"{name}: {words}"


def _wrong(verdict: Verdict) -> Iterator[str]:
    for name, problem in sorted(verdict.wrong_names.items()):
        yield f"{name} is no SCS name: {problem}"
    for name, problems in sorted(verdict.broken_promises.items()):
        yield f"{name} has less than it promises: {'; '.join(problems)}"
    for name in MANDATORY:
        if problems := verdict.standard[name]:
            yield f"{name} is mandatory: {'; '.join(problems)}"
    for name in RECOMMENDED:
        if (problems := verdict.standard[name]) and problems != ["missing"]:
            yield f"{name} is recommended: {'; '.join(problems)}"


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "scs-0100": verdict.keeps_names,
        "scs-0103": verdict.has_mandatory,
        "recommended": verdict.recommended,
        "names": verdict.names,
        "wrong_names": verdict.wrong_names,
        "broken_promises": verdict.broken_promises,
        "standard_flavors": verdict.standard,
    }
