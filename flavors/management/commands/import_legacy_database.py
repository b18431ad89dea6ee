"""`manage.py import_legacy_database`: import a database of flavor-sync 1.0."""

import os
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import CommandError

from flavors.catalogue.legacy import Outcome, UnreadableDatabase, import_legacy_database, read_legacy_database
from flavors.catalogue.outcomes import Came
from flavorsync_project.console import commands
from flavorsync_project.console.commands import UsageError
from flavorsync_project.console.printing import print_json

URL_VARIABLE = "LEGACY_DATABASE_URL"
COUNTED = (Came.CREATED, Came.KNOWN, Came.LEFT_OUT, Came.REFUSED)


class Command(commands.Command):
    """Import the infrastructures, flavors and installations from a database of flavor-sync 1.0."""

    help = (
        "Import a database of flavor-sync 1.0: the infrastructures with their credentials, the public flavors, and "
        "where each is installed. The database is only read, and no cloud is contacted. What is already here stays as "
        "it is, so you can repeat the import. Fails if something could not be imported."
    )
    examples = (
        "LEGACY_DATABASE_URL=mysql://user:password@host/flavorsync ./manage.py import_legacy_database --dry-run",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which database, whether to write at all, and the format."""
        parser.add_argument(
            "--database", metavar="URL",
            help="such as mysql://user@host:3306/flavorsync or sqlite:////path/to/file; put a URL with a password into "
            f"the variable {URL_VARIABLE}, since all users of a machine can see arguments",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="only say what would be imported")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, database: str | None, dry_run: bool, as_json: bool, **options: Any) -> None:
        """Import each row, print each outcome, and fail if one could not be imported."""
        url = database or os.environ.get(URL_VARIABLE)
        if not url:
            raise UsageError(f"Which database? Give --database, or the variable {URL_VARIABLE}.")
        try:
            outcomes = import_legacy_database(database=read_legacy_database(url), dry_run=dry_run)
        except UnreadableDatabase as error:
            raise CommandError(str(error)) from error
        if as_json:
            print_json(self.stdout, [_as_json(outcome) for outcome in outcomes])
        else:
            self._print(outcomes, dry_run=dry_run)
        refused = sum(outcome.came is Came.REFUSED for outcome in outcomes)
        if refused:
            raise CommandError(f"{refused} of {len(outcomes)} could not be imported.")

    def _print(self, outcomes: list[Outcome], *, dry_run: bool) -> None:
        for outcome in outcomes:
            words = outcome.came.in_words(dry_run=dry_run)
            self.stdout.write(
                f"{outcome.kind} {outcome.name}: {words}{': ' + outcome.reason if outcome.reason else ''}"
            )
        counts = Counter(outcome.came for outcome in outcomes)
        self.stdout.write(", ".join(f"{counts[came]} {came}" for came in COUNTED) + ".")


def _as_json(outcome: Outcome) -> dict[str, str]:
    return {"kind": outcome.kind, "name": outcome.name, "outcome": outcome.came, "reason": outcome.reason}
