"""Checking whether we can enter a cloud, find its Nova, and manage flavors there."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from django.db import connection
from django.utils import timezone

from infrastructures.clouds import credentials_of, side_by_side
from infrastructures.models import Check, Infrastructure
from infrastructures.openstack.entering import OperatorsNova
from infrastructures.openstack.errors import CloudError
from infrastructures.openstack.keystone import authenticate, compute_endpoint


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """What our stored credentials let us do in a cloud.

    `compute_endpoint` and `microversion` are empty if the check did not get that far. What we may do is None in
    that case, or if the cloud has no flavor to try it with. `problem` says what stopped us, if anything did.
    """

    infrastructure: Infrastructure
    authenticated: bool = False
    compute_endpoint: str = ""
    microversion: str = ""
    may_create_flavors: bool | None = None
    may_delete_flavors: bool | None = None
    problem: str = ""

    @property
    def is_ready(self) -> bool:
        """Say whether the check found no problem."""
        return not self.problem


def check_infrastructures(infrastructures: Iterable[Infrastructure]) -> list[Readiness]:
    """Ask these clouds, side by side, what our credentials let us do there. Changes nothing there.

    Cost: in each cloud one Keystone call and up to four of Nova's: the versions, `GET /flavors/detail?limit=2`,
    and a `POST` and a `DELETE` of flavors that Nova refuses in any case.
    """
    return side_by_side(infrastructures, _check)


def check_and_keep(infrastructures: Iterable[Infrastructure]) -> list[Check]:
    """Check these clouds, and store the outcome in place of the previous one.

    Cost: as `check_infrastructures`, and one query.
    """
    checked_at = timezone.now()
    members = [field.name for field in fields(Readiness)]
    return Check.objects.bulk_create(
        [
            Check(checked_at=checked_at, **{member: getattr(readiness, member) for member in members})
            for readiness in check_infrastructures(infrastructures)
        ],
        update_conflicts=True,
        update_fields=["checked_at", *(member for member in members if member != "infrastructure")],
        # MySQL's upsert names no columns.
        unique_fields=["infrastructure"] if connection.features.supports_update_conflicts_with_target else None,
    )


def _check(infrastructure: Infrastructure) -> Readiness:
    readiness = Readiness(infrastructure=infrastructure)
    try:
        credentials = credentials_of(infrastructure)
        authenticate(credentials)
        readiness = replace(readiness, authenticated=True)
        readiness = replace(readiness, compute_endpoint=compute_endpoint(credentials))
        nova = OperatorsNova(credentials)
        readiness = replace(readiness, microversion=nova.microversion)
        readiness = replace(readiness, may_create_flavors=nova.may_create_flavors())
        readiness = replace(readiness, may_delete_flavors=nova.may_delete_flavors())
    except CloudError as error:
        return replace(readiness, problem=str(error.detail))
    return replace(readiness, problem=_refusals(readiness))


def _refusals(readiness: Readiness) -> str:
    allowed = {"create": readiness.may_create_flavors, "delete": readiness.may_delete_flavors}
    refused = [verb for verb, may in allowed.items() if may is False]
    if not refused:
        return ""
    return f"{readiness.infrastructure}: our account may not {' or '.join(refused)} flavors there."
