"""`manage.py list_infrastructures`: list the registered clouds."""

from argparse import ArgumentParser
from typing import Any

from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, print_table, yes_or_no
from flavorsync_project.console.words import counted
from infrastructures.models import Infrastructure


class Command(commands.Command):
    """List the registered clouds, without our credentials."""

    help = "List the registered clouds, and whether we hold credentials for each. Credentials are never shown."
    examples = ("./manage.py list_infrastructures --json",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the format."""
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        """Print the clouds by name. Two queries."""
        rows = [_row(infrastructure) for infrastructure in Infrastructure.objects.prefetch_related("operators")]
        if as_json:
            print_json(self.stdout, rows)
            return
        print_table(
            self.stdout, ["NODE", "REGION", "KEYSTONE", "CREDENTIALS", "OPERATORS"], [_cells(row) for row in rows]
        )
        self.stdout.write(f"{counted(len(rows), 'node')}.")


def _row(infrastructure: Infrastructure) -> dict[str, Any]:
    return {
        "name": infrastructure.name,
        "region": infrastructure.region_name,
        "keystone_url": infrastructure.effective_keystone_url,
        "nova_url": infrastructure.nova_url,
        "credentials": infrastructure.has_credentials,
        "operators": [operator.get_username() for operator in infrastructure.operators.all()],
        "registered_by": infrastructure.registered_by,
        "created_at": infrastructure.created_at.isoformat(),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    credentials, operators = yes_or_no(row["credentials"]), ", ".join(row["operators"])
    return [row["name"], row["region"], row["keystone_url"], credentials, operators]
