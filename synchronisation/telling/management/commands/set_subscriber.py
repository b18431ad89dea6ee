"""`manage.py set_subscriber`: add, change or remove a receiver of webhooks, or an e-mail address."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from flavorsync_project.console import commands
from flavorsync_project.console.commands import UsageError
from flavorsync_project.console.printing import print_json, refusals_in_one_line
from flavorsync_project.console.words import counted
from infrastructures.choosing import find_nodes
from synchronisation.telling.models import Kind
from synchronisation.telling.subscribing import Written, remove_subscriber, set_subscriber

FROM_INPUT = "-"


class Command(commands.Command):
    """Add, change or remove a subscriber. It is sent nothing: see `list_subscribers --test`."""

    help = (
        "Add a receiver of webhooks or an e-mail address that is told what happens, or change or remove it. What is "
        "not given stays as it is; a new subscriber is told everything. The secret of a new webhook is printed once. "
        "Nothing is sent; see list_subscribers --test."
    )
    examples = (
        "./manage.py set_subscriber operators --email operators@example.org --kind node.gone --kind node.back",
        "./manage.py set_subscriber chat --url -",
        "./manage.py set_subscriber chat --remove",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subscriber, where its events go, and which it wants."""
        parser.add_argument("name", help="the subscriber's name")
        way = parser.add_mutually_exclusive_group()
        way.add_argument(
            "--url", metavar="URL", help="the URL of its webhook; - reads it from standard input, or asks for it at a "
            "terminal, for one that holds a secret",
        )  # fmt: skip
        way.add_argument("--email", metavar="ADDRESS", help="the address that its events are mailed to")
        kinds = parser.add_mutually_exclusive_group()
        kinds.add_argument(
            "--kind", dest="kinds", action="append", choices=Kind.values, metavar="KIND",
            help=f"a kind of event that it is told, instead of those so far; may be given several times: "
            f"{', '.join(Kind.values)}",
        )  # fmt: skip
        kinds.add_argument("--every-kind", action="store_true", help="it is told events of every kind")
        nodes = parser.add_mutually_exclusive_group()
        nodes.add_argument(
            "--node", dest="nodes", action="append", metavar="NODE",
            help="a node that it is told of, instead of those so far; may be given several times",
        )  # fmt: skip
        nodes.add_argument("--every-node", action="store_true", help="it is told of every node")
        active = parser.add_mutually_exclusive_group()
        active.add_argument("--pause", dest="active", action="store_false", default=None, help="it is told nothing")
        active.add_argument("--resume", dest="active", action="store_true", default=None, help="it is told again")
        parser.add_argument("--new-secret", action="store_true", help="make a new secret for its webhook, and print it")
        parser.add_argument("--remove", action="store_true", help="remove it, with what it has yet to be told")
        parser.add_argument("--json", dest="as_json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, name: str, remove: bool, as_json: bool, **options: Any) -> None:
        """Write or remove the subscriber, and say so.

        Raises:
            CommandError: a value is refused, or there is no such node or subscriber.
        """
        given = _given(options)
        if remove and (given or options["new_secret"]):
            raise UsageError("--remove goes with no other option than --json.")
        if not (remove or given or options["new_secret"]):
            raise UsageError("Nothing was given to set: give an option, such as --email ADDRESS or --pause.")
        with refusals_in_one_line():
            told, lines = _removed(name) if remove else _written(name, given, renews_secret=options["new_secret"])
        if as_json:
            print_json(self.stdout, told)
        else:
            self.stdout.write("\n".join(lines))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be written, by member, with the names of nodes."""
    given = {member: options[member] for member in ("email", "active", "kinds", "nodes") if options[member] is not None}
    if options["url"] is not None:
        given["url"] = _url(options["url"])
    for member in ("kind", "node"):
        if options[f"every_{member}"]:
            given[f"{member}s"] = []
    return given


def _url(given: str) -> str:
    if given != FROM_INPUT:
        if "?" in given:  # everybody on this machine sees what is typed here
            raise UsageError("A URL with a query may hold a secret: give it at the prompt or the input of --url -.")
        return given
    url = getpass.getpass("URL: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not url.strip():
        raise CommandError("No URL was given at the prompt or the input of --url -.")
    return url.strip()


def _written(name: str, given: dict[str, Any], *, renews_secret: bool) -> tuple[dict[str, Any], list[str]]:
    nodes = None if "nodes" not in given else find_nodes(given["nodes"])
    values = {member: value for member, value in given.items() if member != "nodes"}
    written = set_subscriber(name=name, values=values, nodes=nodes, renews_secret=renews_secret)
    lines = [f"{name}: {'added' if written.is_new else 'changed'}."]
    if written.secret:
        lines.append(f"The secret of its webhook, shown this once: {written.secret}")
    return _as_json(written), lines


def _as_json(written: Written) -> dict[str, Any]:
    subscriber = written.subscriber
    return {
        "name": subscriber.name,
        "created": written.is_new,
        "webhook": bool(subscriber.url),
        "active": subscriber.active,
        "kinds": subscriber.kinds,
        "nodes": [node.name for node in subscriber.nodes.all()],
        "secret": written.secret or None,
    }


def _removed(name: str) -> tuple[dict[str, Any], list[str]]:
    pending = remove_subscriber(name=name)
    left = f", with {counted(pending, 'event')} that it was not told" if pending else ""
    return {"name": name, "removed": True, "pending": pending}, [f"{name}: removed{left}."]
