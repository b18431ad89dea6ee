"""A small site to try the API's common ground on, with views that do as they are told."""

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flavorsync_project.api import errors
from flavorsync_project.api.metadata import NoMetadata
from flavorsync_project.api.serializers import StrictBooleanField, StrictCharField, StrictIntegerField, unwrap
from flavorsync_project.telemetry.request_id import current_request_id
from infrastructures.fields import FlavorIdField, NameField, NodesField
from infrastructures.openstack.rules import MAX_INTEGER


class GatewayError(APIException):
    """502: what a cloud behind the service fails with."""

    status_code = 502


class FlavorSerializer(serializers.Serializer[Any]):
    id = FlavorIdField(required=False)
    name = NameField()
    vcpus = StrictIntegerField(min_value=1, max_value=MAX_INTEGER)
    swap = StrictIntegerField(min_value=0, max_value=MAX_INTEGER, required=False)
    promoted = StrictBooleanField(required=False)
    nodes = NodesField(required=False)


class InfrastructureSerializer(serializers.Serializer[Any]):
    name = NameField()
    password = StrictCharField()


class Echo(APIView):
    """Answers with what the serializer made of the body."""

    authentication_classes = []
    permission_classes = [AllowAny]
    metadata_class = NoMetadata

    def get(self, request: Request) -> Response:
        return Response({"flavor": {"id": "1", "name": "tiny"}})

    def post(self, request: Request) -> Response:
        serializer = FlavorSerializer(data=unwrap(request, "flavor"))
        serializer.is_valid(raise_exception=True)
        return Response({"flavor": serializer.data}, status=201)

    def put(self, request: Request) -> Response:
        serializer = InfrastructureSerializer(data=unwrap(request, "infrastructure"))
        serializer.is_valid(raise_exception=True)
        return Response({"infrastructure": {"name": serializer.validated_data["name"]}})

    def delete(self, request: Request) -> Response:
        return Response(status=204)


class Token(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        token = request.query_params.get("access_token", request.headers.get("X-Auth-Token"))
        if token is None:
            return None
        if token == "down":
            raise errors.ServiceUnavailable("The IdM does not answer.", wait=7)
        if token not in {"basic", "manager"}:
            raise exceptions.AuthenticationFailed("The token is invalid.")
        return _Caller(token), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Flavor Sync"'


class _Caller:
    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.name = name


class ManagersWrite(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in {"GET", "HEAD", "OPTIONS"} or request.user.name == "manager"  # type: ignore[union-attr]


class Protected(APIView):
    """A view behind tokens, without the plain text."""

    authentication_classes = [Token]
    permission_classes = [IsAuthenticated, ManagersWrite]

    def get(self, request: Request) -> Response:
        return Response({"flavors": []})

    def put(self, request: Request) -> Response:
        raise errors.MethodNotAllowedHere("The nodes of a flavor are not set here.", allow=("GET", "DELETE"))

    def post(self, request: Request) -> Response:
        raise errors.Unauthorized("Spain2: the token is refused", www_authenticate='Keystone realm="Spain2"')

    def delete(self, request: Request) -> Response:
        raise errors.Forbidden("Spain2: policy does not let you do this")


class PlainTextRefusals(Protected):
    plain_text_refusals = True


RAISED: dict[str, Exception] = {
    "api-404": exceptions.NotFound("The flavor 42 does not exist"),
    "http-404": Http404("No such flavor"),
    "bare-404": Http404(),
    "django-403": DjangoPermissionDenied("Not yours"),
    "django-400": DjangoValidationError({"vcpus": ["Too few."], "__all__": ["Nothing fits."]}),
    "django-400-plain": DjangoValidationError("Nothing fits."),
    "rest-400": exceptions.ValidationError({"a": {"b": ["is wrong", "is odd"]}, "nodes": [{}, ["is no name"]]}),
    "rest-400-none": exceptions.ValidationError({"non_field_errors": ["Nothing fits."]}),
    "conflict": errors.Conflict("The name tiny is taken"),
    "protected": ProtectedError("Cannot delete some instances of model 'Secret'", set()),
    "suspicious": SuspiciousOperation("settings.SOMETHING is suspicious"),
    "unreadable": UnreadablePostError("connection reset by 10.0.0.1"),
    "throttled": exceptions.Throttled(wait=12),
    "gateway": GatewayError("Spain2: no answer"),
    "unavailable": errors.ServiceUnavailable(wait=9),
    "database": OperationalError(2006, "Server at 10.0.0.1 has gone away"),
    "connection": InterfaceError(0, ""),
    "surrogate": exceptions.ParseError("a lone \ud800 surrogate and a control \x07"),
    "bug": RuntimeError("secret detail of a bug"),
}


class Raises(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    def get(self, request: Request, what: str) -> Response:
        raise RAISED[what]


class Page(APIView):
    """A page as the API's documentation has it: HTML, and no other renderer."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [TemplateHTMLRenderer]

    def get(self, request: Request) -> Response:
        raise exceptions.NotFound("No page")


class Id(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]
    seen: ClassVar[list[str]] = []

    def get(self, request: Request) -> Response:
        self.seen.append(current_request_id())
        return Response(status=204)


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret detail of a bug")


def bad(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("settings.SOMETHING is suspicious")


def refused(request: HttpRequest) -> HttpResponse:
    raise DjangoPermissionDenied("Not yours")


def reads_body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


urlpatterns = [
    path("v1/echo", Echo.as_view()),
    path("v1/protected", Protected.as_view()),
    path("v1/plain", PlainTextRefusals.as_view()),
    path("v1/raises/<what>", Raises.as_view()),
    path("v1/page", Page.as_view()),
    path("v1/id", Id.as_view()),
]
for prefix in ("", "v1/", "api/v1/"):
    urlpatterns += [
        path(f"{prefix}broken", broken),
        path(f"{prefix}bad", bad),
        path(f"{prefix}refused", refused),
        path(f"{prefix}body", reads_body),
    ]
handler400 = "flavorsync_project.api.handlers.bad_request"
handler403 = "flavorsync_project.api.handlers.forbidden"
handler404 = "flavorsync_project.api.handlers.not_found"
handler500 = "flavorsync_project.api.handlers.server_error"
