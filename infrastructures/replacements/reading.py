"""Reading the flavors of clouds while others replace flavors there."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from django.db import connection

from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudUnavailable
from infrastructures.replacements import journal

T = TypeVar("T")

# The maximum number of times that a list is read while others replace flavors.
MAX_READS = 4


def read_whole(
    infrastructures: Collection[Infrastructure], read: Callable[[], T], *, settle: Callable[[], object]
) -> list[T]:
    """Return what *read* returns, reading again while a replacement may have made a flavor missing.

    If replacements do not stop, return all results: a flavor that is missing in one is in another.

    Args:
        settle: waits for open replacements, or settles them.

    Cost: that of *read* and two queries, at most `MAX_READS` times.
    """
    read_so_far: list[T] = []
    for _ in range(MAX_READS):
        before = _moment(infrastructures)
        read_so_far.append(read())
        after = _moment(infrastructures)
        if before.wanting or after.wanting:
            settle()
            after = _moment(infrastructures)
        # What is still half way after the wait may stay so for long.
        if before == after and (not after.half_way or len(read_so_far) > 1):
            return read_so_far[-1:]
    return read_so_far


def raise_if_missing_for_now(infrastructures: Collection[Infrastructure], flavorid: str) -> None:
    """Raise a cloud's error if a flavor that was not found is missing only until its replacement is settled.

    Raises:
        CloudUnavailable: it is missing for now.

    Cost: one query.
    """
    written = journal.find(dict.fromkeys(infrastructures, flavorid))
    for infrastructure in infrastructures:
        record = written.get(infrastructure.pk)
        if record and record.wanted:
            raise CloudUnavailable(infrastructure.name, f"flavor {flavorid} is being replaced, and is not back yet.")


@dataclass(frozen=True)
class _Moment:
    """The state of some clouds' journal at a moment: it shows whether a list read then may lack a flavor."""

    ended: tuple[int, ...]
    half_way: int
    wanting: int


def _moment(infrastructures: Iterable[Infrastructure]) -> _Moment:
    """Return the state of these clouds' journal now.

    Cost: one query, in raw SQL: building a QuerySet takes longer than the query.
    """
    keys = [infrastructure.pk for infrastructure in infrastructures]
    if not keys:
        return _Moment((), 0, 0)
    with connection.cursor() as cursor:
        cursor.execute(_MOMENT.format(", ".join(["%s"] * len(keys))), keys)
        rows = cursor.fetchall()
    return _Moment(
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
