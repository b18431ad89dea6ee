"""`manage.py unregister_infrastructure`: forget a cloud."""

from argparse import ArgumentParser
from typing import Any

from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, refusals_in_one_line
from infrastructures.choosing import find_nodes
from infrastructures.registration import unregister_infrastructure


class Command(commands.Command):
    """Forget a cloud and our credentials for it."""

    help = (
        "Forget a cloud and our credentials for it. The cloud is not contacted. This is refused while a flavor of the "
        "catalogue is installed there."
    )
    examples = ("./manage.py unregister_infrastructure Mordor",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the cloud's name and the format."""
        parser.add_argument("name", help="the cloud's name in the API")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, name: str, as_json: bool, **options: Any) -> None:
        """Unregister the cloud, and say so."""
        with refusals_in_one_line():
            (infrastructure,) = find_nodes([name])
            unregister_infrastructure(infrastructure=infrastructure)
        if as_json:
            print_json(self.stdout, {"name": name, "unregistered": True})
        else:
            self.stdout.write(f"{name}: unregistered.")
