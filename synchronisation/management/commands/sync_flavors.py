"""`manage.py sync_flavors`: bring every promoted flavor to every node, or say what is missing."""

import getpass
import json
import os
import sys
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.db import Error
from django.db.models import Q
from django.template.defaultfilters import pluralize
from tqdm import tqdm

from flavors.models import Flavor
from flavorsync_project.api.errors import Conflict
from flavorsync_project.console import commands
from flavorsync_project.console.words import counted
from infrastructures.choosing import find_nodes_or_all
from infrastructures.commits import is_lost
from synchronisation.history import nodes_in_full, outcomes_of
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.repairing import Listener
from synchronisation.running import cancel_run, carry_out, create_run

IN_SYNC, FAILED, DRIFT = 0, 1, 2
NO_NODES = "There is no node that we have credentials for, so there is nothing to compare."
# The words for completed actions in the summary
DONE = {
    SyncOutcome.Action.CREATE: "created",
    SyncOutcome.Action.UPDATE: "updated",
    SyncOutcome.Action.REPLACE: "replaced",
    SyncOutcome.Action.ADOPT: "adopted",
}
EXIT_STATUS = {SyncRun.State.IN_SYNC: IN_SYNC, SyncRun.State.DRIFT: DRIFT}


class Command(commands.Command):
    """Carry out a synchronisation run in this process, and print its outcomes."""

    help = (
        "Compare the promoted flavors with what every node has, and repair what is not in sync. The run is kept.\n\n"
        "Exit status: 0 in sync, 2 drift found (by a dry run) or left (as what would need --replace), "
        "1 something failed, 64 wrong arguments."
    )
    examples = (
        "./manage.py sync_flavors --dry-run",
        "./manage.py sync_flavors --node Spain2 --node Mordor",
        "./manage.py sync_flavors --flavor m1.tiny --replace --json",
        "./manage.py sync_flavors --cancel 12",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what to compare, what may be done, and the format."""
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--node", dest="nodes", action="append", default=[], help="this node only (may be given several times)"
        )
        parser.add_argument(
            "--flavor",
            dest="flavors",
            action="append",
            default=[],
            help="this promoted flavor only, by id or by name (may be given several times)",
        )
        parser.add_argument(
            "--replace", action="store_true", help="delete and create again what Nova cannot change in place"
        )
        parser.add_argument("--exact", action="store_true", help="remove extra specs that the catalogue does not name")
        parser.add_argument(
            "--cancel",
            type=int,
            metavar="RUN",
            help="cancel this run, whoever carries it out, and do nothing else",
        )
        parser.add_argument("--json", dest="as_json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *,
        dry_run: bool,
        nodes: list[str],
        flavors: list[str],
        replace: bool,
        exact: bool,
        cancel: int | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        """Carry out the run, print it, and exit with the status of its final state."""
        if cancel is not None:
            self._cancel(cancel)
            return
        infrastructures = find_nodes_or_all(nodes, absent=lambda names: CommandError(f"There is no node {names}."))
        if not infrastructures:
            self.stderr.write(f"{NO_NODES} The command register_infrastructure registers one.")
        chosen = [chosen_flavor(flavor).flavorid for flavor in flavors]
        run = create_run(
            requested_by=_requested_by(),
            infrastructures=infrastructures,
            flavorids=chosen,
            repairs=not dry_run,
            replaces=replace,
            exact=exact,
        )
        try:
            with _progress(len(infrastructures), len(chosen) or Flavor.objects.wanted_in_nodes().count()) as listen:
                run = carry_out(run.pk, listen=listen)
        except Error as error:
            if not is_lost(error):
                raise
            raise CommandError(
                f"The connection to the database was lost. Run {run.pk} stays open: the scheduler will finish it."
            ) from error
        ended = nodes_in_full(run)
        self._print_json(run, ended) if as_json else self._print(run, ended)
        if status := EXIT_STATUS.get(SyncRun.State(run.state), FAILED):
            sys.exit(status)

    def _cancel(self, number: int) -> None:
        run = SyncRun.objects.filter(pk=number).first()
        if run is None:
            raise CommandError(f"There is no run {number}.")
        try:
            cancel_run(run, requested_by=_requested_by())
        except Conflict as error:
            raise CommandError(str(error.detail)) from error
        run.refresh_from_db()
        ends = "" if run.finished_at else ": it stops after the steps that its workers are at"
        self.stdout.write(f"Run {number} is cancelled{ends}.")

    def _print(self, run: SyncRun, nodes: Sequence[SyncNode]) -> None:
        for node in nodes:
            if node.error:
                self.stdout.write(
                    node.error if node.error.startswith(f"{node.name}: ") else f"{node.name}: {node.error}"
                )
            for outcome in outcomes_of(node):
                if outcome.action != SyncOutcome.Action.NOTHING and outcome.state != SyncOutcome.State.UNREACHABLE:
                    self.stdout.write(f"{node.name}: {outcome.name}: {_told(outcome)}")
        counts = ", ".join(f"{count} {label}" for label, count in _counts(nodes).items() if count)
        self.stdout.write(
            f"Run {run.pk}: {run.get_state_display()}; {counted(len(nodes), 'node')}; {counts or 'no flavors'}."
        )

    def _print_json(self, run: SyncRun, nodes: Sequence[SyncNode]) -> None:
        document = {
            "id": run.pk,
            "state": run.state,
            "dry_run": not run.repairs,
            "nodes": [
                {
                    "name": node.name,
                    "state": node.state,
                    "error": node.error,
                    "outcomes": [_as_json(outcome) for outcome in outcomes_of(node)],
                }
                for node in nodes
            ],
        }
        self.stdout.write(json.dumps(document, indent=2))


def chosen_flavor(name: str) -> Flavor:
    """Return the promoted flavor with this id or, if there is none, with this name.

    Raises:
        CommandError: there is none.
    """
    flavors = list(Flavor.objects.promoted().filter(Q(flavorid=name) | Q(name=name)))
    if not flavors:
        raise CommandError(f"There is no promoted flavor {name}.")
    return min(flavors, key=lambda flavor: flavor.flavorid != name)


def _requested_by() -> str:
    """Return the user who runs the command; in a container that may be a uid without a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the former before Python 3.13
        user = str(os.getuid())
    return f"{user} (command line)"


@contextmanager
def _progress(nodes: int, flavors: int) -> Iterator[Listener]:
    """Show on a terminal how many flavors are done, of *flavors* in each node; show nothing elsewhere."""
    left: defaultdict[int, int] = defaultdict(lambda: flavors)
    with tqdm(total=nodes * flavors, unit="flavor", disable=None, leave=False) as bar:

        def listen(node: SyncNode, outcome: SyncOutcome | None) -> None:
            # A node that has ended will not get to its remaining flavors: they count as done.
            done = left[node.pk] if outcome is None else 1
            left[node.pk] -= done
            bar.update(done)
            bar.set_postfix_str(f"{node.name}: {outcome.name}" if outcome else node.name)

        yield listen


def _told(outcome: SyncOutcome) -> str:
    told = outcome.get_state_display()
    if outcome.differences:
        told += f" ({', '.join(_difference(difference) for difference in outcome.differences)})"
    told += f" -> {outcome.get_action_display()}"
    if outcome.servers is not None:
        told += f" ({counted(outcome.servers, 'server')} use{pluralize(outcome.servers, 's,')} it)"
    if outcome.result:
        told += f": {outcome.get_result_display()}"
    return f"{told}: {outcome.reason}" if outcome.reason else told


def _difference(difference: dict[str, Any]) -> str:
    node, catalogue = (
        "none" if difference[side] is None else json.dumps(difference[side], ensure_ascii=False)
        for side in ("node", "catalogue")
    )
    return f"{difference['member']} {node} instead of {catalogue}"


def _counts(nodes: Sequence[SyncNode]) -> dict[str, int]:
    """Count the flavors of all nodes by what was done about each or, if nothing was, by its state."""
    found = Counter(_summary(outcome) for node in nodes for outcome in outcomes_of(node))
    return {label: found[label] for label in (*DONE.values(), *SyncOutcome.State.labels)}


def _summary(outcome: SyncOutcome) -> str:
    is_done = outcome.result == SyncOutcome.Result.DONE
    return DONE[SyncOutcome.Action(outcome.action)] if is_done else outcome.get_state_display()


def _as_json(outcome: SyncOutcome) -> dict[str, Any]:
    return {
        "id": outcome.flavorid,
        "name": outcome.name,
        "state": outcome.state,
        "differences": outcome.differences,
        "action": outcome.action,
        "servers": outcome.servers,
        "result": outcome.result,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
    }
