"""`manage.py settle_replacements`: settle the replacements that were cut short."""

import getpass
import json
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from flavorsync_project.console import commands
from flavorsync_project.console.commands import UsageError
from infrastructures.choosing import find_nodes
from infrastructures.clouds import region_of
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.entering import CallersNova
from infrastructures.openstack.errors import CloudError
from infrastructures.replacements.replacing import settle_replacements

TOKEN_VARIABLE = "OS_TOKEN"  # noqa: S105 — the name of a variable, as the openstack client calls it


class Command(commands.Command):
    """List the open replacements and the watched flavors; with a token, settle a region's."""

    help = (
        "List the flavor replacements that were cut short, and the flavors that are watched because the answer to a "
        "change was lost. With --node, settle that region's, with the Keystone token in the environment variable "
        "OS_TOKEN or typed at the terminal."
    )
    examples = ("OS_TOKEN=$(openstack token issue -f value -c id) ./manage.py settle_replacements --node Spain2",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the region, whether to change anything, and the format."""
        parser.add_argument("--node", help="settle the replacements of this region")
        parser.add_argument("--dry-run", action="store_true", help="only list, even with --node")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list of the open ones")

    def handle(self, *args: Any, node: str | None, dry_run: bool, as_json: bool, **options: Any) -> None:
        """Settle, print what is open or watched, and fail if something in the settled region is still open."""
        infrastructure = _find(node) if node else None
        if infrastructure and not dry_run:
            self._settle(infrastructure)
        records = Replacement.objects.select_related("infrastructure")
        still_open = list(records.filter(infrastructure=infrastructure) if infrastructure else records)
        self._print(still_open, as_json=as_json)
        half_way = sum(record.is_half_way for record in still_open)
        if half_way and infrastructure and not dry_run:
            raise CommandError(f"{half_way} still open.")

    def _settle(self, infrastructure: Infrastructure) -> None:
        try:
            settle_replacements(infrastructure=infrastructure, nova=CallersNova(region_of(infrastructure), _token()))
        except CloudError as error:
            raise CommandError(str(error.detail)) from error

    def _print(self, records: list[Replacement], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps([_as_json(record) for record in records]))
            return
        for record in records:
            self.stdout.write(_as_line(record))
        half_way = sum(record.is_half_way for record in records)
        watched = f" {len(records) - half_way} watched." if len(records) > half_way else ""
        self.stdout.write(f"{half_way} open.{watched}")


def _as_line(record: Replacement) -> str:
    names = [flavor["name"] for flavor in (record.old, record.new) if flavor]
    if not record.is_half_way and record.wanted:
        names = [record.wanted.name]
    until = f"until {record.unsure_until:%Y-%m-%d %H:%M:%S} UTC" if record.unsure_until else ""
    parts = [
        str(record.infrastructure),
        record.flavorid,
        " -> ".join(names),
        f"since {record.created_at:%Y-%m-%d %H:%M:%S} UTC",
        record.state,
        "" if record.is_half_way else until,
        record.last_error,
    ]
    return "  ".join(part for part in parts if part)


def _token() -> str:
    token = os.environ.get(TOKEN_VARIABLE)
    if token:
        return token
    missing = UsageError(f"A Keystone token is needed: set {TOKEN_VARIABLE}, or type it at a terminal.")
    if not sys.stdin.isatty():
        raise missing
    try:
        return getpass.getpass("Keystone token: ")
    except EOFError:
        raise missing from None


def _find(node: str) -> Infrastructure:
    (infrastructure,) = find_nodes([node], absent=lambda name: CommandError(f"There is no region {name}."))
    return infrastructure


def _as_json(record: Replacement) -> dict[str, Any]:
    return {
        "node": record.infrastructure.name,
        "id": record.flavorid,
        "old": record.old,
        "new": record.new,
        "goal": record.goal,
        "state": record.state,
        "watched_until": record.unsure_until and record.unsure_until.isoformat(),
        "requested_by": record.requested_by,
        "last_error": record.last_error,
        "created_at": record.created_at.isoformat(),
    }
