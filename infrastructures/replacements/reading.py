"""Reading what clouds have while others replace flavors there."""

from collections.abc import Callable, Collection
from typing import TypeVar

from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudUnavailable
from infrastructures.replacements import journal

T = TypeVar("T")

# How often at most a list is read while others replace flavors.
MAX_READS = 4


def read_whole(
    infrastructures: Collection[Infrastructure], read: Callable[[], T], *, settle: Callable[[], object]
) -> list[T]:
    """Return what *read* returns; read again as long as a replacement may have made a flavor missing meanwhile.

    If replacements do not stop, return all that was read: a flavor that is missing in one is in another.

    Args:
        settle: waits for what is open, or settles it.

    Cost: that of *read* and two queries, at most `MAX_READS` times.
    """
    read_so_far: list[T] = []
    for _ in range(MAX_READS):
        before = journal.moment(infrastructures)
        read_so_far.append(read())
        after = journal.moment(infrastructures)
        if before.wanting or after.wanting:
            settle()
            after = journal.moment(infrastructures)
        # What is still half way after we have waited may be so for long.
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
