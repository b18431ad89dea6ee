"""Reaching the registered clouds: one, or several side by side."""

import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.conf import settings

from flavorsync_project.encryption import Undecryptable
from infrastructures.models import Infrastructure
from infrastructures.openstack.entering import OperatorsNova
from infrastructures.openstack.errors import (
    CloudError,
    CloudTimedOut,
    CloudUnavailable,
    CredentialsMissing,
)
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import Credentials, Doubt, Region

T = TypeVar("T")


R = TypeVar("R")


CLOUDS_AT_ONCE = 16


SECONDS_BEFORE_RETRY = (0.1, 0.6)


def region_of(infrastructure: Infrastructure) -> Region:
    """Return the infrastructure's location in the OpenStack boundary's terms."""
    return Region(
        name=infrastructure.name,
        keystone_url=infrastructure.effective_keystone_url,
        region_name=infrastructure.region_name,
        central_keystone_url=settings.KEYSTONE_URL,
    )


def credentials_of(infrastructure: Infrastructure) -> Credentials:
    """Return our stored credentials for the infrastructure.

    Raises:
        CredentialsMissing: there are none, or they cannot be decrypted.
    """
    if not infrastructure.has_credentials:
        raise CredentialsMissing(infrastructure.name, "no credentials are stored for it.")
    try:
        password = infrastructure.get_password()
    except Undecryptable as error:
        raise CredentialsMissing(
            infrastructure.name, "its stored password cannot be read with FIELD_ENCRYPTION_KEYS."
        ) from error
    return Credentials(
        region=region_of(infrastructure),
        nova_url=infrastructure.nova_url,
        tenant=infrastructure.tenant,
        username=infrastructure.username,
        password=password,
        user_domain=infrastructure.user_domain,
        project_domain=infrastructure.project_domain,
    )


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[T]):
    """The outcome of some work in one cloud: its result or the error, and whether its changes are in doubt."""

    infrastructure: Infrastructure
    result: T | None = None
    error: CloudError | None = None
    doubt: Doubt = Doubt.NONE


def in_each_cloud(
    infrastructures: Iterable[Infrastructure], work: Callable[[Nova], T], *, retries: bool = False
) -> list[Outcome[T]]:
    """Run *work* in several clouds side by side, with our own credentials, and return the outcome in each.

    One cloud's failure does not affect the others. *work* runs in its own thread, so it must not use the
    database, and no transaction may be open.

    Args:
        retries: whether to try once more when the cloud fails, as `with_one_retry` does; only for work
            that changes nothing.

    Cost: the time of the slowest cloud, for up to `CLOUDS_AT_ONCE` of them; no query.
    """
    return side_by_side(infrastructures, lambda infrastructure: _work_in(infrastructure, work, retries))


def side_by_side(infrastructures: Iterable[Infrastructure], work: Callable[[Infrastructure], R]) -> list[R]:
    """Run *work* for each cloud, each in its own thread, and return the results in the clouds' order.

    *work* must not use the database, and no transaction may be open.

    Cost: the time of the slowest cloud, for up to `CLOUDS_AT_ONCE` of them; no query.
    """
    infrastructures = list(infrastructures)
    if not infrastructures:
        return []
    with ThreadPoolExecutor(min(len(infrastructures), CLOUDS_AT_ONCE)) as pool:
        # Each thread works in a copy of our context, so that its log lines have the request's id.
        futures = [pool.submit(copy_context().run, work, infrastructure) for infrastructure in infrastructures]
        return [future.result() for future in futures]


def with_one_retry(work: Callable[[], T]) -> T:
    """Return what *work* returns; after a transient failure, wait a moment and try once more.

    The wait is random, so that a cloud that recovers does not get all retries at once. A time-out is not retried: the
    retry would most likely take as long again.
    """
    try:
        return work()
    except CloudUnavailable as error:
        if not error.retryable or isinstance(error, CloudTimedOut):
            raise
    time.sleep(random.uniform(*SECONDS_BEFORE_RETRY))  # noqa: S311 — no secret
    return work()


def _work_in(infrastructure: Infrastructure, work: Callable[[Nova], T], retries: bool) -> Outcome[T]:
    doubt = Doubt.NONE

    def attempt() -> T:
        nonlocal doubt
        nova = open_nova(infrastructure)
        try:
            return work(nova)
        finally:
            doubt = nova.doubt

    result, error = None, None
    try:
        result = with_one_retry(attempt) if retries else attempt()
    except CloudError as caught:
        error = caught
    return Outcome(infrastructure=infrastructure, result=result, error=error, doubt=doubt)


def open_nova(infrastructure: Infrastructure) -> OperatorsNova:
    """Enter the infrastructure's Nova with our own credentials.

    Raises and cost: as `credentials_of` and `OperatorsNova`.
    """
    return OperatorsNova(credentials_of(infrastructure))
