"""Infrastructures over HTTP: an operator registers a cloud, and unregisters it."""

from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from flavorsync_project.api.openapi import WITH_BODY, document, errors
from flavorsync_project.api.serializers import unwrap, wrapped
from infrastructures import registration
from infrastructures.models import Infrastructure
from infrastructures.serializers import (
    INFRASTRUCTURE_DOCUMENT,
    InfrastructureRegistrationSerializer,
    InfrastructureSerializer,
)

EXAMPLE = {
    "name": "Example",
    "keystone_url": "https://keystone.example.org:5000/v3",
    "username": "flavor-sync",
    "password": "the password of that account",
    "tenant": "flavors",
}


class InfrastructureViewSet(viewsets.ViewSet):
    """The clouds that operators have registered, with the credentials to enter them."""

    permission_classes = [IsAuthenticated]
    lookup_url_kwarg = "name"
    lookup_value_regex = "[^/]+"

    @extend_schema(
        operation_id="register_infrastructure",
        summary="Register an infrastructure",
        request=document(wrapped("infrastructure", InfrastructureRegistrationSerializer()), example=EXAMPLE),
        responses={201: INFRASTRUCTURE_DOCUMENT} | errors(403, 409, *WITH_BODY),
    )
    def create(self, request: Request) -> Response:
        """Register a cloud with the credentials to enter it; the caller becomes its operator.

        The cloud is not contacted. The credentials are never returned.
        """
        values = InfrastructureRegistrationSerializer(data=unwrap(request, "infrastructure"))
        values.is_valid(raise_exception=True)
        infrastructure = registration.register_infrastructure(values=values.validated_data, registrant=request.user)
        return Response({"infrastructure": InfrastructureSerializer(infrastructure).data}, status=201)

    @extend_schema(
        operation_id="unregister_infrastructure",
        summary="Unregister an infrastructure",
        responses={204: None}
        | errors(403, 404, 409, s409="A flavor of the catalogue is installed there, or being replaced."),
    )
    def destroy(self, request: Request, name: str) -> Response:
        """Forget a cloud that the caller operates, and its credentials."""
        infrastructure = Infrastructure.objects.filter(name=name).first()
        if infrastructure is None:
            raise NotFound(f"The infrastructure {name} does not exist")
        if not Infrastructure.objects.operated_by(request.user).filter(pk=infrastructure.pk).exists():
            raise PermissionDenied(f"You do not operate the infrastructure {name}.")
        registration.unregister_infrastructure(infrastructure=infrastructure)
        return Response(status=204)
