"""Replacing flavors in a cloud, which loses none: what is cut short or in doubt is settled by whoever comes next."""

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
from infrastructures.replacements.changes import alone_with, lock_of, name_lock_of
from infrastructures.replacements.journal import Entry

logger = logging.getLogger(__name__)

T = TypeVar("T")
Goal = Replacement.Goal

# A replacement takes a fraction of this.
SECONDS_TO_WAIT = 1
SECONDS_BETWEEN_TRIES = 0.05
# So many flavors that are watched are read one by one.
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
    """Give a flavor other values under the same id, and return it as Nova then has it.

    Nova cannot change a flavor's numbers, so the flavor is deleted and made again, with its extra
    specs, access list, description, ephemeral disk, RX/TX factor and is_public. Both are written
    down first: what is cut short between the two is settled by `settle_replacements`.

    Args:
        changes: by member of `NovaFlavor`; or what makes them of the flavor as it is when nobody else can change it any
            more.
        check: called when nobody else can change the flavor any more; what it raises ends it there.

    Raises:
        FlavorNotFound, FlavorConflict, FlavorRefused, Forbidden: Nova's refusal; the old flavor stays.
        Conflict: somebody else is changing this flavor right now, or has unregistered the cloud.
        CloudUnavailable: Nova failed; the old flavor stays, or the replacement is settled later.

    Cost: upstream, one call to read, one to delete, one to create; one more with extra specs; one
    more and one per project when it is not public; one more when it is renamed. One call when
    nothing changes. Four queries.
    """
    with alone_with(infrastructure, flavorid), nova.place():
        check()
        before = _settled_before(infrastructure, nova, flavorid)
        try:
            old = nova.get_whole_flavor(flavorid)
        except FlavorNotFound:
            if before is None or before.wanted is None:
                raise
            before = _settled_before(infrastructure, nova, flavorid)  # it has vanished only now
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
    """Raise `FlavorConflict` while the old flavor still stands, rather than when it is gone."""
    name = new.name.lower()
    if name == old.name.lower():
        return
    if any(flavor.name.lower() == name for flavor in nova.list_flavors()):
        raise FlavorConflict(nova.region.name, f"there is already a flavor named {new.name}.")


def _settled_before(infrastructure: Infrastructure, nova: Nova, flavorid: str) -> Replacement | None:
    """Return what is written down of the flavor, when that keeps nobody from replacing it (again).

    Raises:
        Conflict: an earlier replacement is half way, and cannot be settled.
        CloudUnavailable: Nova failed; that is no conflict.

    Cost: one query; where something is written down, as `_settle`, and one more.
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
    """Delete the old flavor and create the new one; on failure put the old one back."""
    record = entry.record
    nova.doubt = Doubt.NONE
    try:
        _delete_old(entry, nova)
    except CloudError as error:
        journal.end([(entry, False, nova.doubt)])
        if nova.doubt == Doubt.OPEN:  # it may be gone, now or later: the next look tells
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
        # an earlier deletion of ours, which was not answered, has been carried out only now


def _put_back(entry: Entry, nova: Nova, *, because: CloudError) -> None:
    record = entry.record
    record.goal = Goal.OLD
    _note(record, because)
    try:
        if isinstance(because, CloudTimedOut):
            nova.look(record.flavorid)  # does it answer again? The caller has waited long; else the next one settles it
        _bring_about(entry, nova, nova.find_flavor(record.flavorid))
    except CloudError as error:
        record.unsure_until = entry.doubt_after(nova.doubt)
        _note(record, error)
    else:
        _met(entry, nova)
    if nova.doubt == Doubt.OPEN:
        journal.told(because, record)


def _met(entry: Entry, nova: Nova) -> None:
    """Let the row go, now that Nova has what is wanted; or have the flavor watched while anything is in doubt."""
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
    """Finish or undo what was cut short in this cloud, and look at what is watched; return what it could not settle.

    One that a live request is at work on is left to it, and a replacement is waited for a little: meanwhile its
    flavor may be missing in Nova. Where Nova refuses (the caller's token may not make flavors, say) or fails, it stays
    open for the next caller, and nothing is lost: both flavors are in the database.

    A flavor is watched while something that was sent before may still be carried out. If it has vanished it is made
    again; the first look after that time that finds all well ends it.

    Raises:
        TokenRefused: the cloud does not accept the token.

    Cost: one query; where something is written down, one more. Upstream one call for each flavor that is watched, or
    one for all of them when they are many; some for each that is to be settled, until the cloud fails.
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
                break  # it would fail the next one too; whoever came may still have something to read there
    return still_open


@contextmanager
def _alone_with(record: Replacement, infrastructure: Infrastructure) -> Iterator[None]:
    """Hold the lock on a record's flavor; of one that is half way, or is made again, wait a little for who is at it.

    Who waited would have the lock next, and keep off whoever has just replaced the flavor and goes on with it: so it is
    not waited for any more when that has come to its end.

    Raises:
        Locked: somebody else has the flavor still, or has come to the end with it.
    """
    is_missing = record.is_half_way or (record.is_met and not record.is_over)
    deadline = time.monotonic() + (SECONDS_TO_WAIT if is_missing else 0)
    with ExitStack() as lock:
        while True:
            try:
                lock.enter_context(exclusive(lock_of(infrastructure, record.flavorid)))
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
    """Return what tells of a flavor what Nova has: of a few each is read, of many all in one list."""
    if sum(_is_looked_at(record) for record in records) <= FEW:
        return nova.find_flavor
    listed = cache(lambda: {flavor.id: flavor for flavor in nova.list_flavors()})
    return lambda flavorid: listed().get(flavorid)


def _is_looked_at(record: Replacement) -> bool:
    """Say whether a look is enough: at what is half way, or over, somebody is alone with the flavor."""
    return not record.is_half_way and not record.is_over and not (record.goal == Goal.NONE and record.is_fresh)


def _is_well(record: Replacement, look: Callable[[str], NovaFlavor | None]) -> bool:
    """Say whether a look, which keeps nobody from changing the flavor, finds all as it shall be for the time being."""
    if not _is_looked_at(record):
        return not record.is_over  # what wants nothing and was written just now is under way, nearly always
    has, wanted = look(record.flavorid), record.wanted
    return not _is_left_over(record, has) if wanted is None else has is not None and _has_all_of(has, wanted)


def _settle(record: Replacement, nova: Nova) -> None:
    """Bring what is written down of a flavor to its end, from whatever Nova has now, or leave it watched.

    Raises:
        FlavorConflict: somebody else has made another flavor of this id or name meanwhile.
        CloudError: as `Nova`'s methods.
        Locked: somebody else is at it, as our lock was lost.
    """
    try:
        record.refresh_from_db()  # its goal may have changed, too, before we had the lock
    except Replacement.DoesNotExist:
        return  # settled while we came
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
    """Make Nova have what is wanted, whole, where it has nothing, a part of it, its other version, or just that."""
    record = entry.record
    if has and record.goal == Goal.NEW and not record.is_met and record.other and has.row == record.other.row:
        record.goal = Goal.OLD  # the deletion has not come about, or not yet: the old flavor stays
    wanted = _wanted(record)
    if has and has.row == wanted.row and _has_all_of(has, wanted):
        record.want(_together(has, wanted))
    elif has and has.row not in [flavor.row for flavor in (wanted, *record.others)]:
        if not record.is_met:
            raise FlavorConflict(
                nova.region.name, f"flavor {has.id} was created with different values by somebody else."
            )
        logger.warning(
            "%s: flavor %s was created with different values by somebody else: left alone", nova.region.name, has.id
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
    """Make Nova have *wanted* whole, where it now has nothing, a part of it, or its other version."""
    has = nova.find_flavor(wanted.id)
    if has and has.row != wanted.row:
        with suppress(FlavorNotFound):  # it has gone between our calls
            nova.delete_flavor(wanted.id)
        has = None
    if has:
        nova.complete_flavor(wanted, has=has)
    else:
        nova.create_flavor(wanted)


def _take_away(entry: Entry, nova: Nova, has: NovaFlavor | None) -> None:
    """Delete what a creation that failed has left half made, or has made only now."""
    if not _is_left_over(entry.record, has):
        return
    logger.warning("%s: flavor %s is left of a creation that failed", nova.region.name, entry.record.flavorid)
    journal.about_to_send(entry)
    try:
        nova.delete_flavor(entry.record.flavorid)
    except FlavorNotFound:
        return


def _is_left_over(record: Replacement, has: NovaFlavor | None) -> bool:
    """Say whether what Nova has is exactly what a request of ours makes that is late, or the beginning of it."""
    return has is not None and any(_has_all_of(made, has) for made in record.others)


def _has_all_of(flavor: NovaFlavor, other: NovaFlavor) -> bool:
    """Say whether a flavor has the extra specs and the grants of the other, as far as they are known of it."""
    specs = flavor.extra_specs is None or dict(other.extra_specs or {}).items() <= dict(flavor.extra_specs).items()
    projects = flavor.projects is None or set(other.projects or ()) <= set(flavor.projects)
    return specs and projects and flavor.row == other.row


def _together(has: NovaFlavor, wanted: NovaFlavor) -> NovaFlavor:
    """Return what is wanted with what somebody else has added in the cloud."""
    projects = sorted({*(has.projects or ()), *(wanted.projects or ())})
    return replace(
        wanted, extra_specs={**(has.extra_specs or {}), **(wanted.extra_specs or {})}, projects=tuple(projects)
    )


def _wanted(record: Replacement) -> NovaFlavor:
    wanted = record.wanted
    assert wanted is not None  # noqa: S101 — for the type checker; a constraint says so
    return wanted


def _note(record: Replacement, error: CloudError) -> None:
    record.last_error = str(error.detail)
    record.save(update_fields=["goal", "unsure_until", "last_error"])
