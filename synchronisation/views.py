"""The synchronisation over HTTP: what nodes have, and runs that make it so."""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flavorsync_project.api.openapi import WITH_BODY, document, errors
from flavorsync_project.api.pagination import MarkerPagination
from flavorsync_project.api.serializers import unwrap, wrapped
from synchronisation import runs
from synchronisation.models import SyncRun
from synchronisation.permissions import SynchronisesNodes
from synchronisation.serializers import (
    RUN_DOCUMENT,
    STATUS_DOCUMENT,
    StatusSerializer,
    SyncRunCreationSerializer,
    SyncRunInFullSerializer,
    SyncRunSerializer,
)

LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[202], description="Where to look how far the run is."
)
ID = OpenApiParameter("id", str, OpenApiParameter.PATH)


class SyncStatusView(APIView):
    """What nodes have of the promoted flavors, asked of each node's Nova."""

    permission_classes = [IsAuthenticated, SynchronisesNodes]

    @extend_schema(
        operation_id="show_sync_status",
        summary="Compare the promoted flavors with what nodes have",
        parameters=[
            OpenApiParameter("node", str, many=True, description="Only this node; may be given several times."),
            OpenApiParameter("flavor", str, many=True, description="Only the flavor of this id; the same."),
        ],
        responses={200: STATUS_DOCUMENT} | errors(403, 404),
    )
    def get(self, request: Request) -> Response:
        """Compare the promoted flavors with what nodes have right now, all nodes side by side; nothing is changed.

        A node that cannot be reached is in the answer, with the reason.
        """
        status = runs.current_status(
            user=request.user, nodes=_chosen(request, "node"), flavorids=_chosen(request, "flavor")
        )
        return Response({"status": StatusSerializer(status).data})


class RunPagination(MarkerPagination):
    """Pages of runs, newest first. Nobody wants all of them: in three months of looks every minute they are 130,000."""

    root = "runs"
    ordering = ("-id",)
    default_limit = 100
    max_limit = 1000

    def _rows_after(self, queryset: QuerySet[Model], marker: str) -> QuerySet[Model]:
        if not runs.is_run_id(marker):
            raise self._unknown(marker)
        return super()._rows_after(queryset, marker)


class SyncRunViewSet(viewsets.GenericViewSet[SyncRun]):
    """Synchronisation runs: over all nodes for managers, over their own for operators."""

    queryset = SyncRun.objects.all()
    serializer_class = SyncRunSerializer
    pagination_class = RunPagination
    permission_classes = [IsAuthenticated, SynchronisesNodes]
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"

    @extend_schema(
        operation_id="list_sync_runs",
        summary="List the synchronisation runs",
        responses={200: SyncRunSerializer(many=True)} | errors(403),
    )
    def list(self, request: Request) -> Response:
        """List the runs that the caller may see, newest first, in pages; `Link` names the next one.

        Cost: one query, two with a marker, whatever the number of runs; some more for who is calling.
        """
        page: Any = self.paginate_queryset(runs.visible_runs(request.user))
        return self.get_paginated_response(SyncRunSerializer(page, many=True).data)

    @extend_schema(
        operation_id="start_sync_run",
        summary="Start a synchronisation run",
        parameters=[LOCATION],
        request=document(wrapped("run", SyncRunCreationSerializer())),
        responses={202: RUN_DOCUMENT} | errors(403, 409, *WITH_BODY),
    )
    def create(self, request: Request) -> Response:
        """Put a run into the queue, which a worker then carries out."""
        values = SyncRunCreationSerializer(data=unwrap(request, "run"))
        values.is_valid(raise_exception=True)
        run = runs.start(user=request.user, values=values.validated_data)
        location = request.build_absolute_uri(f"{request.path.rstrip('/')}/{run.pk}")
        return Response({"run": SyncRunInFullSerializer(run).data}, status=202, headers={"Location": location})

    @extend_schema(
        operation_id="show_sync_run",
        summary="Show a synchronisation run",
        parameters=[ID],
        responses={200: RUN_DOCUMENT} | errors(403, 404),
    )
    def retrieve(self, request: Request, id: str) -> Response:
        """Show how far a run is, and what came of each flavor in each of the nodes that the caller may see."""
        return Response({"run": SyncRunInFullSerializer(runs.find_run(user=request.user, run_id=id)).data})


def _chosen(request: Request, name: str) -> list[str]:
    """Return what a filter names; a bare one names nothing."""
    return [value for value in dict.fromkeys(request.query_params.getlist(name)) if value]
