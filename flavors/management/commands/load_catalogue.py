"""`manage.py load_catalogue`: load a document into the catalogue."""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from flavors.catalogue.documents import UnreadableDocument, read_document
from flavors.catalogue.loading import Change, load_catalogue
from flavors.catalogue.outcomes import Came
from flavors.scs import standard
from flavorsync_project.console import commands
from flavorsync_project.console.printing import print_json

COUNTED = (Came.CREATED, Came.UPDATED, Came.KNOWN)


class Command(commands.Command):
    """Create and change flavors of the catalogue as a document says, all of them or none."""

    help = (
        "Create and change flavors of the catalogue as a document says: YAML of dump_catalogue or of the Sovereign "
        "Cloud Stack (mandatory flavors become promoted, recommended ones public), or CSV. If one flavor is wrong, "
        "none is loaded. One node is asked whether Nova accepts new extra specs; no cloud is changed."
    )
    examples = ("./manage.py load_catalogue --dry-run catalogue.yaml", "./manage.py load_catalogue --scs")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the document, whether to write at all, and the format."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("file", nargs="?", help="the document, - for standard input")
        source.add_argument(
            "--scs", action="store_true", help="the standard flavors of scs-0103 v1.1 instead of a file"
        )
        parser.add_argument("--promote-recommended", action="store_true", help="promote the recommended ones, too")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON list")

    def handle(self, *args: Any, file: str | None, as_json: bool, dry_run: bool, **options: Any) -> None:
        """Load it, and print what changed."""
        try:
            text = _read(file) if file else json.dumps(standard.document())
            entries = read_document(text, promote_recommended=options["promote_recommended"])
            changes = load_catalogue(entries=entries, dry_run=dry_run)
        except UnreadableDocument as error:
            raise CommandError(str(error)) from error
        if as_json:
            print_json(self.stdout, [_as_json(change) for change in changes])
            return
        for change in changes:
            if change.came is not Came.KNOWN:
                self.stdout.write(_in_words(change, dry_run=dry_run))
        counts = Counter(change.came for change in changes)
        said = ", ".join(f"{counts[came]} {came.in_words(dry_run=dry_run)}" for came in COUNTED)
        self.stdout.write(f"{said}.")


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None


def _in_words(change: Change, *, dry_run: bool) -> str:
    said = f"{change.name}: {change.came.in_words(dry_run=dry_run)}"
    if change.came is Came.CREATED:
        return f"{said}."
    members = ", ".join(f"{member} {old!r} -> {new!r}" for member, (old, new) in change.members.items())
    return f"{said}: {members}"


def _as_json(change: Change) -> dict[str, Any]:
    members = {member: {"from": old, "to": new} for member, (old, new) in change.members.items()}
    return {"id": change.flavorid, "name": change.name, "outcome": change.came, "members": members}
