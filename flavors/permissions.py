"""Who may do what with the catalogue."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from infrastructures.models import Infrastructure
from infrastructures.registration import REGISTER

PROMOTE = "flavors.promote_flavor"


class ManagesPromotedFlavors(BasePermission):
    """Everybody may read; writing takes the permission that the role InfrastructureManager gives."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the caller may; one query for a caller with an IdM token that writes."""
        return request.method in SAFE_METHODS or request.user.has_perm(PROMOTE)


class SynchronisesNodes(BasePermission):
    """Managers of the promoted flavors may, and operators of nodes."""

    message = "This takes the role InfrastructureManager, or an operator of a node."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the caller may; two queries, one more for a local account without either permission."""
        user = request.user
        return user.has_perm(PROMOTE) or user.has_perm(REGISTER) or Infrastructure.objects.operated_by(user).exists()
