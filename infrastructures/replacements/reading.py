"""Reading the flavors of clouds while others replace flavors there."""

from collections.abc import Callable, Collection
from typing import TypeVar

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
        before = journal.moment(infrastructures)
        read_so_far.append(read())
        after = journal.moment(infrastructures)
        if before.wanting or after.wanting:
            settle()
            after = journal.moment(infrastructures)
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
