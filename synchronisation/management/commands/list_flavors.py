"""`manage.py list_flavors`: the flavors of the catalogue, or of the clouds."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandError

from flavors.catalogue.comparison import NodeFlavors
from flavors.models import Flavor, Installation
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json, print_table, refusals_in_one_line, yes_or_no
from flavorsync_project.console.words import counted
from infrastructures.choosing import find_nodes
from infrastructures.clouds import Outcome
from infrastructures.models import Infrastructure
from synchronisation.comparing import look_into

SIZES = ("vcpus", "ram", "disk", "swap")
WHOLE = ("name", *SIZES, "ephemeral", "rxtx_factor", "is_public", "description", "extra_specs")
HEADER = ["ID", "NAME", "VCPUS", "RAM", "DISK", "SWAP"]


class Command(commands.Command):
    """List the flavors of the catalogue, or those that the clouds have right now."""

    help = (
        "List the flavors of the catalogue, with the nodes that have each. With --live, ask the clouds that we hold "
        "credentials for, side by side, what they have, including private flavors; what this shows of the catalogue's "
        "flavors is remembered. RAM and swap are in MiB, disk in GiB."
    )
    examples = ("./manage.py list_flavors --live --node Spain2 --json",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the selection and the format."""
        parser.add_argument("--node", help="only those that this node has")
        parser.add_argument("--promoted", action="store_true", help="only the promoted flavors")
        parser.add_argument("--live", action="store_true", help="what the clouds' Novas have right now")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list, with all members")

    def handle(self, *args: Any, node: str | None, promoted: bool, live: bool, as_json: bool, **options: Any) -> None:
        """Print the flavors by name; report the clouds that cannot be asked, and fail if there are any."""
        with refusals_in_one_line():
            named = find_nodes([node]) if node else []
        if not live:
            self._print([*HEADER, "PROMOTED", "PUBLIC", "NODES"], _catalogue(node, promoted), as_json=as_json)
            return
        outcomes = look_into(named or list(Infrastructure.objects.with_credentials()))
        rows = [row for row in _live(outcomes) if row["promoted"] or not promoted]
        self._print(["NODE", *HEADER, "PROMOTED", "PUBLIC"], rows, as_json=as_json)
        failed = [outcome.error for outcome in outcomes if outcome.error]
        for error in failed:
            self.stderr.write(str(error.detail))
        if failed:
            raise CommandError(f"{len(failed)} of {counted(len(outcomes), 'node')} could not be asked.")

    def _print(self, header: list[str], rows: list[dict[str, Any]], *, as_json: bool) -> None:
        if as_json:
            print_json(self.stdout, rows)
            return
        print_table(self.stdout, header, [[_cell(row[column.lower()]) for column in header] for row in rows])
        self.stdout.write(f"{counted(len(rows), 'flavor')}.")


def _catalogue(node: str | None, promoted: bool) -> list[dict[str, Any]]:
    flavors = Flavor.objects.in_state(promoted=promoted or None, node=node).with_nodes()
    return [
        {"id": flavor.flavorid, **_values(flavor), "promoted": flavor.promoted, "public": flavor.public}
        | {"nodes": flavor.nodes}
        for flavor in flavors
    ]


def _live(outcomes: Iterable[Outcome[NodeFlavors]]) -> Iterator[dict[str, Any]]:
    """Yield each cloud's flavors; promoted and public are those of the flavor that the catalogue has under that id."""
    installations = Installation.objects.select_related("flavor")
    known = {
        (installation.infrastructure_id, installation.flavorid): installation.flavor for installation in installations
    }
    for outcome in outcomes:
        for flavor in outcome.result.by_id.values() if outcome.result else ():
            ours = known.get((outcome.infrastructure.pk, flavor.id))
            state = {"promoted": bool(ours and ours.promoted), "public": bool(ours and ours.public)}
            yield {"node": outcome.infrastructure.name, "id": flavor.id, **_values(flavor), **state}


def _values(flavor: Any) -> dict[str, Any]:
    return {member: getattr(flavor, member) for member in WHOLE}


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return yes_or_no(value)
    return ", ".join(value) if isinstance(value, list) else value
