"""`manage.py check_infrastructures`: check whether our credentials work in the clouds."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, print_table, refusals_in_one_line, yes_or_no
from infrastructures.choosing import find_nodes_or_all
from infrastructures.models import Check
from infrastructures.readiness import check_and_keep


class Command(commands.Command):
    """Ask each cloud whether our credentials let us manage flavors there."""

    help = (
        "Ask each cloud, side by side, whether it accepts our credentials, where its Nova is, which microversion we "
        "use, and whether our account may create and delete flavors there. Nothing is changed there; the answers are "
        "kept for the admin site. To compare a cloud's flavors with the catalogue, use ./manage.py sync_flavors "
        "--dry-run. Fails if a cloud is not ready."
    )
    examples = ("./manage.py check_infrastructures Spain2 Mordor",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the clouds and the format."""
        parser.add_argument("nodes", nargs="*", metavar="NODE", help="by default all that we hold credentials for")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, nodes: list[str], as_json: bool, **options: Any) -> None:
        """Ask, print each answer, and fail if a cloud is not ready."""
        with refusals_in_one_line():
            infrastructures = find_nodes_or_all(nodes)
        found = check_and_keep(infrastructures)
        if as_json:
            print_json(self.stdout, [_as_json(check) for check in found])
        else:
            self._print(found)
        failed = [check for check in found if check.problem]
        if failed:
            raise CommandError(f"{len(failed)} of {len(found)} not ready.")

    def _print(self, found: list[Check]) -> None:
        print_table(
            self.stdout,
            ["NODE", "ENTERED", "COMPUTE ENDPOINT", "MICROVERSION", "CREATE", "DELETE"],
            [
                (
                    check.infrastructure,
                    yes_or_no(check.authenticated),
                    check.compute_endpoint,
                    check.microversion,
                    yes_or_no(check.may_create_flavors),
                    yes_or_no(check.may_delete_flavors),
                )
                for check in found
            ],
        )
        problems = [check.problem for check in found if check.problem]
        for problem in problems:
            self.stdout.write(problem)
        self.stdout.write(f"{len(found) - len(problems)} of {len(found)} ready.")


def _as_json(check: Check) -> dict[str, Any]:
    return {
        "node": check.infrastructure.name,
        "ready": not check.problem,
        "authenticated": check.authenticated,
        "compute_endpoint": check.compute_endpoint,
        "microversion": check.microversion,
        "may_create_flavors": check.may_create_flavors,
        "may_delete_flavors": check.may_delete_flavors,
        "problem": check.problem,
    }
