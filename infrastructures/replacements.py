"""Replacing flavors in a cloud, which loses none: each replacement is written down until it has come to its end."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.db import IntegrityError

from flavorsync_project.api.errors import Conflict
from infrastructures.changes import alone_with, has_replacements, lock_of, name_lock_of
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.errors import (
    CloudError,
    CloudNotAsked,
    CloudTimedOut,
    CloudUnavailable,
    CredentialsRefused,
    FlavorConflict,
    FlavorRefused,
    TokenRefused,
)
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor

logger = logging.getLogger(__name__)

# A replacement takes a fraction of this; a list waits twice at most.
SECONDS_TO_WAIT = 1


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
    nothing changes. Three queries.
    """
    with alone_with(infrastructure, flavorid), nova.place():
        check()
        if Replacement.objects.filter(infrastructure=infrastructure, flavorid=flavorid).exists():
            raise Conflict(f"{infrastructure}: an earlier replacement of flavor {flavorid} is still open.")
        old = nova.get_whole_flavor(flavorid)
        new = replace(old, **(changes(old) if callable(changes) else changes))
        if new == old:
            return old
        with exclusive(*sorted({name_lock_of(infrastructure, name) for name in (old.name, new.name)})):
            _refuse_taken_name(nova, old=old, new=new)
            try:
                record = Replacement.objects.create(
                    infrastructure=infrastructure,
                    flavorid=flavorid,
                    old=old.as_json(),
                    new=new.as_json(),
                    requested_by=requested_by,
                )
            except IntegrityError as error:
                raise Conflict(f"{infrastructure} has just been unregistered.") from error
            return _carry_out(record, nova)


def settle_replacements(*, infrastructure: Infrastructure, nova: Nova) -> list[Replacement]:
    """Finish or undo the replacements that were cut short in this cloud; return those it could not.

    One that a live request is at work on is left to it, and waited for a little: meanwhile its
    flavor may be missing in Nova. Where Nova refuses (the caller's token may
    not make flavors, say) or fails, it stays open for the next caller, and nothing is lost: both
    flavors are in the database.

    Raises:
        TokenRefused: the cloud does not accept the token.

    Cost: one query; where replacements are open, one more, and some upstream calls for each until the cloud fails.
    """
    still_open: list[Replacement] = []
    if not has_replacements(infrastructure):
        return still_open
    for record in Replacement.objects.filter(infrastructure=infrastructure):
        try:
            with exclusive(lock_of(infrastructure, record.flavorid), wait=SECONDS_TO_WAIT), nova.place():
                _settle(record, nova)
        except Locked:
            continue
        except TokenRefused:
            raise
        except CloudError as error:
            _note(record, error)
            still_open.append(record)
            if isinstance(error, CloudUnavailable):
                break  # it would fail the next one too; whoever came may still have something to read there
    return still_open


def _refuse_taken_name(nova: Nova, *, old: NovaFlavor, new: NovaFlavor) -> None:
    """Raise `FlavorConflict` while the old flavor still stands, rather than when it is gone."""
    name = new.name.lower()
    if name == old.name.lower():
        return
    if any(flavor.name.lower() == name for flavor in nova.list_flavors()):
        raise FlavorConflict(nova.region.name, f"there is already a flavor named {new.name}.")


def _carry_out(record: Replacement, nova: Nova) -> NovaFlavor:
    """Delete the old flavor and create the new one; on failure put the old one back."""
    new = NovaFlavor.from_json(record.new)
    try:
        nova.delete_flavor(record.flavorid)
    except CloudError as error:
        if not isinstance(error, CloudUnavailable) or isinstance(error, (CredentialsRefused, CloudNotAsked)):
            record.delete()  # else it may be gone or not: the next caller settles it
        raise
    try:
        created = nova.create_flavor(new)
    except CloudError as error:
        _put_back(record, nova, because=error)
        raise
    record.delete()
    return created


def _put_back(record: Replacement, nova: Nova, *, because: CloudError) -> None:
    record.goal = Replacement.Goal.OLD
    _note(record, because)
    try:
        if isinstance(because, CloudTimedOut):
            nova.look(record.flavorid)  # does it answer again? The caller has waited long; else the next one settles it
        _settle(record, nova)
    except CloudError as error:
        _note(record, error)


def _settle(record: Replacement, nova: Nova) -> None:
    """Bring one replacement to its end, from whatever Nova has now.

    Raises:
        FlavorConflict: somebody else has made another flavor of this id or name meanwhile.
        CloudError: as `Nova`'s methods.
    """
    try:
        record.refresh_from_db()  # its goal may have changed, too, before we had the lock
    except Replacement.DoesNotExist:
        return  # settled while we came
    old, new = NovaFlavor.from_json(record.old), NovaFlavor.from_json(record.new)
    has = nova.find_flavor(record.flavorid)
    if has and has.row not in (old.row, new.row):
        raise FlavorConflict(nova.region.name, f"flavor {record.flavorid} has been made otherwise by somebody else.")
    untouched = has is not None and has.row == old.row and record.goal == Replacement.Goal.NEW
    if not untouched:
        _make_goal(record, nova, old=old, new=new)
    logger.info("%s: the replacement of flavor %s is settled", nova.region.name, record.flavorid)
    record.delete()


def _make_goal(record: Replacement, nova: Nova, *, old: NovaFlavor, new: NovaFlavor) -> None:
    if record.goal == Replacement.Goal.NEW:
        try:
            _make(nova, new)
            return
        except (FlavorConflict, FlavorRefused) as error:
            record.goal = Replacement.Goal.OLD
            _note(record, error)
    _make(nova, old)


def _make(nova: Nova, wanted: NovaFlavor) -> None:
    """Make Nova have *wanted* whole, where it now has nothing, a part of it, or its other version."""
    has = nova.find_flavor(wanted.id)
    if has and has.row != wanted.row:
        nova.delete_flavor(wanted.id)
        has = None
    if has:
        nova.complete_flavor(wanted, has=has)
    else:
        nova.create_flavor(wanted)


def _note(record: Replacement, error: CloudError) -> None:
    record.last_error = str(error.detail)
    record.save(update_fields=["goal", "last_error"])
