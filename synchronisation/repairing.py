"""Taking the steps of a run's plan in one node."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import groupby
from threading import Event
from typing import Any, Self

from django.conf import settings
from django.db import IntegrityError
from rest_framework.exceptions import APIException, NotFound

from flavors.catalogue import recording
from flavors.catalogue.comparison import Dropped, Finding, differences_between, values_by_member
from flavors.catalogue.dropping import dropped_values
from flavors.models import NOVA_MEMBERS, Flavor
from flavorsync_project.api.errors import Conflict
from infrastructures.commits import MayBeWritten, NotWritten
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError, CloudTimedOut, CloudUnreachable
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.changes import alone_with, create_flavors, delete_flavor, keep_watching
from infrastructures.replacements.replacing import replace_flavor
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.planning import IN_PLACE, Step
from synchronisation.recording import STOPPED, record_repairs, record_result

logger = logging.getLogger(__name__)

Action = SyncOutcome.Action
Result = SyncOutcome.Result

SECONDS_BETWEEN_RECORDS = 0.5
# In one node at once: they share their queries, and a Nova has some threads for them
MOST_CREATIONS = 4
IGNORED = "Somebody has just said that it is to be ignored here, so it was left alone."
UNCONFIRMED = "It has changed since this was confirmed, so it was left alone."

Listener = Callable[[SyncNode, SyncOutcome | None], None]
"""Called with every final outcome of a node and, with None, when the node has ended; in the node's thread."""

Planned = tuple[Step, SyncOutcome]


def take_steps(planned: Iterable[Planned], repair: "Repair", node: SyncNode, listen: Listener, stopped: Event) -> str:
    """Take the steps in order until the run is stopped or the cloud stops responding; return which, or "".

    Some creations that follow each other are carried out at once.
    """
    gone: CloudError | None = None
    with _Record(repair, node, listen) as record:
        for some in _at_once(planned):
            if stopped.is_set():
                return STOPPED
            began = time.monotonic()
            # After the cloud has stopped responding, each further step would only wait just as long.
            errors = [gone] * len(some) if gone else repair.take([step for step, _ in some])
            seconds = round(time.monotonic() - began, 3)
            for (_, outcome), error in zip(some, errors, strict=True):
                outcome.seconds, outcome.result = seconds, Result.FAILED if error else Result.DONE
                if error:
                    outcome.reason = str(error.detail)
                if isinstance(error, CloudUnreachable | CloudTimedOut):
                    gone = error.plain()
            record.add(some)
    return str(gone.detail) if gone else ""


def _at_once(planned: Iterable[Planned]) -> Iterator[list[Planned]]:
    """Yield the planned steps in order: creations up to `creations_at_once` together, all others alone."""
    to_take = [each for each in planned if each[1].result == Result.PLANNED]
    for is_creation, alike in groupby(to_take, key=lambda each: each[0].action == Action.CREATE):
        most, steps = creations_at_once() if is_creation else 1, list(alike)
        yield from (steps[start : start + most] for start in range(0, len(steps), most))


def creations_at_once() -> int:
    """Return how many flavors to create in a node at once: no more than may be at work there."""
    return min(MOST_CREATIONS, settings.CLOUD_CONCURRENCY or MOST_CREATIONS)


class _Record:
    """A buffer of the steps taken in a node, written many at once: a commit for each would cost as much as a call.

    It is written when a step ends half a second or more after the last write, and at the end of the block. A run that
    is killed before that finds the steps' effects again by comparing.
    """

    def __init__(self, repair: "Repair", node: SyncNode, listen: Listener) -> None:
        self._repair = repair
        self._node = node
        self._listen = listen
        self._taken: list[Planned] = []
        self._written_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def add(self, taken: Iterable[Planned]) -> None:
        """Add steps that were taken, or have failed."""
        self._taken += taken
        if time.monotonic() - self._written_at >= SECONDS_BETWEEN_RECORDS:
            self._write()

    def _write(self) -> None:
        taken, self._taken = self._taken, []
        if taken:
            self._repair.record(taken)
        for _, outcome in taken:
            self._listen(self._node, outcome)
        self._written_at = time.monotonic()


@dataclass(frozen=True)
class Repair:
    """Takes the steps of a run's plan in one node: first in Nova, then in the record."""

    run: SyncRun
    infrastructure: Infrastructure
    nova: Nova
    # Where calls are made at once
    threads: Executor
    # The flavors as the catalogue had them when their step was taken, by key
    applied: dict[int, Flavor] = field(default_factory=dict)
    # The values that they were given in the node, by key and member
    given: dict[int, Mapping[str, object]] = field(default_factory=dict)

    def take(self, steps: Sequence[Step]) -> list[APIException | None]:
        """Take one step in the cloud, or several creations, and return the error of each, or None."""
        if steps[0].action == Action.CREATE:
            return self._create(steps)
        (step,) = steps
        try:
            self._change(step)
        except APIException as error:
            return [error]
        return [None]

    def _change(self, step: Step) -> None:
        match step.action:
            case Action.UPDATE:
                self._update(step.finding)
            case Action.REPLACE:
                self._replace(step.finding)

    def _create(self, steps: Sequence[Step]) -> list[APIException | None]:
        wanted = self._all_wanted_now([step.finding for step in steps])
        flavors = [flavor.as_nova() for flavor in wanted if isinstance(flavor, Flavor)]
        errors = create_flavors(
            infrastructure=self.infrastructure, nova=self.nova, flavors=flavors, threads=self.threads
        )
        by_id = {flavor.id: error for flavor, error in zip(flavors, errors, strict=True)}
        self.given.update(
            {flavor.pk: values_by_member(flavor.as_nova()) for flavor in wanted if isinstance(flavor, Flavor)}
        )
        return [by_id[flavor.flavorid] if isinstance(flavor, Flavor) else flavor for flavor in wanted]

    def record(self, taken: Sequence[Planned]) -> None:
        """Record the results of steps; a created flavor that cannot be recorded is deleted again, and has failed.

        Cost: three queries, in one transaction; some six for each step when one of them cannot be recorded.
        """
        installed = {
            self._applied(step): flavorid for step, outcome in taken if (flavorid := _to_record(step, outcome))
        }
        found = [step.finding.has for step, outcome in taken if step.finding.has and _to_record(step, outcome)]
        if found:
            journal.want([self.infrastructure], found)
        try:
            record_repairs(
                infrastructure=self.infrastructure,
                installed=installed,
                outcomes=[outcome for _, outcome in taken],
                made=[self._applied(step) for step, _ in taken if step.action == Action.CREATE],
                applied=self.given,
            )
        except IntegrityError:
            for step, outcome in taken:
                self._record_alone(step, outcome)
        except (MayBeWritten, NotWritten):
            raise  # the next run finds what the node has and the record lacks
        except Exception:
            self._take_all_back(taken)
            raise

    def _record_alone(self, step: Step, outcome: SyncOutcome) -> None:
        try:
            self._record_installation(step, outcome)
        except APIException as error:
            outcome.result, outcome.reason = Result.FAILED, str(error.detail)
        record_result(outcome)

    def _record_installation(self, step: Step, outcome: SyncOutcome) -> None:
        flavorid = _to_record(step, outcome)
        if not flavorid:
            return
        try:
            recording.record_installation(
                flavor=self._applied(step),
                infrastructure=self.infrastructure,
                flavorid=flavorid,
                made=step.action == Action.CREATE,
                applied=self.given.get(step.finding.wanted.flavor.pk),
            )
        except (MayBeWritten, NotWritten):
            raise
        except Exception:
            self._take_back(step, outcome)
            raise

    def _take_all_back(self, taken: Iterable[Planned]) -> None:
        """Delete the created flavors, as far as the cloud lets us; the next run adopts what remains."""
        for step, outcome in taken:
            try:
                self._take_back(step, outcome)
            except Exception:
                logger.exception("%s keeps flavor %s, which is not recorded", self.infrastructure, outcome.flavorid)

    def _take_back(self, step: Step, outcome: SyncOutcome) -> None:
        if step.action == Action.CREATE and outcome.result == Result.DONE:
            delete_flavor(
                infrastructure=self.infrastructure, nova=self.nova, flavorid=step.finding.wanted.flavor.flavorid
            )

    def _applied(self, step: Step) -> Flavor:
        return self.applied.get(step.finding.wanted.flavor.pk, step.finding.wanted.flavor)

    def _note_given(self, finding: Finding, values: Mapping[str, object]) -> None:
        self.given[finding.wanted.flavor.pk] = values

    def _wanted_now(self, finding: Finding) -> Flavor:
        """Return one flavor as `_all_wanted_now` does.

        Raises:
            NotFound, Conflict: why not.
        """
        (flavor,) = self._all_wanted_now([finding])
        if isinstance(flavor, APIException):
            raise flavor
        return flavor

    def _all_wanted_now(self, findings: Sequence[Finding]) -> list[Flavor | APIException]:
        """Return flavors as they are in the catalogue now: their node may have been compared long before.

        In place of a flavor stands why it is left alone: NotFound if it is no longer promoted, Conflict if it has
        changed since the run was confirmed, or is to be ignored in the node by now. Cost: two queries.
        """
        planned = [finding.wanted.flavor for finding in findings]
        there = {
            flavor.pk: flavor
            for flavor in Flavor.objects.wanted_in_nodes().filter(pk__in=[each.pk for each in planned])
        }
        ignored = set(self.infrastructure.ignored_flavors.filter(flavor__in=planned).values_list("flavor", flat=True))
        wanted = [self._checked(flavor, there.get(flavor.pk), is_ignored=flavor.pk in ignored) for flavor in planned]
        self.applied.update({flavor.pk: flavor for flavor in wanted if isinstance(flavor, Flavor)})
        return wanted

    def _checked(self, planned: Flavor, now: Flavor | None, *, is_ignored: bool) -> Flavor | APIException:
        if now is None:
            return NotFound(f"The flavor {planned.flavorid} does not exist")
        if is_ignored:
            return Conflict(IGNORED)
        if self.run.confirmed is not None and now.as_nova() != planned.as_nova():
            return Conflict(UNCONFIRMED)
        return now

    def _update(self, finding: Finding) -> None:
        flavorid = self._id_of(finding)
        with alone_with(self.infrastructure, flavorid):
            flavor, has = self._wanted_now(finding), finding.has or finding.wanted.nova
            wanted = flavor.as_nova(flavorid)
            differences = differences_between(
                wanted,
                has,
                exact=self.run.exact,
                descriptions=self.nova.keeps_descriptions,
                dropped=self._dropped(flavor),
            )
            if any(not difference.key and difference.member not in IN_PLACE for difference in differences):
                raise Conflict(f"Somebody else has just changed the flavor {wanted.id} in the catalogue.")
            if any(difference.member == "description" for difference in differences):
                self.nova.describe_flavor(flavorid, wanted.description)
            specs = {difference.key: difference.catalogue for difference in differences if difference.key}
            if changed := {key: str(value) for key, value in specs.items() if value is not None}:
                self.nova.set_extra_specs(flavorid, changed)
            for key in sorted(specs.keys() - changed.keys()):
                self.nova.unset_extra_spec(flavorid, key)
            self._note_given(finding, {difference.member: difference.catalogue for difference in differences})
            keep_watching(infrastructure=self.infrastructure, nova=self.nova, flavorid=flavorid)

    def _replace(self, finding: Finding) -> None:
        def changes(old: NovaFlavor) -> dict[str, Any]:
            """Return the catalogue's values, and the node's current extra specs that the catalogue does not name."""
            flavor = self._wanted_now(finding)
            wanted = flavor.as_nova(old.id)
            if self.run.confirmed is not None and finding.has and old.row != finding.has.row:
                raise Conflict(UNCONFIRMED)
            dropped = self._dropped(flavor)
            theirs = {} if self.run.exact else old.extra_specs or {}
            kept = {key: value for key, value in theirs.items() if value not in dropped.get(key, ())}
            members = [member for member in NOVA_MEMBERS if self.nova.keeps_descriptions or member != "description"]
            values = {member: getattr(wanted, member) for member in members}
            self._note_given(finding, values_by_member(wanted))
            return {**values, "extra_specs": {**kept, **(wanted.extra_specs or {})}}

        replace_flavor(
            infrastructure=self.infrastructure,
            nova=self.nova,
            flavorid=self._id_of(finding),
            changes=changes,
            requested_by=self.run.requested_by,
        )

    def _dropped(self, flavor: Flavor) -> Dropped:
        return dropped_values([flavor], [self.infrastructure]).get((flavor.pk, self.infrastructure.pk), {})

    @staticmethod
    def _id_of(finding: Finding) -> str:
        return finding.has.id if finding.has else finding.wanted.nova.id


def _to_record(step: Step, outcome: SyncOutcome) -> str:
    """Return the id under which the node has the flavor now, "" if the step has failed."""
    if outcome.result != Result.DONE:
        return ""
    return step.finding.has.id if step.finding.has else step.finding.wanted.flavor.flavorid
