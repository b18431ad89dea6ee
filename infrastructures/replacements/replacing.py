"""Replacing flavors in a cloud without losing any: the next caller settles what was cut short or is in doubt."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from flavorsync_project.api.errors import Conflict
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import (
    CloudError,
    CloudTimedOut,
    CloudUnavailable,
    FlavorConflict,
    FlavorNotFound,
    FlavorRefused,
    Forbidden,
    TokenRefused,
)
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import Doubt, NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.changes import alone_with, lock_of, name_lock_of, settling_lock_of
from infrastructures.replacements.journal import Entry

logger = logging.getLogger(__name__)

T = TypeVar("T")
Goal = Replacement.Goal

# A replacement takes a fraction of this time.
SECONDS_TO_WAIT = 1
SECONDS_BETWEEN_TRIES = 0.05
# The number of watched flavors up to which they are read one by one.
FEW = 3


def replace_flavor(
    *,
    infrastructure: Infrastructure,
    nova: Nova,
    flavorid: str,
    changes: Mapping[str, Any] | Callable[[NovaFlavor], Mapping[str, Any]],
    requested_by: str,
    check: Callable[[], None] = lambda: None,
) -> NovaFlavor:
    """Change a flavor's values and keep its id; return the flavor as Nova then has it.

    Nova cannot change a flavor's numbers, so the flavor is deleted and created again, with its extra
    specs, access list, description, ephemeral disk, RX/TX factor and is_public. Both versions are recorded
    first: if the replacement is cut short in between, `settle_replacements` settles it.

    Args:
        changes: by member of `NovaFlavor`; or a function that returns them for the flavor, called under its lock.
        check: called under the flavor's lock; if it raises, nothing is replaced.

    Raises:
        FlavorNotFound, FlavorConflict, FlavorRefused, Forbidden: Nova's refusal; the old flavor stays.
        Conflict: somebody else is changing this flavor, or has unregistered the cloud.
        CloudUnavailable: Nova failed; the old flavor stays, or the replacement is settled later.

    Cost: upstream, one call to read, one to delete, one to create; one more with extra specs; one more
    and one per project if it is not public; one more if it is renamed. One call if nothing changes. Four
    queries.
    """
    with alone_with(infrastructure, flavorid), nova.place():
        check()
        before = _settled_before(infrastructure, nova, flavorid)
        try:
            old = nova.get_whole_flavor(flavorid)
        except FlavorNotFound:
            if before is None or before.wanted is None:
                raise
            before = _settled_before(infrastructure, nova, flavorid)  # it has only now vanished
            old = nova.get_whole_flavor(flavorid)
        new = replace(old, **(changes(old) if callable(changes) else changes))
        if new == old:
            return old
        with exclusive(*sorted({name_lock_of(infrastructure, name) for name in (old.name, new.name)})):
            _refuse_taken_name(nova, old=old, new=new)
            entry = journal.begin_replacement(
                infrastructure, old=old, new=new, before=before, requested_by=requested_by
            )
            return _carry_out(entry, nova)


def _refuse_taken_name(nova: Nova, *, old: NovaFlavor, new: NovaFlavor) -> None:
    """Raise `FlavorConflict` now, while the old flavor still exists, rather than after its deletion."""
    name = new.name.lower()
    if name == old.name.lower():
        return
    if any(flavor.name.lower() == name for flavor in nova.list_flavors()):
        raise FlavorConflict(nova.region.name, f"there is already a flavor named {new.name}.")


def _settled_before(infrastructure: Infrastructure, nova: Nova, flavorid: str) -> Replacement | None:
    """Settle the flavor's row in the journal, so that the flavor can be replaced; return the row, if one is left.

    Raises:
        Conflict: an earlier replacement is half way, and cannot be settled.
        CloudUnavailable: Nova failed, which is not a conflict.

    Cost: one query; if the journal has a row, as `_settle`, and one more.
    """
    earlier = journal.find({infrastructure: flavorid}).get(infrastructure.pk)
    if earlier is None:
        return None
    try:
        _settle(earlier, nova)
    except (TokenRefused, CloudUnavailable):
        raise
    except CloudError as error:
        raise Conflict(f"{infrastructure}: an earlier replacement of flavor {flavorid} is still open.") from error
    return journal.find({infrastructure: flavorid}).get(infrastructure.pk)


def _carry_out(entry: Entry, nova: Nova) -> NovaFlavor:
    """Delete the old flavor and create the new one; on failure, restore the old one."""
    record = entry.record
    nova.doubt = Doubt.NONE
    try:
        _delete_old(entry, nova)
    except CloudError as error:
        journal.end([(entry, False, nova.doubt)])
        if nova.doubt == Doubt.OPEN:  # it may vanish now or later: the next check will tell
            journal.told(error, record)
        raise
    try:
        created = nova.create_flavor(NovaFlavor.from_json(record.new or {}))
    except CloudError as error:
        _put_back(entry, nova, because=error)
        raise
    _met(entry, nova)
    return created


def _delete_old(entry: Entry, nova: Nova) -> None:
    try:
        nova.delete_flavor(entry.record.flavorid)
    except FlavorNotFound:
        if entry.doubt_before is None:
            raise
        # an earlier deletion of ours, whose response was lost, has only now been carried out


def _put_back(entry: Entry, nova: Nova, *, because: CloudError) -> None:
    record = entry.record
    record.goal = Goal.OLD
    _note(record, because)
    try:
        if isinstance(because, CloudTimedOut):
            nova.look(record.flavorid)  # if it fails again, leave it to the next caller: this one has waited long
        _bring_about(entry, nova, nova.find_flavor(record.flavorid))
    except CloudError as error:
        record.unsure_until = entry.doubt_after(nova.doubt)
        _note(record, error)
    else:
        _met(entry, nova)
    if nova.doubt == Doubt.OPEN:
        journal.told(because, record)


def _met(entry: Entry, nova: Nova) -> None:
    """Delete the row, since Nova has what is wanted; or watch the flavor while anything is in doubt."""
    record = entry.record
    until = entry.doubt_after(nova.doubt)
    journal.note_end(record.infrastructure_id)
    if until is None:
        journal.close([entry])
    else:
        record.is_met, record.unsure_until = True, until
        record.save()


# Settling


def settle_replacements(*, infrastructure: Infrastructure, nova: Nova) -> list[Replacement]:
    """Settle what was cut short in this cloud, and check watched flavors; return what could not be settled.

    A change that a live request is working on is left to it; we wait a little for a replacement, whose flavor may be
    missing in Nova meanwhile. If Nova fails or refuses (say, the caller's token may not create flavors), the
    replacement stays open for the next caller, and nothing is lost: both flavors are in the database.

    A flavor is watched while an earlier request may still be carried out. If it has vanished, it is created again. The
    first check after that time that finds all well ends the watch.

    Raises:
        TokenRefused: the cloud does not accept the token.

    Cost: one query; if the journal is not empty, one more. Upstream, one call for each watched flavor, or one for all
    if they are many; some for each that is settled, until the cloud fails.
    """
    still_open: list[Replacement] = []
    if journal.is_empty(infrastructure):
        return still_open
    records = list(Replacement.objects.filter(infrastructure=infrastructure))
    look = _looking(records, nova)
    for record in records:
        try:
            if record.is_half_way or not _is_well(record, look):
                with _alone_with(record, infrastructure), nova.place():
                    _settle(record, nova)
        except Locked:
            continue
        except TokenRefused:
            raise
        except CloudError as error:
            record.last_error = str(error.detail)
            Replacement.objects.filter(pk=record.pk).update(last_error=record.last_error)
            still_open.append(record)
            if isinstance(error, CloudUnavailable | Forbidden):
                break  # the next one would fail, too; the caller may still be able to read there
    return still_open


@contextmanager
def _alone_with(record: Replacement, infrastructure: Infrastructure) -> Iterator[None]:
    """Hold the lock on a record's flavor; if the flavor may be missing, wait a little for the lock's holder.

    Taking the lock right after a replacement would disturb a caller who has just replaced the flavor and continues
    with it. So we stop waiting once that replacement is over.

    Raises:
        Locked: somebody else still holds the lock, or has just finished.
    """
    is_missing = record.is_half_way or (record.is_met and not record.is_over)
    deadline = time.monotonic() + (SECONDS_TO_WAIT if is_missing else 0)
    locks = (settling_lock_of(infrastructure, record.flavorid), lock_of(infrastructure, record.flavorid))
    with ExitStack() as lock:
        while True:
            try:
                lock.enter_context(exclusive(*locks))
                break
            except Locked:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(SECONDS_BETWEEN_TRIES)
            now = Replacement.objects.filter(pk=record.pk).first()
            if now is None or (record.is_half_way and not now.is_half_way):
                raise Locked(record.flavorid)
        yield


def _looking(records: Sequence[Replacement], nova: Nova) -> Callable[[str], NovaFlavor | None]:
    """Return a function that returns Nova's version of a flavor: it reads a few one by one, many in one list."""
    if sum(_is_looked_at(record) for record in records) <= FEW:
        return nova.find_flavor
    listed = cache(lambda: {flavor.id: flavor for flavor in nova.list_flavors()})
    return lambda flavorid: listed().get(flavorid)


def _is_looked_at(record: Replacement) -> bool:
    """Say whether a check without the lock is enough: not if the record is half way, over, or just written."""
    return not record.is_half_way and not record.is_over and not (record.goal == Goal.NONE and record.is_fresh)


def _is_well(record: Replacement, look: Callable[[str], NovaFlavor | None]) -> bool:
    """Say whether all is well for now, as far as a check without the lock can tell."""
    if not _is_looked_at(record):
        return not record.is_over  # a row without a goal that was just written is nearly always under way
    has, wanted = look(record.flavorid), record.wanted
    return not _is_left_over(record, has) if wanted is None else has is not None and _has_all_of(has, wanted)


def _settle(record: Replacement, nova: Nova) -> None:
    """Settle a record, whatever Nova has now, or leave its flavor watched.

    Raises:
        FlavorConflict: somebody else has created a different flavor with this id or name meanwhile.
        CloudError: as `Nova`'s methods.
        Locked: our lock was lost, and somebody else is working on it.
    """
    try:
        record.refresh_from_db()  # even its goal may have changed before we had the lock
    except Replacement.DoesNotExist:
        return  # somebody else has settled it
    entry = Entry(record, copy(record))
    nova.doubt = Doubt.NONE
    try:
        has = nova.find_flavor(record.flavorid)
        if record.goal == Goal.NONE:
            _take_away(entry, nova, has)
        else:
            _bring_about(entry, nova, has)
    except CloudError as error:
        if nova.doubt != Doubt.OPEN:
            record.unsure_until = entry.before.unsure_until if entry.before else None
        _note(record, error)
        raise
    if record.goal != Goal.NONE:
        _met(entry, nova)
        logger.info("%s: the replacement of flavor %s is settled", nova.region.name, record.flavorid)
    elif entry.doubt_before is None and nova.doubt != Doubt.OPEN:
        journal.close([entry])


def _bring_about(entry: Entry, nova: Nova, has: NovaFlavor | None) -> None:
    """Bring Nova to the wanted flavor, whether it has nothing, a part, the other version, or exactly that."""
    record = entry.record
    if has and record.goal == Goal.NEW and not record.is_met and record.other and has.row == record.other.row:
        record.goal = Goal.OLD  # the deletion was not carried out, or not yet: the old flavor stays
    wanted = _wanted(record)
    if has and has.row == wanted.row and _has_all_of(has, wanted):
        record.want(_together(has, wanted))
    elif has and has.row not in [flavor.row for flavor in (wanted, *record.others)]:
        if not record.is_met:
            raise FlavorConflict(nova.region.name, f"somebody else has created flavor {has.id} with different values.")
        logger.warning(
            "%s: somebody else has created flavor %s with different values; left alone", nova.region.name, has.id
        )
        record.want(has)
    else:
        journal.about_to_send(entry)
        _make_goal(record, nova)


def _make_goal(record: Replacement, nova: Nova) -> None:
    wanted = _wanted(record)
    if record.goal == Goal.NEW and record.old and not record.is_met:
        try:
            _make(nova, wanted)
            return
        except (FlavorConflict, FlavorRefused) as error:
            record.goal = Goal.OLD
            _note(record, error)
            wanted = _wanted(record)
    _make(nova, wanted)


def _make(nova: Nova, wanted: NovaFlavor) -> None:
    """Create or complete *wanted* in Nova, whether it has nothing, a part of it, or the other version."""
    has = nova.find_flavor(wanted.id)
    if has and has.row != wanted.row:
        with suppress(FlavorNotFound):  # it vanished between our calls
            nova.delete_flavor(wanted.id)
        has = None
    if has:
        nova.complete_flavor(wanted, has=has)
    else:
        nova.create_flavor(wanted)


def _take_away(entry: Entry, nova: Nova, has: NovaFlavor | None) -> None:
    """Delete a flavor that a failed creation left incomplete, or has only now created."""
    if not _is_left_over(entry.record, has):
        return
    logger.warning("%s: a failed creation has left flavor %s", nova.region.name, entry.record.flavorid)
    journal.about_to_send(entry)
    try:
        nova.delete_flavor(entry.record.flavorid)
    except FlavorNotFound:
        return


def _is_left_over(record: Replacement, has: NovaFlavor | None) -> bool:
    """Say whether Nova has exactly the flavor that a late request of ours creates, or a part of it."""
    return has is not None and any(_has_all_of(made, has) for made in record.others)


def _has_all_of(flavor: NovaFlavor, other: NovaFlavor) -> bool:
    """Say whether a flavor has the other's values, extra specs and grants, as far as we know its own."""
    specs = flavor.extra_specs is None or dict(other.extra_specs or {}).items() <= dict(flavor.extra_specs).items()
    projects = flavor.projects is None or set(other.projects or ()) <= set(flavor.projects)
    return specs and projects and flavor.row == other.row


def _together(has: NovaFlavor, wanted: NovaFlavor) -> NovaFlavor:
    """Return the wanted flavor with the extra specs and grants that others have added in the cloud."""
    projects = sorted({*(has.projects or ()), *(wanted.projects or ())})
    return replace(
        wanted, extra_specs={**(has.extra_specs or {}), **(wanted.extra_specs or {})}, projects=tuple(projects)
    )


def _wanted(record: Replacement) -> NovaFlavor:
    wanted = record.wanted
    assert wanted is not None  # noqa: S101 — for the type checker; a constraint ensures it
    return wanted


def _note(record: Replacement, error: CloudError) -> None:
    record.last_error = str(error.detail)
    record.save(update_fields=["goal", "unsure_until", "last_error"])
