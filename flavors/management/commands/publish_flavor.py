"""`manage.py publish_flavor`: put a cloud's flavor into the catalogue."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from flavors.catalogue.importing import import_flavors
from flavors.catalogue.outcomes import Came
from flavors.management.imports import as_document, in_words
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, refusals_in_one_line
from infrastructures.choosing import find_nodes


class Command(commands.Command):
    """Put a flavor of a node's Nova into the catalogue. The node is only read."""

    help = (
        "Put a flavor of a node's Nova into the catalogue, with all its Nova properties. Everybody will see it there. "
        "The node is only read."
    )
    examples = ("./manage.py publish_flavor m1.huge --node Spain2",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which flavor of which node."""
        parser.add_argument("flavor", help="its id, or its name")
        parser.add_argument("--node", required=True, help="the node that has it")
        parser.add_argument("--promote", action="store_true", help="promote it, too")
        parser.add_argument("--dry-run", action="store_true", help="only say whether it could be published")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, flavor: str, node: str, as_json: bool, **options: Any) -> None:
        """Publish it, or say that it already is."""
        with refusals_in_one_line():
            (infrastructure,) = find_nodes([node])
            (taken,) = import_flavors(
                infrastructure=infrastructure,
                wanted=[flavor],
                promote=options["promote"],
                dry_run=options["dry_run"],
            )
        if as_json:
            print_json(self.stdout, as_document(taken))
        elif taken.outcome is not Came.REFUSED:
            self.stdout.write(in_words(taken, dry_run=options["dry_run"]))
        if taken.outcome is Came.REFUSED:
            raise CommandError(f"{taken.name}: {taken.reason}")
