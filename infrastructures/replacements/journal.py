"""What is written down of flavors while clouds are asked to change them, until nothing more can happen to them.

A row comes before anything is sent, since our process may die while that is under way, and goes when the answer is
clear. Where an answer is lost the row stays until the change can no longer be carried out, and its flavor is watched.
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

# Equality by which NULL is the same as NULL
_SAME = {"sqlite": "IS", "mysql": "<=>"}


@dataclass
class Entry:
    """The row of one flavor that is being changed, and what it was before, if there was one."""

    record: Replacement
    before: Replacement | None = None
    makes: bool = False
    doubt_before: datetime | None = field(init=False)
    """Until when something sent earlier may still be carried out, None when nothing may: as of now, before Nova is
    looked at. What that does not see may come to pass until the look is over."""

    def __post_init__(self) -> None:
        self.doubt_before = _in_doubt_until(self.before)

    def may_have_made(self, flavor: NovaFlavor) -> bool:
        """Say whether an earlier creation that is still in doubt may have made a flavor with these values."""
        versions = self.before.versions if self.before and self.doubt_before else []
        return any(NovaFlavor.from_json(version).row == flavor.row for version in versions)

    def doubt_after(self, doubt: Doubt) -> datetime | None:
        """Return until when something may still be carried out, after changes of which *doubt* is left.

        Of a change that was seen to be carried out nothing is left; but if one like it was sent before, it may have
        been that one which was seen.
        """
        if doubt == Doubt.OPEN or (doubt == Doubt.SEEN and self.doubt_before):
            return end_of_doubt()
        return self.doubt_before


def _in_doubt_until(row: Replacement | None) -> datetime | None:
    until = row.unsure_until if row else None
    return until if until and until > timezone.now() else None


def end_of_doubt() -> datetime:
    """Return until when a change that is sent now may still be carried out."""
    return timezone.now() + timedelta(seconds=settings.OPENSTACK_TIMEOUT + settings.LOST_ANSWER_SECONDS)


# Before anything is sent


def find(ids: Mapping[Infrastructure, str]) -> dict[int, Replacement]:
    """Return, by the clouds' keys, what is written down of these flavors. Cost: one query."""
    rows = Replacement.objects.filter(infrastructure__in=ids, flavorid__in=set(ids.values()))
    wanted = {(infrastructure.pk, flavorid) for infrastructure, flavorid in ids.items()}
    return {row.infrastructure_id: row for row in rows if (row.infrastructure_id, row.flavorid) in wanted}


def begin_deletions(ids: Mapping[Infrastructure, str]) -> dict[int, Entry]:
    """Write down that these flavors are about to be deleted, and return the entries by the clouds' keys.

    Cost: two queries, however many clouds; one more for each flavor that is watched.
    """
    before = find(ids)
    return _write_down(ids, before, {cloud.pk: _of_deletion(before.get(cloud.pk)) for cloud in ids})


def begin_creations(
    infrastructures: Collection[Infrastructure], flavor: NovaFlavor, *, is_new: bool = False
) -> dict[int, Entry]:
    """Write down that a flavor is about to be made in these clouds, and return the entries by the clouds' keys.

    Args:
        is_new: whether it is known that nothing is written down of it.

    Raises:
        Conflict: another flavor must stand there under this id.

    Cost: as `begin_deletions`; one query when it is known to be new.
    """
    ids = dict.fromkeys(infrastructures, flavor.id)
    before = {} if is_new else find(ids)
    for row in before.values():
        if row.is_half_way or (row.wanted and row.wanted.row != flavor.row):
            names = {infrastructure.pk: infrastructure.name for infrastructure in infrastructures}
            raise Conflict(
                f"{names[row.infrastructure_id]}: the id {flavor.id} is that of a flavor that is being replaced."
            )
    values = {cloud.pk: _of_creation(before.get(cloud.pk), flavor) for cloud in ids}
    return _write_down(ids, before, values, makes=True)


def begin_replacement(
    infrastructure: Infrastructure,
    *,
    old: NovaFlavor,
    new: NovaFlavor,
    before: Replacement | None,
    requested_by: str,
) -> Entry:
    """Write down that a flavor is about to be replaced, *before* being what is written down of it. Cost: one query."""
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
    """Return a row that wants nothing; what an earlier creation may still make is kept, to be taken away."""
    return {"old": None, "new": None, "earlier": _may_be_made(before), "goal": Goal.NONE, "is_met": False}


def _of_creation(before: Replacement | None, flavor: NovaFlavor) -> dict[str, Any]:
    """Return a row that wants nothing until the flavor is made, unless it must stand already."""
    if before and before.is_met:
        return {}
    new = flavor.as_json()
    return {"old": None, "new": new, "earlier": _may_be_made(before), "goal": Goal.NONE, "is_met": False}


def _may_be_made(before: Replacement | None) -> list[dict[str, Any]] | None:
    """Return the flavors that requests of earlier changes, whose answers were lost, may still make; the last first."""
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
        for member, value in {**values[infrastructure.pk], "unsure_until": end_of_doubt(), "last_error": ""}.items():
            setattr(record, member, value)
        entries[infrastructure.pk] = Entry(record, row, makes)
    try:
        _insert([entry.record for entry in entries.values() if entry.before is None])
    except IntegrityError as error:
        names = ", ".join(infrastructure.name for infrastructure in ids)
        raise Conflict(f"{names} has just been unregistered.") from error
    for entry in entries.values():
        if entry.before:
            entry.record.save()
    return entries


def _insert(records: Sequence[Replacement]) -> None:
    """Insert rows before anything is sent.

    Raises:
        NotWritten: the connection was lost, and our locks with it. Whoever tries again takes them anew.
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
    """Write down, before something more is sent, how long that may be carried out.

    Raises:
        Locked: somebody else has laid hands on the row, as our lock was lost.

    Cost: one query.
    """
    record, until = entry.record, end_of_doubt()
    ours = Replacement.objects.filter(pk=record.pk, unsure_until=record.unsure_until)
    if not ours.update(unsure_until=until, goal=record.goal):
        raise Locked(record.flavorid)
    record.unsure_until = until


# When it is known what came of it


def end(results: Iterable[tuple[Entry, bool, Doubt]]) -> None:
    """Write down what came of deletions or creations: of each, whether it was done, and what is not known of it.

    A row whose change was answered goes, or is again as it was before.

    Raises:
        Locked: somebody else has settled one of them meanwhile, as our lock was lost.

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
    """Make the row what it was before it was written for this change; return it when it is to go."""
    if entry.before is None:
        return [entry]
    entry.before.save()
    return []


def close(entries: Collection[Entry]) -> None:
    """Let rows go, unless somebody else has laid hands on them since they were written.

    Where the connection to the database is lost it waits for another one. Our locks are lost with it, but whoever
    has taken them meanwhile would have changed the rows.

    Raises:
        Locked: somebody has.
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
    """Delete them over another connection; what is gone by then we have deleted, in a COMMIT whose answer was lost."""

    def delete() -> int:
        _delete(entries)
        left = find({entry.record.infrastructure: entry.record.flavorid for entry in entries})
        return len(entries) - len(left)

    return read_certainly(delete)


def _delete(entries: Collection[Entry]) -> int:
    """Delete rows by hand: Django makes a transaction of it, three round trips more."""
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
    """Have the lists read again that were read while a flavor was replaced, before its row goes. Cost: one query."""
    Infrastructure.objects.filter(pk=infrastructure).update(replaced=F("replaced") + 1)


def want(infrastructures: Iterable[Infrastructure], flavors: Iterable[NovaFlavor]) -> None:
    """Have what was found in clouds and is wanted there from now on stand, though its deletion may still come.

    Cost: one query; one more for each flavor of which nothing was wanted.
    """
    by_id = {flavor.id: flavor for flavor in flavors}
    rows = Replacement.objects.wanting_nothing().filter(infrastructure__in=infrastructures, flavorid__in=by_id)
    for row in rows if by_id else ():
        row.earlier = _may_be_made(row)
        row.new, row.goal, row.is_met = by_id[row.flavorid].as_json(), Goal.NEW, True
        row.save(update_fields=["new", "earlier", "goal", "is_met"])


def told(error: CloudError, record: Replacement) -> None:
    """Add to what an error says that its flavor is watched, and until when."""
    if record.unsure_until:
        error.add(
            f"Whether it was done is not known: flavor {record.flavorid} is watched "
            f"until {record.unsure_until:%Y-%m-%d %H:%M} UTC."
        )


# Reading


@dataclass(frozen=True)
class Moment:
    """What is written down of some clouds at a moment: whether a list that is read then may lack a flavor."""

    ended: tuple[int, ...]
    half_way: int
    wanting: int


def moment(infrastructures: Iterable[Infrastructure]) -> Moment:
    """Return what is written down of these clouds right now.

    Cost: one query, by hand: making a QuerySet takes longer than the answer.
    """
    keys = [infrastructure.pk for infrastructure in infrastructures]
    if not keys:
        return Moment((), 0, 0)
    with connection.cursor() as cursor:
        cursor.execute(_MOMENT.format(", ".join(["%s"] * len(keys))), keys)
        rows = cursor.fetchall()
    return Moment(
        tuple(int(ended) for _, ended, _, _ in rows),
        sum(int(half_way) for _, _, half_way, _ in rows),
        sum(int(wanting) for _, _, _, wanting in rows),
    )


_MOMENT = """
    SELECT cloud.id, cloud.replaced, COUNT(CASE WHEN written.is_met THEN NULL ELSE written.id END), COUNT(written.id)
    FROM infrastructures_infrastructure cloud
    LEFT JOIN infrastructures_replacement written ON written.infrastructure_id = cloud.id AND written.goal <> 'nil'
    WHERE cloud.id IN ({})
    GROUP BY cloud.id, cloud.replaced
    ORDER BY cloud.id
"""


def is_empty(infrastructure: Infrastructure) -> bool:
    """Say whether nothing at all is written down of a cloud's flavors, as nearly always.

    Cost: one query, by hand, as `moment`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM infrastructures_replacement WHERE infrastructure_id = %s", [infrastructure.pk])
        return cursor.fetchone() is None
