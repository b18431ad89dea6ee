"""`manage.py install_flavor`: make a flavor of the catalogue exist in nodes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from flavors.catalogue.outcomes import Came
from flavors.catalogue.services import find_in_catalogue
from flavors.lifecycle.installing import install_flavor, preview_installation
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, refusals_in_one_line
from flavorsync_project.console.words import counted
from infrastructures.choosing import find_nodes_or_all
from infrastructures.clouds import Outcome


class Command(commands.Command):
    """Install a flavor of the catalogue in nodes."""

    help = (
        "Install a flavor of the catalogue in nodes, with all its Nova properties. A node that already has it, under "
        "the same id and with the same values, keeps it, and the catalogue records it there. Every node is asked. "
        "Fails if one of the nodes fails; it is installed in the others all the same."
    )
    examples = ("./manage.py install_flavor m1.huge --node Lannion2 --node Mordor",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which flavor, and in which nodes."""
        parser.add_argument("flavor", help="its id, or its name")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--node", dest="nodes", action="append", default=[], help="may be given several times")
        which.add_argument("--everywhere", action="store_true", help="in all nodes that we hold credentials for")
        parser.add_argument("--dry-run", action="store_true", help="only read, and say what would happen")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, flavor: str, nodes: list[str], as_json: bool, dry_run: bool, **options: Any) -> None:
        """Install it, print the outcome in each node, and fail if one failed."""
        with refusals_in_one_line():
            found = find_in_catalogue(flavor)
            infrastructures = find_nodes_or_all(nodes)
            work = preview_installation if dry_run else install_flavor
            outcomes = work(flavor=found, infrastructures=infrastructures)
        rows = [_row(outcome) for outcome in outcomes]
        if as_json:
            print_json(self.stdout, rows)
        else:
            for outcome in outcomes:
                self.stdout.write(_in_words(outcome, dry_run=dry_run))
        failed = sum(outcome.error is not None for outcome in outcomes)
        if failed:
            raise CommandError(f"{failed} of {counted(len(rows), 'node')} failed.")


def _in_words(outcome: Outcome[Came], *, dry_run: bool) -> str:
    if outcome.error:
        return str(outcome.error.detail)
    came = outcome.result or Came.FAILED
    words = "already installed" if came is Came.KNOWN else came.in_words(dry_run=dry_run)
    return f"{outcome.infrastructure.name}: {words}."


def _row(outcome: Outcome[Came]) -> dict[str, str]:
    node = outcome.infrastructure.name
    if outcome.error:
        return {"node": node, "outcome": Came.FAILED, "reason": str(outcome.error.detail)}
    return {"node": node, "outcome": str(outcome.result), "reason": ""}
