"""`manage.py dump_catalogue`: the catalogue as a YAML document."""

from argparse import ArgumentParser
from typing import Any

from flavors.catalogue.documents import document_of, write_document
from flavors.models import Flavor
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json


class Command(commands.Command):
    """Print the catalogue as a YAML document that load_catalogue reads."""

    help = (
        "Print the catalogue as a YAML document that load_catalogue reads: every member of every flavor except its "
        "nodes."
    )
    examples = ("./manage.py dump_catalogue > catalogue.yaml",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which flavors, and the format."""
        parser.add_argument("--promoted", action="store_true", help="only the promoted flavors")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON, which is YAML, too")

    def handle(self, *args: Any, promoted: bool, as_json: bool, **options: Any) -> None:
        """Print it; two queries."""
        flavors = (Flavor.objects.promoted() if promoted else Flavor.objects.all()).prefetch_related("grants")
        if as_json:
            print_json(self.stdout, document_of(flavors))
        else:
            self.stdout.write(write_document(flavors), ending="")
