"""Reaching the clouds that are registered: alone, or several side by side."""

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
    """Return where the infrastructure's Nova is, as the OpenStack boundary takes it."""
    return Region(
        name=infrastructure.name,
        keystone_url=infrastructure.effective_keystone_url,
        region_name=infrastructure.region_name,
        central_keystone_url=settings.KEYSTONE_URL,
    )


def credentials_of(infrastructure: Infrastructure) -> Credentials:
    """Return how we enter the infrastructure by ourselves.

    Raises:
        CredentialsMissing: we hold none for it, or cannot read them.
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
    """What came of some work in one cloud: its result, or the error; and what is not known of its changes."""

    infrastructure: Infrastructure
    result: T | None = None
    error: CloudError | None = None
    doubt: Doubt = Doubt.NONE


def in_each_cloud(
    infrastructures: Iterable[Infrastructure], work: Callable[[Nova], T], *, retries: bool = False
) -> list[Outcome[T]]:
    """Do *work* in several clouds side by side, with our own credentials, and return what came of it in each.

    One cloud's failure does not touch another's work. *work* runs in a thread of its own, and so
    must not use the database; nor must a transaction be open.

    Args:
        retries: whether work that the cloud failed is begun once more, as `with_one_retry` does; only
            for work that changes nothing.

    Cost: the slowest cloud's time, with up to `CLOUDS_AT_ONCE` of them; no query.
    """
    return side_by_side(infrastructures, lambda infrastructure: _work_in(infrastructure, work, retries))


def side_by_side(infrastructures: Iterable[Infrastructure], work: Callable[[Infrastructure], R]) -> list[R]:
    """Return what *work* returns for each cloud, in their order, having done it in threads of their own.

    *work* must not use the database; nor must a transaction be open.

    Cost: the slowest cloud's time, with up to `CLOUDS_AT_ONCE` of them; no query.
    """
    infrastructures = list(infrastructures)
    if not infrastructures:
        return []
    with ThreadPoolExecutor(min(len(infrastructures), CLOUDS_AT_ONCE)) as pool:
        # Each thread works in a copy of our context: its log lines bear the request's id.
        futures = [pool.submit(copy_context().run, work, infrastructure) for infrastructure in infrastructures]
        return [future.result() for future in futures]


def with_one_retry(work: Callable[[], T]) -> T:
    """Return what *work* does, done again after a moment when the cloud failed in a way that may pass.

    The moment is of a random length, so that a cloud that comes back is not met by all at once.
    """
    try:
        return work()
    except CloudUnavailable as error:
        if not error.retryable:
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
    """Return the infrastructure's Nova, entered with our own credentials.

    Raises and cost: as `credentials_of` and `OperatorsNova`.
    """
    return OperatorsNova(credentials_of(infrastructure))
