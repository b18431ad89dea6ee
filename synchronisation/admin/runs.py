"""The synchronisation runs in the admin site, with their progress."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, URLResolver, path
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import APIException

from flavorsync_project.console.words import counted
from flavorsync_project.moments import column
from synchronisation.history import Choice, progress_of
from synchronisation.models import Progress, SyncNode, SyncOutcome, SyncRun
from synchronisation.permissions import may_synchronise, nodes_told_of
from synchronisation.runs import cancel, may_cancel, visible_runs
from synchronisation.story import story_of

LOOKS = {
    SyncRun.State.WAITING: ("unknown", "… waiting"),
    SyncRun.State.RUNNING: ("promoted", "▶ running"),
    SyncRun.State.IN_SYNC: ("good", "✓ in sync"),
    SyncRun.State.DRIFT: ("missing", "≠ drift found"),
    SyncRun.State.PARTLY_DONE: ("missing", "◐ partly done"),
    SyncRun.State.FAILED: ("differs", "✕ failed"),
    SyncRun.State.CANCELLED: ("missing", "⊘ cancelled"),
}
# The most nodes that a page shows
NODES = 200


@admin.register(SyncRun)
class SyncRunAdmin(admin.ModelAdmin):
    """The synchronisation runs, read-only: they are started from the map, the flavors, the API and the commands."""

    change_form_template = "admin/synchronisation/syncrun/change_form.html"
    change_list_template = "admin/synchronisation/syncrun/change_list.html"
    list_display = [
        "number",
        "look",
        "what",
        "differences",
        "progress",
        "requested_by",
        column("created_at", "asked for"),
        "lasted",
    ]
    list_display_links = ["number", "what"]
    list_filter = ["state", "repairs", "periodic"]
    search_fields = ["requested_by"]
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        """Limit operators to the runs over a node of theirs, as the API does."""
        if nodes_told_of(_user(request)) is not None:
            return visible_runs(_user(request))
        everything: QuerySet[SyncRun] = super().get_queryset(request)
        return everything

    @admin.display(description="what it does")
    def what(self, run: SyncRun) -> str:
        """Say what it does, and to which flavors."""
        verb = "repair" if run.repairs else "compare"
        count = len(run.flavorids)
        return f"{verb} {counted(count, 'flavor')}" if count else f"{verb} all promoted flavors"

    @admin.display(description="state", ordering="state")
    def look(self, run: SyncRun) -> str:
        """Show the state as a badge."""
        colour, text = LOOKS[SyncRun.State(run.state)]
        return format_html('<span class="badge {}">{}</span>', colour, text)

    @admin.display(description="run", ordering="pk")
    def number(self, run: SyncRun) -> str:
        """Return the run's name."""
        return f"Run {run.pk}"

    @admin.display(description="differences")
    def differences(self, run: SyncRun) -> str:
        """Return how many flavors it found otherwise, each once for each node."""
        return "" if run.drift is None else str(run.drift)

    @admin.display(description="took")
    def lasted(self, run: SyncRun) -> str:
        """Say how long it took."""
        return _lasted(run.finished_at - run.started_at if run.finished_at and run.started_at else None)

    @admin.display(description="nodes")
    def progress(self, run: SyncRun) -> str:
        """Return the number of nodes in which it has ended."""
        return f"{run.nodes_ended} of {run.node_count}"

    def get_urls(self) -> list[URLResolver | URLPattern]:  # type: ignore[override]
        """Add the endpoint that a run's page polls for its progress, and the one that cancels it."""
        progress = self.admin_site.admin_view(require_safe(self.progress_view))
        cancelling = self.admin_site.admin_view(require_POST(self.cancel_view))
        return [
            path("<int:pk>/progress/", progress, name="synchronisation_syncrun_progress"),
            path("<int:pk>/cancel/", cancelling, name="synchronisation_syncrun_cancel"),
            *super().get_urls(),
        ]

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Cancel a run, with the same permissions as in the API."""
        if not may_synchronise(request.user):
            raise PermissionDenied
        try:
            run = cancel(user=_user(request), run_id=str(pk))
        except APIException as error:
            messages.error(request, str(error.detail))
        else:
            messages.success(request, f"Run {run.pk} is cancelled.")
        return redirect("admin:synchronisation_syncrun_change", pk)

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return a run's progress as JSON. Cost: two queries, three until all nodes have been compared.

        It covers as many nodes as the page shows.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = get_object_or_404(self.get_queryset(request), pk=pk)
        choice = Choice(among=nodes_told_of(_user(request)))
        progress = _progress(run, choice)
        return JsonResponse(
            {
                "state": LOOKS[SyncRun.State(run.state)][1],
                "colour": LOOKS[SyncRun.State(run.state)][0],
                "ended": run.finished_at is not None,
                "done": progress.flavors_done,
                "total": progress.flavors,
                "count": _count(progress),
                "nodes": {node.pk: _words(node) for node in _nodes(run, choice)},
            }
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a run's progress and outcomes, node by node."""
        run = self.get_queryset(request).filter(pk=object_id).first() if object_id.isdecimal() else None
        context: dict[str, Any] = {}
        if run is not None and self.has_view_permission(request, run):
            choice = Choice(among=nodes_told_of(_user(request)))
            progress, nodes = _progress(run, choice), _nodes(run, choice)
            colour, text = LOOKS[SyncRun.State(run.state)]
            story = story_of(run, progress, choice)
            retry, flavors = story.retry if run.finished_at else ((), ())
            context = {
                "title": f"Synchronisation run {run.pk}",
                "subtitle": None,
                "run": run,
                "what": self.what(run),
                "colour": colour,
                "state": text,
                "nodes": [(node, _words(node)) for node in nodes],
                "quiet_nodes": progress.nodes - len(nodes) if run.finished_at and len(nodes) < NODES else 0,
                "done": progress.flavors_done,
                "total": progress.flavors,
                "count": _count(progress),
                "story": story,
                "took": _lasted(story.took),
                "retry": [*(("nodes", pk) for pk in retry), *(("flavors", pk) for pk in flavors)],
                "may_retry": bool(retry) and may_synchronise(request.user),
                "may_cancel": run.finished_at is None and _may_cancel(request, run),
                "limit_of_nodes": NODES,
            }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, where those who may can start a run."""
        return super().changelist_view(request, {"may_start": may_synchronise(request.user), **(extra_context or {})})

    def has_view_permission(self, request: HttpRequest, obj: SyncRun | None = None) -> bool:
        """Also permit users who may start runs."""
        return super().has_view_permission(request, obj) or may_synchronise(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app to whoever may view the runs."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: runs are started elsewhere."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: SyncRun | None = None) -> bool:
        """Refuse: only the synchronisation writes them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SyncRun | None = None) -> bool:
        """Refuse: old runs are deleted automatically."""
        return False


def _user(request: HttpRequest) -> Any:
    return request.user


def _may_cancel(request: HttpRequest, run: SyncRun) -> bool:
    return may_synchronise(request.user) and may_cancel(user=_user(request), run=run)


def _progress(run: SyncRun, choice: Choice) -> Progress:
    return run.progress if choice.among is None else progress_of(run, choice)


def _nodes(run: SyncRun, choice: Choice) -> list[Any]:
    """Return the first chosen nodes that have rows, with counts of what was found in each. One query."""
    result = SyncOutcome.Result
    in_sync = Q(outcomes__state__in=(SyncOutcome.State.IN_SYNC, SyncOutcome.State.IGNORED))
    done = Q(outcomes__result=result.DONE)

    def count(which: Q) -> Count:
        return Count("outcomes", filter=which)

    nodes = run.nodes.filter(choice.nodes).annotate(
        amiss=count(~in_sync),
        adopted=count(done & in_sync),
        repaired=count(done & ~in_sync),
        failed=count(Q(outcomes__result=result.FAILED)),
    )
    return list(nodes[:NODES])


def _lasted(took: timedelta | None) -> str:
    """Return a duration in words."""
    if took is None:
        return ""
    minutes, seconds = divmod(round(took.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = {"h": hours, "min": minutes, "s": 0 if hours else seconds}
    return " ".join(f"{count} {unit}" for unit, count in parts.items() if count) or "less than 1 s"


def _count(progress: Progress) -> str:
    return f"{progress.nodes_done} of {counted(progress.nodes, 'node')}"


def _words(node: Any) -> str:
    if node.error:
        return f"{node.get_state_display()}: {node.error}"
    if node.state in (SyncNode.State.WAITING, SyncNode.State.RUNNING) and not node.flavor_count:
        return str(node.get_state_display())
    parts = [f"{counted(node.flavor_count, 'flavor')} compared", f"{node.amiss} not in sync"]
    if node.run.repairs:
        parts += [f"{node.repaired} repaired", f"{node.failed} failed"]
    if node.adopted:
        parts.append(f"{node.adopted} adopted as found")
    return ", ".join(parts)
