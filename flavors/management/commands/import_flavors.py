"""`manage.py import_flavors`: import a cloud's flavors into the catalogue."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import CommandError

from flavors.catalogue.importing import Import, import_flavors
from flavors.catalogue.outcomes import Came
from flavors.management.imports import as_document, in_words
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, refusals_in_one_line
from infrastructures.choosing import find_nodes

COUNTED = (Came.PUBLISHED, Came.ADOPTED, Came.KNOWN, Came.LEFT_OUT, Came.REFUSED)


class Command(commands.Command):
    """Import a node's flavors into the catalogue. The node is only read."""

    help = (
        "Import a node's flavors into the catalogue: all that are open to every project there, or those that you name. "
        "A flavor that the catalogue has with the same values is recorded as installed there. The node is only read. "
        "Fails if a flavor could not be imported."
    )
    examples = ("./manage.py import_flavors --from Spain2 --dry-run",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which flavors of which node."""
        parser.add_argument("flavors", nargs="*", metavar="FLAVOR", help="ids or names")
        parser.add_argument("--from", dest="node", required=True, metavar="NODE", help="the node that has them")
        parser.add_argument("--promote", action="store_true", help="promote them, too")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be imported")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, flavors: list[str], node: str, as_json: bool, **options: Any) -> None:
        """Import each flavor, print each outcome, and fail if one could not be imported."""
        dry_run = options["dry_run"]
        taken: list[Import] = []
        try:
            with refusals_in_one_line():
                (infrastructure,) = find_nodes([node])
                for one in import_flavors(
                    infrastructure=infrastructure, wanted=flavors, promote=options["promote"], dry_run=dry_run
                ):
                    taken.append(one)
                    if not as_json:
                        self.stdout.write(in_words(one, dry_run=dry_run))
        finally:
            if as_json:
                print_json(self.stdout, [as_document(one) for one in taken])
        counts = Counter(one.outcome for one in taken)
        if not as_json:
            self.stdout.write(", ".join(f"{counts[outcome]} {outcome}" for outcome in COUNTED) + ".")
        if refused := counts[Came.REFUSED]:
            raise CommandError(f"{refused} of {len(taken)} could not be imported.")
