"""Reading what clouds have while others replace flavors there."""

from collections.abc import Callable, Collection
from typing import TypeVar

from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudUnavailable
from infrastructures.replacements import journal

T = TypeVar("T")

# How often a list is read at most, while others replace flavors.
MAX_READS = 4


def read_whole(
    infrastructures: Collection[Infrastructure], read: Callable[[], T], *, settle: Callable[[], object]
) -> list[T]:
    """Return what *read* gives, once; again as long as a replacement may have made a flavor missing meanwhile.

    Where replacements do not cease, all that was read is returned: what is missing in one is in another.

    Args:
        settle: waits for what is open, or settles it.

    Cost: that of *read* and two queries, `MAX_READS` times at most.
    """
    read_so_far: list[T] = []
    for _ in range(MAX_READS):
        before = journal.moment(infrastructures)
        read_so_far.append(read())
        after = journal.moment(infrastructures)
        if before.wanting or after.wanting:
            settle()
            after = journal.moment(infrastructures)
        # What is half way still, after it was waited for, may be so for long.
        if before == after and (not after.half_way or len(read_so_far) > 1):
            return read_so_far[-1:]
    return read_so_far


def raise_if_missing_for_now(infrastructures: Collection[Infrastructure], flavorid: str) -> None:
    """Raise an error of the cloud when a flavor that was not found is missing only until its replacement is settled.

    Raises:
        CloudUnavailable: it is.

    Cost: one query.
    """
    written = journal.find(dict.fromkeys(infrastructures, flavorid))
    for infrastructure in infrastructures:
        record = written.get(infrastructure.pk)
        if record and record.wanted:
            raise CloudUnavailable(
                infrastructure.name, f"flavor {flavorid} is being replaced, and not there again yet."
            )
