"""The coverage map: flavors down, nodes across, and what can be done about a cell."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import APIException

from flavors.admin.actions import sentence
from flavors.admin.looks import LOOKS, Look, as_html
from flavors.admin.staff import PROMOTE, VIEW, at_work, may_install, nodes_of
from flavors.catalogue.states import CHANGED, RECORDED, UNRECORDED
from flavors.lifecycle import writing
from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.admin.plans import confirm_or_repair, page_of
from synchronisation.coverage import Coverage, Row, State, cell, coverage
from synchronisation.tasks import start_run

LEGEND = format_html_join(
    "",
    '<li><span class="cell {}" aria-hidden="true">{}</span> {}</li>',
    [(look.colour, look.html, look.words) for look in LOOKS.values()],
)
# Stands for the flavor's key where the text of a cell is made once for all flavors
KEY = "\0"
# What is as it should be, or not known to be otherwise; a node that cannot be asked is said above the map, once
NO_REASON = {State.IN_SYNC.value, State.UNREACHABLE.value, RECORDED, UNRECORDED}


class CoveragePages:
    """The pages of the map, for the admin of the flavors."""

    admin_site: admin.AdminSite
    opts: Any

    def coverage_urls(self) -> list[URLPattern]:
        """Return the routes, all behind the admin's login."""
        wrap = self.admin_site.admin_view
        return [
            path("coverage/", wrap(require_safe(self.map_view)), name="flavors_flavor_coverage"),
            path("coverage/compare/", wrap(require_POST(self.compare_view)), name="flavors_flavor_compare_now"),
            path("coverage/<int:flavor>/<int:node>/", wrap(self.cell_view), name="flavors_flavor_cell"),
        ]

    def map_view(self, request: HttpRequest) -> HttpResponse:
        """Show which node has which flavor. Cost: as `coverage`, and two queries for the session."""
        _require(request, VIEW)
        everything = request.GET.get("which") == "public"
        asked = {name: request.GET.get(name, "").replace("\0", "").strip() for name in ("flavor", "node")}
        found = coverage(promoted=not everything, **asked)
        trouble = request.GET.get("only") == "trouble"
        rows = [row for row in found.rows if not trouble or not NO_REASON.issuperset(row.states)]
        context = {
            # Without the admin's list of applications, which takes as long as the map, and its width
            "title": "Coverage map",
            "opts": self.opts,
            "has_permission": True,
            "is_nav_sidebar_enabled": False,
            "everything": everything,
            "asked": asked,
            "trouble": trouble,
            "coverage": found,
            "oldest": found.oldest,
            "unreachable": [node for node in found.nodes if node.unreachable_since],
            "figures": _figures(found),
            "shown": len(rows),
            "head": _head(found),
            "body": _body(rows, found),
            "legend": LEGEND,
            "may_compare": request.user.has_perm(PROMOTE),
        }
        return TemplateResponse(request, "admin/flavors/flavor/coverage.html", context)

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """Start a comparison of all promoted flavors in the background, and show how it goes on."""
        _require(request, PROMOTE)
        run = start_run(requested_by=str(request.user), infrastructures=nodes_of(request.user))
        return HttpResponseRedirect(page_of(run))

    def cell_view(self, request: HttpRequest, flavor: int, node: int) -> HttpResponse:
        """Show what a node has of a flavor, with the repair; show what that does when it is posted."""
        _require(request, VIEW)
        wanted = get_object_or_404(Flavor.objects.published(), pk=flavor)
        where = get_object_or_404(Infrastructure, pk=node)
        if request.method == "POST":
            return self._repair(request, wanted, where)
        found = cell(flavor=wanted, infrastructure=where)
        mine = nodes_of(request.user).filter(pk=node).exists()
        context = {
            **self._context(request, f"{wanted} in {where}"),
            "flavor": wanted,
            "node": where,
            "found": found,
            "look": LOOKS[found.state],
            "has_changed": found.state == CHANGED,
            "may_synchronise": mine and wanted.promoted and request.user.has_perm(PROMOTE),
            "may_install": mine and not wanted.promoted and not found.installation and may_install(request.user),
            "is_fine": found.state == State.IN_SYNC.value,
        }
        return TemplateResponse(request, "admin/flavors/flavor/cell.html", context)

    def _repair(self, request: HttpRequest, flavor: Flavor, node: Infrastructure) -> HttpResponse:
        """Bring one flavor in one node in sync, by a run of its own once it is shown what that does, or install one."""
        if not (request.user.has_perm(PROMOTE) if flavor.promoted else may_install(request.user)):
            raise PermissionDenied
        chosen = nodes_of(request.user).filter(pk=node.pk)
        if not chosen:
            raise PermissionDenied
        if not flavor.promoted:
            return self._install(request, flavor, node)
        return confirm_or_repair(
            self,
            request,
            title=f"Synchronise {flavor} in {node}",
            flavors=[flavor],
            nodes=list(chosen),
            replaces="replaces" in request.POST,
            exact="exact" in request.POST,
            back=request.get_full_path(),
        )

    def _install(self, request: HttpRequest, flavor: Flavor, node: Infrastructure) -> HttpResponse:
        changes = {"nodes": [node.name]}
        try:
            writing.update_flavor(user=at_work(request), flavorid=flavor.flavorid, node=None, changes=changes)
        except APIException as error:
            messages.error(request, f"{flavor}: {sentence(error)}")
        else:
            messages.success(request, f"{flavor}: installed in {node}")
            self.log_change(request, flavor, f"installed in {node}")  # type: ignore[attr-defined]
        return HttpResponseRedirect(request.get_full_path())

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


# The map is thousands of cells: they are put together here, since a template would take longer than the database.


def _head(found: Coverage) -> SafeString:
    cells = []
    for node in found.nodes:
        name = as_html(node.name)
        classes, title = ("", name) if node.compared_at else (' class="never"', f"{name}, never compared")
        cells.append(f'<th scope="col"{classes}><span title="{title}">{name}</span></th>')
    return mark_safe("".join(cells))  # noqa: S308 — of escaped parts


def _body(rows: Iterable[Row], found: Coverage) -> SafeString:
    # A cell's text depends on its node and state, and but for the flavor's key on nothing else.
    texts = {state: _cell(state, look) for state, look in LOOKS.items()}
    cells = [{state: text % node.pk for state, text in texts.items()} for node in found.nodes]
    star = as_html(" ★")
    lines = []
    for row in rows:
        line = "".join([texts[state] for texts, state in zip(cells, row.states, strict=True)])
        line = line.replace(KEY, str(row.pk))
        name = as_html(row.name)
        lines.append(f'<tr><th scope="row" title="{name}">{name}{star if row.promoted else ""}</th>{line}</tr>')
    return mark_safe("\n".join(lines))  # noqa: S308 — of escaped parts


def _cell(state: str, look: Look) -> str:
    # What is in sync, as nearly all cells are, needs no class: it is what a cell looks like.
    classes = "" if state == State.IN_SYNC else f' class="{look.colour}"'
    return f'<td{classes}><a href="{KEY}/%s/">{look.html}<i>{look.words}</i></a></td>'


def _figures(found: Coverage) -> list[tuple[Look, int]]:
    counts = found.counts
    return [(look, counts[state]) for state, look in LOOKS.items() if counts[state]]
