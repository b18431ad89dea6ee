"""Who may do what with the catalogue."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

PROMOTE = "flavors.promote_flavor"


class ManagesPromotedFlavors(BasePermission):
    """Everybody may read; writing requires the permission that the role InfrastructureManager gives."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the caller may. Cost: one query if a caller with an IdM token writes."""
        return request.method in SAFE_METHODS or request.user.has_perm(PROMOTE)
