"""`manage.py forget_infrastructure`: forget a cloud that is gone for good."""

from argparse import ArgumentParser
from typing import Any

from flavors.catalogue.recording import forget_infrastructure
from flavorsync_project.console import commands
from flavorsync_project.console.printing import refusals_in_one_line
from flavorsync_project.console.words import counted
from infrastructures.choosing import find_nodes


class Command(commands.Command):
    """Forget a cloud that is gone for good, and all that was installed there."""

    help = (
        "Forget a cloud that is gone for good: what was installed there, replacements that were cut short there, and "
        "our credentials for it. A flavor that no other cloud has leaves the catalogue, unless it is promoted. The "
        "cloud is not contacted. If it still answers, delete the flavors and use unregister_infrastructure instead."
    )
    examples = ("./manage.py forget_infrastructure Mordor --dry-run",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the cloud's name and --dry-run."""
        parser.add_argument("name", help="the cloud's name in the API")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be forgotten")

    def handle(self, *args: Any, name: str, dry_run: bool, **options: Any) -> None:
        """Forget it, and say what went with it."""
        with refusals_in_one_line():
            (infrastructure,) = find_nodes([name])
            forgotten = forget_infrastructure(infrastructure=infrastructure, dry_run=dry_run)
        for flavor in forgotten.leaving:
            self.stdout.write(f"{flavor}: in no other node, leaves the catalogue.")
        for flavor in forgotten.staying:
            self.stdout.write(f"{flavor}: stays in the catalogue.")
        would = "would be " if dry_run else ""
        self.stdout.write(
            f"{name}: {would}forgotten, with {counted(forgotten.installations, 'installation')} "
            f"and {counted(forgotten.replacements, 'open replacement')}."
        )
