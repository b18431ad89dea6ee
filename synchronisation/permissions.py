"""Permissions of the synchronisation."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from flavors.permissions import PROMOTE
from identity.callers import Caller
from infrastructures.models import Infrastructure
from infrastructures.querysets import InfrastructureQuerySet
from infrastructures.registration import REGISTER

VIEW = "synchronisation.view_syncrun"


def may_synchronise(user: Caller) -> bool:
    """Say whether *user* has a role that permits it, in all nodes or in their own; one query the first time."""
    return bool(user.has_perm(PROMOTE) or user.has_perm(REGISTER))


def nodes_to_synchronise(user: Caller) -> InfrastructureQuerySet:
    """Return the nodes with credentials that *user* may synchronise: all for managers, for operators their own."""
    return Infrastructure.objects.with_credentials().usable_by(user, all_with=PROMOTE)


def nodes_told_of(user: Caller) -> InfrastructureQuerySet | None:
    """Return the nodes of runs that *user* may see: operators' own; all (None) for managers and viewers of runs."""
    if user.has_perm(PROMOTE) or user.has_perm(VIEW):
        return None
    return Infrastructure.objects.operated_by(user)


class SynchronisesNodes(BasePermission):
    """Permission for managers of the promoted flavors, and for operators of a node."""

    message = "Only the role InfrastructureManager and operators of a node may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the caller has it; two queries, one more for a local account without either permission."""
        return may_synchronise(request.user) or Infrastructure.objects.operated_by(request.user).exists()
