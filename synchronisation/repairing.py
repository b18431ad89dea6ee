"""Taking the steps of a run's plan in one node."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Self

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
from infrastructures.replacements.changes import alone_with, create_flavor, delete_flavor, keep_watching
from infrastructures.replacements.replacing import replace_flavor
from synchronisation.models import SyncNode, SyncOutcome, SyncRun
from synchronisation.planning import IN_PLACE, Step
from synchronisation.recording import STOPPED, record_repairs, record_result

logger = logging.getLogger(__name__)

Action = SyncOutcome.Action
Result = SyncOutcome.Result

SECONDS_BETWEEN_RECORDS = 0.5
IGNORED = "Somebody has just said that it is to be ignored here, so it was left alone."
UNCONFIRMED = "It has changed since this was confirmed, so it was left alone."

Listener = Callable[[SyncNode, SyncOutcome | None], None]
"""Called with every final outcome of a node and, with None, when the node has ended; in the node's thread."""

Planned = tuple[Step, SyncOutcome]


def take_steps(planned: Iterable[Planned], repair: "Repair", node: SyncNode, listen: Listener, stopped: Event) -> str:
    """Take the steps in order until the run is stopped or the cloud stops responding; return which, or ""."""
    gone: CloudError | None = None
    with _Record(repair, node, listen) as record:
        for step, outcome in planned:
            if outcome.result != Result.PLANNED:
                continue
            if stopped.is_set():
                return STOPPED
            began = time.monotonic()
            try:
                if gone:
                    raise gone
                repair.take(step)
                outcome.result = Result.DONE
            except APIException as error:
                outcome.result, outcome.reason = Result.FAILED, str(error.detail)
                if isinstance(error, CloudUnreachable | CloudTimedOut):
                    gone = error.plain()  # the next step would only wait just as long
            outcome.seconds = round(time.monotonic() - began, 3)
            record.add(step, outcome)
    return str(gone.detail) if gone else ""


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

    def add(self, step: Step, outcome: SyncOutcome) -> None:
        """Add a step that was taken, or has failed."""
        self._taken.append((step, outcome))
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
    # The flavors as the catalogue had them when their step was taken, by key
    applied: dict[int, Flavor] = field(default_factory=dict)
    # The values that they were given in the node, by key and member
    given: dict[int, Mapping[str, object]] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Take one step in the cloud.

        Raises:
            CloudError, Conflict: it could not be taken.
        """
        match step.action:
            case Action.CREATE:
                wanted = self._wanted_now(step.finding).as_nova()
                create_flavor(infrastructure=self.infrastructure, nova=self.nova, flavor=wanted)
                self._note_given(step.finding, values_by_member(wanted))
            case Action.UPDATE:
                self._update(step.finding)
            case Action.REPLACE:
                self._replace(step.finding)

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
        """Return the flavor as it is in the catalogue now: its node may have been compared long before.

        Raises:
            NotFound: it is no longer promoted.
            Conflict: it has changed since the run was confirmed, or is to be ignored in the node by now.
        """
        planned = finding.wanted.flavor
        wanted = Flavor.objects.wanted_in_nodes().filter(pk=planned.pk)
        flavor = wanted.exclude(ignored_in__infrastructure=self.infrastructure).first()
        if flavor is None and wanted.exists():
            raise Conflict(IGNORED)
        if flavor is None:
            raise NotFound(f"The flavor {planned.flavorid} does not exist")
        if self.run.confirmed is not None and flavor.as_nova() != planned.as_nova():
            raise Conflict(UNCONFIRMED)
        self.applied[flavor.pk] = flavor
        return flavor

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
