"""The journal of changes in progress in clouds, each kept until it can have no more effect.

A row is written before anything is sent, since our process may die meanwhile, and deleted when the outcome is clear. If
a response is lost, the row stays until the change can no longer be carried out, and its flavor is watched.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from django.db.models import F
from django.utils import timezone

from flavorsync_project.api.errors import Conflict
from infrastructures.commits import NotWritten, in_transaction, is_lost, read_certainly
from infrastructures.locks import Locked
from infrastructures.models import MOST_EARLIER, Infrastructure, Replacement
from infrastructures.openstack.errors import CloudError
from infrastructures.openstack.records import Doubt, NovaFlavor

Goal = Replacement.Goal

# Equality under which NULL equals NULL
_SAME = {"sqlite": "IS", "mysql": "<=>"}


@dataclass
class Entry:
    """The row of a flavor that is being changed, and the row as it was before, if there was one."""

    record: Replacement
    before: Replacement | None = None
    makes: bool = False
    doubt_before: datetime | None = field(init=False)
    """Until when an earlier request may still be carried out, or None: computed now, before we read from Nova, since
    more may happen until that is done."""

    def __post_init__(self) -> None:
        self.doubt_before = _in_doubt_until(self.before)

    def may_have_made(self, flavor: NovaFlavor) -> bool:
        """Say whether an earlier creation that is still in doubt may have made a flavor with these values."""
        versions = self.before.versions if self.before and self.doubt_before else []
        return any(NovaFlavor.from_json(version).row == flavor.row for version in versions)

    def doubt_after(self, doubt: Doubt) -> datetime | None:
        """Return until when something may still be carried out, after changes that leave this *doubt*.

        A change that we saw carried out leaves no doubt, unless one was sent before: we may have seen that one.
        """
        if doubt == Doubt.OPEN or (doubt == Doubt.SEEN and self.doubt_before):
            return end_of_doubt()
        return self.doubt_before


def _in_doubt_until(row: Replacement | None) -> datetime | None:
    until = row.unsure_until if row else None
    return until if until and until > timezone.now() else None


def end_of_doubt() -> datetime:
    """Return until when a change sent now may still be carried out."""
    return timezone.now() + timedelta(seconds=settings.OPENSTACK_TIMEOUT + settings.LOST_ANSWER_SECONDS)


# Before anything is sent


def find(ids: Mapping[Infrastructure, str]) -> dict[int, Replacement]:
    """Return these flavors' rows, by the clouds' keys. Cost: one query."""
    rows = Replacement.objects.filter(infrastructure__in=ids, flavorid__in=set(ids.values()))
    wanted = {(infrastructure.pk, flavorid) for infrastructure, flavorid in ids.items()}
    return {row.infrastructure_id: row for row in rows if (row.infrastructure_id, row.flavorid) in wanted}


def begin_deletions(ids: Mapping[Infrastructure, str]) -> dict[int, Entry]:
    """Record that these flavors are about to be deleted, and return the entries by the clouds' keys.

    Cost: two queries, however many clouds; one more for each watched flavor.
    """
    before = find(ids)
    return _write_down(ids, before, {cloud.pk: _of_deletion(before.get(cloud.pk)) for cloud in ids})


def begin_creations(
    infrastructures: Collection[Infrastructure], flavor: NovaFlavor, *, is_new: bool = False
) -> dict[int, Entry]:
    """Record that a flavor is about to be created in these clouds, and return the entries by the clouds' keys.

    Args:
        is_new: whether the flavor is known to have no row.

    Raises:
        Conflict: in one of them the id must keep a different flavor.

    Cost: as `begin_deletions`; one query with *is_new*.
    """
    ids = dict.fromkeys(infrastructures, flavor.id)
    before = {} if is_new else find(ids)
    for row in before.values():
        if row.is_half_way or (row.wanted and row.wanted.row != flavor.row):
            names = {infrastructure.pk: infrastructure.name for infrastructure in infrastructures}
            raise Conflict(
                f"{names[row.infrastructure_id]}: the id {flavor.id} belongs to a flavor that is being replaced."
            )
    values = {cloud.pk: _of_creation(before.get(cloud.pk), flavor) for cloud in ids}
    return _write_down(ids, before, values, makes=True)


def begin_new_creations(infrastructure: Infrastructure, flavors: Collection[NovaFlavor]) -> list[Entry]:
    """Record that flavors, of which the journal has nothing, are about to be created in a cloud; return the entries.

    Cost: one query, in a transaction if they are several.
    """
    records = [
        _rewritten(Replacement(infrastructure=infrastructure, flavorid=flavor.id), _of_creation(None, flavor))
        for flavor in flavors
    ]
    entries = [Entry(record, makes=True) for record in records]
    _insert_for(infrastructure.name, entries)
    return entries


def begin_replacement(
    infrastructure: Infrastructure,
    *,
    old: NovaFlavor,
    new: NovaFlavor,
    before: Replacement | None,
    requested_by: str,
) -> Entry:
    """Record that a flavor is about to be replaced; *before* is its row so far. Cost: one query."""
    values = {
        "old": old.as_json(),
        "new": new.as_json(),
        "earlier": _may_be_made(before),
        "goal": Goal.NEW,
        "is_met": False,
        "requested_by": requested_by,
    }
    known = {} if before is None else {infrastructure.pk: before}
    return _write_down({infrastructure: old.id}, known, {infrastructure.pk: values})[infrastructure.pk]


def _of_deletion(before: Replacement | None) -> dict[str, Any]:
    """Return a row without a goal; it keeps the flavors that earlier creations may still make, to delete them."""
    return {"old": None, "new": None, "earlier": _may_be_made(before), "goal": Goal.NONE, "is_met": False}


def _of_creation(before: Replacement | None, flavor: NovaFlavor) -> dict[str, Any]:
    """Return a row without a goal until the flavor is created; leave a row whose flavor must stay as it is."""
    if before and before.is_met:
        return {}
    new = flavor.as_json()
    return {"old": None, "new": new, "earlier": _may_be_made(before), "goal": Goal.NONE, "is_met": False}


def _may_be_made(before: Replacement | None) -> list[dict[str, Any]] | None:
    """Return the flavors that earlier requests with lost responses may still create, the latest first."""
    versions = before.versions if before and _in_doubt_until(before) else []
    return [version for number, version in enumerate(versions) if version not in versions[:number]][
        :MOST_EARLIER
    ] or None


def _write_down(
    ids: Mapping[Infrastructure, str],
    before: Mapping[int, Replacement],
    values: Mapping[int, Mapping[str, Any]],
    *,
    makes: bool = False,
) -> dict[int, Entry]:
    entries: dict[int, Entry] = {}
    for infrastructure, flavorid in ids.items():
        row = before.get(infrastructure.pk)
        record = copy(row) if row else Replacement(infrastructure=infrastructure, flavorid=flavorid)
        entries[infrastructure.pk] = Entry(_rewritten(record, values[infrastructure.pk]), row, makes)
    names = ", ".join(infrastructure.name for infrastructure in ids)
    _insert_for(names, [entry for entry in entries.values() if entry.before is None])
    for entry in entries.values():
        if entry.before:
            entry.record.save()
    return entries


def _rewritten(record: Replacement, values: Mapping[str, Any]) -> Replacement:
    for member, value in {**values, "unsure_until": end_of_doubt(), "last_error": ""}.items():
        setattr(record, member, value)
    return record


def _insert_for(names: str, entries: Collection[Entry]) -> None:
    try:
        _insert([entry.record for entry in entries])
    except IntegrityError as error:
        raise Conflict(f"{names} has just been unregistered.") from error


def _insert(records: Sequence[Replacement]) -> None:
    """Insert rows before anything is sent.

    Raises:
        NotWritten: the connection was lost, and our locks with it. Take them again before you retry.
    """
    try:
        if len(records) == 1:
            records[0].save(force_insert=True)
        elif records:
            in_transaction(lambda: _insert_all(records))
    except (OperationalError, InterfaceError) as error:
        if is_lost(error):
            connection.close()
            raise NotWritten(*error.args) from error
        if connection.in_atomic_block or not _are_there(records):
            raise


def _insert_all(records: Sequence[Replacement]) -> None:
    Replacement.objects.bulk_create(records)


def _are_there(records: Sequence[Replacement]) -> bool:
    there = set(Replacement.objects.values_list("infrastructure_id", "flavorid", "unsure_until"))
    return all((record.infrastructure_id, record.flavorid, record.unsure_until) in there for record in records)


def about_to_send(entry: Entry) -> None:
    """Record, before another request is sent, until when it may be carried out.

    Raises:
        Locked: our lock was lost, and somebody else has changed the row.

    Cost: one query.
    """
    record, until = entry.record, end_of_doubt()
    ours = Replacement.objects.filter(pk=record.pk, unsure_until=record.unsure_until)
    if not ours.update(unsure_until=until, goal=record.goal):
        raise Locked(record.flavorid)
    record.unsure_until = until


# Afterwards


def end(results: Iterable[tuple[Entry, bool, Doubt]]) -> None:
    """Record the outcome of deletions or creations: for each, whether it was done, and what doubt is left.

    A row whose change was answered is deleted, or restored as it was before.

    Raises:
        Locked: our lock was lost, and somebody else has settled one of them.

    Cost: one query; one more for each flavor that is watched from now on.
    """
    over: list[Entry] = []
    for entry, done, doubt in results:
        until = entry.doubt_after(doubt)
        if until == entry.doubt_before and not done:
            over += restored(entry)
        elif until is None:
            over.append(entry)
        else:
            if done and entry.makes and entry.record.goal == Goal.NONE:
                entry.record.goal, entry.record.is_met = Goal.NEW, True
            entry.record.unsure_until = until
            entry.record.save()
    close(over)


def restored(entry: Entry) -> list[Entry]:
    """Restore the row as it was before this change; return it if there was none, for deletion."""
    if entry.before is None:
        return [entry]
    entry.before.save()
    return []


def close(entries: Collection[Entry]) -> None:
    """Delete rows, unless somebody else has changed them since they were written.

    If the connection to the database is lost, wait for another one. Our locks are lost with it, but anybody who has
    taken them since would have changed the rows.

    Raises:
        Locked: somebody has changed one.
        django.db.Error: the database does not come back in time.

    Cost: one query; none without rows.
    """
    if not entries:
        return
    try:
        gone = _delete(entries)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        gone = _deleted_after_all(entries)
    if gone < len(entries):
        raise Locked([entry.record.flavorid for entry in entries])


def _deleted_after_all(entries: Collection[Entry]) -> int:
    """Delete them over another connection. A missing row was deleted by our COMMIT whose response was lost."""

    def delete() -> int:
        _delete(entries)
        left = find({entry.record.infrastructure: entry.record.flavorid for entry in entries})
        return len(entries) - len(left)

    return read_certainly(delete)


def _delete(entries: Collection[Entry]) -> int:
    """Delete rows in raw SQL: Django would use a transaction, three more round trips."""
    ours = f"(infrastructure_id = %s AND flavorid = %s AND unsure_until {_SAME[connection.vendor]} %s)"
    values: list[int | str | None] = []
    for record in (entry.record for entry in entries):
        until = connection.ops.adapt_datetimefield_value(record.unsure_until)
        values += [record.infrastructure_id, record.flavorid, until]
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM infrastructures_replacement WHERE {' OR '.join([ours] * len(entries))}",  # noqa: S608
            values,
        )
        return int(cursor.rowcount)


def note_end(infrastructure: int) -> None:
    """Make callers who read a list during a replacement read again; call it before deleting the row. One query."""
    Infrastructure.objects.filter(pk=infrastructure).update(replaced=F("replaced") + 1)


def want(infrastructures: Iterable[Infrastructure], flavors: Iterable[NovaFlavor]) -> None:
    """Watch flavors that were found in clouds and are wanted from now on, since earlier deletions may still hit them.

    Cost: one query; one more for each flavor whose row had no goal.
    """
    by_id = {flavor.id: flavor for flavor in flavors}
    rows = Replacement.objects.wanting_nothing().filter(infrastructure__in=infrastructures, flavorid__in=by_id)
    for row in rows if by_id else ():
        row.earlier = _may_be_made(row)
        row.new, row.goal, row.is_met = by_id[row.flavorid].as_json(), Goal.NEW, True
        row.save(update_fields=["new", "earlier", "goal", "is_met"])


def told(error: CloudError, record: Replacement) -> None:
    """Add to an error that its flavor is watched, and until when."""
    if record.unsure_until:
        error.add(
            f"It is not known whether this was done: flavor {record.flavorid} is watched "
            f"until {record.unsure_until:%Y-%m-%d %H:%M} UTC."
        )


def is_empty(infrastructure: Infrastructure) -> bool:
    """Say whether the journal has nothing about a cloud's flavors, which is nearly always the case.

    Cost: one query, in raw SQL: building a QuerySet takes longer than the query.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM infrastructures_replacement WHERE infrastructure_id = %s", [infrastructure.pk])
        return cursor.fetchone() is None
