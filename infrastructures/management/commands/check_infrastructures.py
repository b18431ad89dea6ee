"""`manage.py check_infrastructures`: whether we can do our work in the clouds."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from infrastructures.management.printing import print_json, print_table, refusals_in_one_line, yes_or_no
from infrastructures.models import Infrastructure
from infrastructures.readiness import Readiness, check_infrastructures
from infrastructures.services import find_infrastructures


class Command(BaseCommand):
    """Ask each cloud whether our credentials let us do our work there."""

    help = (
        "Ask each cloud, side by side, whether our credentials are accepted, where its Nova is, which microversion it "
        "is spoken to in, and whether our account may create and delete flavors there. Nothing is changed there. "
        "Fails when one of them is not ready. Example: manage.py check_infrastructures Spain2 Mordor"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which clouds, and the format."""
        parser.add_argument("nodes", nargs="*", metavar="NODE", help="by default all that we hold credentials for")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, nodes: list[str], as_json: bool, **options: Any) -> None:
        """Ask, print what each answered, and fail when one is not ready."""
        with refusals_in_one_line():
            infrastructures = find_infrastructures(nodes) if nodes else list(Infrastructure.objects.with_credentials())
        found = check_infrastructures(infrastructures)
        if as_json:
            print_json(self.stdout, [_as_json(readiness) for readiness in found])
        else:
            self._print(found)
        failed = [readiness for readiness in found if not readiness.is_ready]
        if failed:
            raise CommandError(f"{len(failed)} of {len(found)} not ready.")

    def _print(self, found: list[Readiness]) -> None:
        print_table(
            self.stdout,
            ["NODE", "ENTERED", "COMPUTE ENDPOINT", "MICROVERSION", "CREATE", "DELETE"],
            [
                (
                    readiness.infrastructure,
                    yes_or_no(readiness.authenticated),
                    readiness.compute_endpoint,
                    readiness.microversion,
                    yes_or_no(readiness.may_create_flavors),
                    yes_or_no(readiness.may_delete_flavors),
                )
                for readiness in found
            ],
        )
        for readiness in found:
            if readiness.problem:
                self.stdout.write(readiness.problem)
        self.stdout.write(f"{sum(readiness.is_ready for readiness in found)} of {len(found)} ready.")


def _as_json(readiness: Readiness) -> dict[str, Any]:
    return {
        "node": readiness.infrastructure.name,
        "ready": readiness.is_ready,
        "authenticated": readiness.authenticated,
        "compute_endpoint": readiness.compute_endpoint,
        "microversion": readiness.microversion,
        "may_create_flavors": readiness.may_create_flavors,
        "may_delete_flavors": readiness.may_delete_flavors,
        "problem": readiness.problem,
    }
