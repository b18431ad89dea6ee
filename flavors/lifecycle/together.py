"""Changing several clouds together: locking them, undoing the change in all of them, reporting those that failed."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

from rest_framework.exceptions import APIException, ErrorDetail

from infrastructures.clouds import Outcome, open_nova
from infrastructures.commits import MayBeWritten, NotWritten
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError
from infrastructures.replacements.changes import alone_with, delete_in_each_cloud
from infrastructures.replacements.replacing import settle_replacements

logger = logging.getLogger(__name__)


class PartlyDone(APIException):
    """The first failure of work in several clouds, with its status. The message says where it was done and where not.

    `done` are the names of the clouds where it was done, `reasons` say why for each of the others.
    """

    def __init__(self, failures: Mapping[str, APIException], *, verb: str, done: Iterable[str]) -> None:
        self.status_code = next(iter(failures.values())).status_code
        self.done = list(done)
        self.reasons = [str(error.detail) for error in failures.values()]
        where = f"{verb} in {', '.join(self.done)}, but not in" if self.done else f"Not {verb.lower()} in"
        super().__init__(f"{where} {', '.join(failures)}. {' '.join(self.reasons)}")


@contextmanager
def alone_in(infrastructures: Iterable[Infrastructure], flavorid: str, *, name: str | None = None) -> Iterator[None]:
    """Keep everybody else from changing the flavor in these clouds meanwhile; settle what was cut short there."""
    infrastructures = list(infrastructures)
    settled(infrastructures)
    with ExitStack() as locks:
        for infrastructure in sorted(infrastructures, key=lambda infrastructure: infrastructure.pk):
            locks.enter_context(alone_with(infrastructure, flavorid, name=name))
        yield


def settled(infrastructures: Iterable[Infrastructure]) -> bool:
    """Settle the replacements that were cut short in these clouds; return whether there were any.

    Cost: one query; in clouds with replacements the cost of `settle_replacements`, one cloud after the other.
    """
    unsettled = Infrastructure.objects.filter(pk__in=[infrastructure.pk for infrastructure in infrastructures])
    unsettled = unsettled.with_credentials().filter(replacements__isnull=False).distinct()
    for infrastructure in unsettled:
        try:
            settle_replacements(infrastructure=infrastructure, nova=open_nova(infrastructure))
        except CloudError as error:  # they stay open; work in that cloud will fail and say so
            logger.warning("%s: a replacement stays open: %s", infrastructure, error)
    return bool(unsettled)


@contextmanager
def taken_back(flavorid: str, infrastructures: Collection[Infrastructure]) -> Iterator[None]:
    """Delete the flavor from these clouds, which have just received it, if what follows fails.

    Not if the record may have been written: a flavor that is only in Nova is found again, one that is only in the
    catalogue is lost. And not if the locks are lost, and with them the right to delete anything.
    """
    try:
        yield
    except (MayBeWritten, NotWritten):
        names = ", ".join(sorted(infrastructure.name for infrastructure in infrastructures))
        logger.error("The connection was lost: flavor %s stays in %s, recorded or not", flavorid, names or "no node")
        raise
    except Exception as error:
        kept = []
        for outcome in delete_in_each_cloud(dict.fromkeys(infrastructures, flavorid)):
            if outcome.error:
                logger.error("%s: flavor %s stays unrecorded: %s", outcome.infrastructure, flavorid, outcome.error)
                kept.append(outcome.infrastructure.name)
        if kept and isinstance(error, APIException):
            error.detail = ErrorDetail(
                f"{error.detail} It could not be removed from {', '.join(kept)}, where it stays private."
            )
        raise


def raise_first(outcomes: Sequence[Outcome[Any]]) -> None:
    """Raise the first error among the outcomes, if there is one."""
    for outcome in outcomes:
        if outcome.error:
            raise outcome.error


def raise_partly(outcomes: Sequence[Outcome[Any]], *, verb: str) -> None:
    """Raise one cloud's error as it is; for several clouds raise the first, saying where it was done and where not."""
    failures: dict[str, APIException] = {
        outcome.infrastructure.name: outcome.error for outcome in outcomes if outcome.error
    }
    if failures:
        done = [outcome.infrastructure.name for outcome in outcomes if not outcome.error]
        raise_what_failed(failures, verb=verb, done=done)


def raise_what_failed(failures: Mapping[str, APIException], *, verb: str, done: Sequence[str]) -> NoReturn:
    """Raise as `raise_partly` does, given the clouds' names."""
    if len(failures) == 1 and not done:
        raise next(iter(failures.values()))
    raise PartlyDone(failures, verb=verb, done=done)
