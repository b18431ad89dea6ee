"""`manage.py promote_flavor`: promote flavors of the catalogue."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rest_framework.exceptions import APIException

from flavors.catalogue.services import find_in_catalogue, promote
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json


class Command(commands.Command):
    """Promote flavors of the catalogue. No cloud is contacted."""

    help = (
        "Promote public flavors of the catalogue: every node should have them. No cloud is contacted; the "
        "synchronisation brings them there."
    )
    examples = ("./manage.py promote_flavor m1.small m1.large",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which flavors, and the format."""
        parser.add_argument("flavors", nargs="+", metavar="FLAVOR", help="its id, or its name")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, flavors: list[str], as_json: bool, **options: Any) -> None:
        """Promote each flavor, and fail if one cannot be promoted."""
        rows = [_promoted(wanted) for wanted in flavors]
        if as_json:
            print_json(self.stdout, rows)
        else:
            for row in rows:
                self.stdout.write(f"{row['flavor']}: {row['reason'] or row['outcome'] + '.'}")
        failed = [row for row in rows if row["outcome"] == "refused"]
        if failed:
            raise CommandError(f"{len(failed)} of {len(rows)} could not be promoted.")


def _promoted(wanted: str) -> dict[str, str]:
    try:
        flavor = find_in_catalogue(wanted)
        if flavor.promoted:
            return {"flavor": wanted, "outcome": "already promoted", "reason": ""}
        promote(flavor=flavor)
    except APIException as error:
        return {"flavor": wanted, "outcome": "refused", "reason": str(error.detail)}
    return {"flavor": wanted, "outcome": "promoted", "reason": ""}
