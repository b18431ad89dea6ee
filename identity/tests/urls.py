"""Two views to be authenticated at: one for anybody, one for those who are known."""

from django.urls import path
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class OpenView(APIView):
    """Say who is asking, to anybody."""

    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        return Response({"kind": type(request.user).__name__, "username": request.user.username})


class ProtectedView(OpenView):
    """Say who is asking, to those who are known."""

    permission_classes = [IsAuthenticated]


urlpatterns = [path("open", OpenView.as_view()), path("protected", ProtectedView.as_view())]
