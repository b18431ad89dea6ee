"""`manage.py retire_flavor`: have promoted flavors leave the nodes and then the catalogue."""

import getpass
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import APIException

from flavors.catalogue import retiring
from flavors.catalogue.services import find_in_catalogue
from flavorsync_project.console import commands
from flavorsync_project.console.commands import UsageError
from flavorsync_project.console.printing import print_json


class Command(commands.Command):
    """Retire promoted flavors, or keep them after all. No cloud is contacted."""

    help = (
        "Retire promoted flavors: they leave the nodes where a synchronisation has made them, and then the catalogue. "
        "Where a flavor was changed, or servers use it, it stays until that ends, or until you use --force. No cloud "
        "is contacted; the synchronisation does the work."
    )
    examples = (
        "./manage.py retire_flavor m1.old --at 2027-01-01T00:00:00Z",
        "./manage.py retire_flavor m1.old --keep",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which flavors, from when, and the format."""
        parser.add_argument("flavors", nargs="+", metavar="FLAVOR", help="its id, or its name")
        parser.add_argument("--at", metavar="TIME", help="from when, in ISO 8601 (by default now)")
        parser.add_argument("--force", action="store_true", help="also where it was changed or servers use it")
        parser.add_argument("--keep", action="store_true", help="keep it after all")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(
        self, *args: Any, flavors: list[str], at: str | None, force: bool, keep: bool, as_json: bool, **options: Any
    ) -> None:
        """Retire each flavor, and fail if one cannot be retired."""
        if keep and (at or force):
            raise UsageError("--keep goes with neither --at nor --force.")
        when = _parsed(at)
        rows = [_kept(wanted) if keep else _retired(wanted, when, force=force) for wanted in flavors]
        if as_json:
            print_json(self.stdout, rows)
        else:
            for row in rows:
                self.stdout.write(f"{row['flavor']}: {row['reason'] or row['outcome'] + '.'}")
        if failed := sum(row["outcome"] == "refused" for row in rows):
            raise CommandError(f"{failed} of {len(rows)} could not be {'kept' if keep else 'retired'}.")


def _parsed(at: str | None) -> datetime | None:
    if at is None:
        return None
    try:
        when = parse_datetime(at)
    except ValueError:
        when = None
    if when is None:
        raise UsageError(f"--at: {at} is no time in ISO 8601, such as 2027-01-01T00:00:00Z.")
    return when if timezone.is_aware(when) else timezone.make_aware(when)


def _retired(wanted: str, at: datetime | None, *, force: bool) -> dict[str, str]:
    try:
        retirement = retiring.retire(
            flavor=find_in_catalogue(wanted), requested_by=getpass.getuser(), at=at, forced=force or None
        )
    except APIException as error:
        return {"flavor": wanted, "outcome": "refused", "reason": str(error.detail)}
    return {"flavor": wanted, "outcome": f"retired from {retirement.retire_at:%Y-%m-%d %H:%M} UTC on", "reason": ""}


def _kept(wanted: str) -> dict[str, str]:
    try:
        retiring.keep(flavor=find_in_catalogue(wanted))
    except APIException as error:
        return {"flavor": wanted, "outcome": "refused", "reason": str(error.detail)}
    return {"flavor": wanted, "outcome": "kept", "reason": ""}
