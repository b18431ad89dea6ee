"""The HTTP API of the synchronisation: the status of nodes, and runs."""

from dataclasses import replace
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flavorsync_project.api.openapi import WITH_BODY, document, errors
from flavorsync_project.api.pagination import MarkerPagination
from flavorsync_project.api.parameters import choices, flag
from flavorsync_project.api.serializers import unwrap, wrapped
from synchronisation import runs
from synchronisation.history import ALL, Choice
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.permissions import SynchronisesNodes
from synchronisation.retiring import retirements
from synchronisation.serializers import (
    RUN_DOCUMENT,
    STATUS_DOCUMENT,
    RetiringSerializer,
    StatusSerializer,
    SummedUpSerializer,
    SyncRunCreationSerializer,
    SyncRunInFullSerializer,
    SyncRunSerializer,
)

LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[202], description="Where to follow the run."
)
ID = OpenApiParameter("id", str, OpenApiParameter.PATH)
NODE = OpenApiParameter("node", str, many=True, description="Only this node; may be given several times.")


class NodePagination(MarkerPagination):
    """Pages of the nodes in a document, by name."""

    item_id = "name"

    def __init__(self, root: str) -> None:
        self.root = root


def _pages_of_nodes() -> list[OpenApiParameter]:
    limit = "How many nodes to return at most. All of them when 0 or not given."
    marker = "The name of the last node of the page before."
    return [
        OpenApiParameter("limit", {"type": "integer", "minimum": 0}, description=limit),
        OpenApiParameter("marker", str, description=marker),
    ]


class SyncStatusView(APIView):
    """What nodes have of the promoted flavors: each node's Nova is asked or, in a summary, none."""

    permission_classes = [IsAuthenticated, SynchronisesNodes]

    @extend_schema(
        operation_id="show_sync_status",
        summary="Compare the promoted flavors with what nodes have",
        parameters=[
            NODE,
            OpenApiParameter("flavor", str, many=True, description="Only the flavor of this id; the same."),
            OpenApiParameter(
                "summary",
                bool,
                description="Only how many flavors are in each state, as last seen: no cloud is asked.",
            ),
            *_pages_of_nodes(),
        ],
        responses={200: STATUS_DOCUMENT} | errors(400, 403, 404),
    )
    def get(self, request: Request) -> Response:
        """Compare the promoted flavors with what nodes have right now, all nodes in parallel; nothing is changed.

        A node that cannot be reached is in the response, with the reason. With `limit` only that many nodes are asked.
        """
        pages = NodePagination("status")
        nodes = runs.status_nodes(user=request.user, names=choices(request, "node"))
        page = pages.paginate_queryset(nodes, request)
        flavorids = choices(request, "flavor")
        status: Any
        if flag(request, "summary"):
            status = SummedUpSerializer(runs.last_status(nodes=page, flavorids=flavorids))
        else:
            status = StatusSerializer(runs.current_status(nodes=page, flavorids=flavorids))
        retired: Any = retirements(nodes)
        told = {"retiring": RetiringSerializer(retired, many=True).data} if retired else {}
        return pages.get_paginated_response({**status.data, **told})


class RunPagination(MarkerPagination):
    """Pages of runs, newest first. There is no page of all: three months of runs every minute are 130,000."""

    root = "runs"
    ordering = ("-id",)
    default_limit = 100
    max_limit = 1000

    def _rows_after(self, queryset: QuerySet[Model], marker: str) -> QuerySet[Model]:
        if not runs.is_run_id(marker):
            raise self._unknown(marker)
        return super()._rows_after(queryset, marker)


class SyncRunViewSet(viewsets.GenericViewSet[SyncRun]):
    """Synchronisation runs: over all nodes for managers, over their own nodes for operators."""

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
        """List the runs that the caller may see, newest first, in pages; `Link` names the next page.

        Cost: one query, two with a marker, whatever the number of runs; some more to identify the caller.
        """
        page: Any = self.paginate_queryset(runs.visible_runs(request.user))
        return self.get_paginated_response(SyncRunSerializer(page, many=True).data)

    @extend_schema(
        operation_id="start_sync_run",
        summary="Start a synchronisation run",
        parameters=[LOCATION],
        request=document(wrapped("run", SyncRunCreationSerializer()), example={"dry_run": True}),
        responses={202: RUN_DOCUMENT} | errors(403, 409, *WITH_BODY),
    )
    def create(self, request: Request) -> Response:
        """Put a run into the queue, for a worker to carry out."""
        values = SyncRunCreationSerializer(data=unwrap(request, "run"))
        values.is_valid(raise_exception=True)
        run = runs.start(user=request.user, values=values.validated_data)
        location = request.build_absolute_uri(f"{request.path.rstrip('/')}/{run.pk}")
        return Response({"run": _in_full(request, run)}, status=202, headers={"Location": location})

    @extend_schema(
        operation_id="show_sync_run",
        summary="Show a synchronisation run",
        parameters=[
            ID,
            NODE,
            OpenApiParameter(
                "state",
                str,
                many=True,
                enum=SyncOutcome.State.values,
                description="Only nodes with a flavor in this state, and no other flavors; may be given several times.",
            ),
            *_pages_of_nodes(),
        ],
        responses={200: RUN_DOCUMENT} | errors(400, 403, 404),
    )
    def retrieve(self, request: Request, id: str) -> Response:
        """Show a run's progress, and the outcome of each flavor in each node that the caller may see."""
        run = runs.find_run(user=request.user, run_id=id)
        choice = Choice(names=choices(request, "node") or None, states=_states(request))
        pages = NodePagination("run")
        page = pages.paginate_queryset(runs.names_in_run(user=request.user, run=run, choice=choice), request)
        chosen = replace(choice, names=[node.name for node in page])
        return pages.get_paginated_response(_in_full(request, run, chosen))

    @extend_schema(
        operation_id="cancel_sync_run",
        summary="Cancel a synchronisation run",
        parameters=[ID],
        responses={202: RUN_DOCUMENT} | errors(403, 404, 409),
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Have a run begin no further node, and stop in each of the others after its current step.

        It ends as `cancelled`, at once or within seconds. What it has done by then is not undone.
        """
        run = runs.cancel(user=request.user, run_id=id)
        return Response({"run": _in_full(request, run)}, status=202)


def _in_full(request: Request, run: SyncRun, choice: Choice = ALL) -> Any:
    shown: Any = runs.in_full(user=request.user, run=run, choice=choice)
    return SyncRunInFullSerializer(shown).data


def _states(request: Request) -> list[str]:
    states = choices(request, "state")
    if unknown := set(states) - set(SyncOutcome.State.values):
        raise ValidationError({"state": [f"must be one of {', '.join(SyncOutcome.State.values)}, not {min(unknown)}"]})
    return states
