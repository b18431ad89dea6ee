"""Who may synchronise."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from flavors.permissions import PROMOTE
from infrastructures.models import Infrastructure
from infrastructures.registration import REGISTER


class SynchronisesNodes(BasePermission):
    """Managers of the promoted flavors may, and operators of nodes."""

    message = "Only the role InfrastructureManager and operators of a node may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the caller may; two queries, one more for a local account without either permission."""
        user = request.user
        return user.has_perm(PROMOTE) or user.has_perm(REGISTER) or Infrastructure.objects.operated_by(user).exists()
