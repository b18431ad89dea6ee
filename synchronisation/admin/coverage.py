"""The coverage map: flavors down, nodes across."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any
from urllib.parse import quote_plus, urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import escape
from django.views.decorators.http import require_POST, require_safe

from flavors.admin.looks import LOOKS, Look
from flavors.admin.staff import VIEW
from flavors.models import Flavor
from infrastructures.admin import origin
from synchronisation.admin.many_cells import selected
from synchronisation.admin.plans import confirm_or_repair, page_of
from synchronisation.coverage import Coverage, Row, State, coverage
from synchronisation.permissions import may_synchronise, nodes_to_synchronise
from synchronisation.selecting import FINE, SEEN
from synchronisation.tasks import start_run

# How many flavors and nodes a page of the map shows
FLAVORS_SHOWN, NODES_SHOWN = 100, 50
# The most nodes whose names are written horizontally
ROOMY = 12
# The states that are not ignored unless the map is filtered by them
NEVER_IGNORED = (*FINE, State.IGNORED)


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
            path("coverage/mend/", wrap(require_POST(self.mend_view)), name="flavors_flavor_mend"),
        ]

    def map_view(self, request: HttpRequest) -> HttpResponse:
        """Show a window of the map. Cost: as `coverage`, and two queries for the session."""
        _require(request, VIEW)
        everything, trouble = request.GET.get("which") == "public", request.GET.get("only") == "trouble"
        asked = {name: request.GET.get(name, "").replace("\0", "").strip() for name in ("flavor", "node")}
        state = request.GET.get("state", "")
        found = coverage(
            promoted=not everything,
            trouble=trouble,
            state=state if state in SEEN else "",
            rows=_window(_number(request, "flavors"), FLAVORS_SHOWN),
            columns=_window(_number(request, "nodes"), NODES_SHOWN),
            **asked,
        )
        nodes = [quote_plus(each.name) for each in found.nodes]
        context = {
            # Without the admin's list of applications, which takes as long as the map, and takes up its width
            "title": "Coverage map",
            "opts": self.opts,
            "has_permission": True,
            "is_nav_sidebar_enabled": False,
            "everything": everything,
            "asked": asked,
            "trouble": trouble,
            "coverage": found,
            "figures": _figures(request, found),
            "is_roomy": len(found.nodes) <= ROOMY,
            "unreachable": [node for node in found.all_nodes if node.unreachable_at],
            "rows": [(row, _cells(row, nodes)) for row in found.rows],
            "legend": LOOKS.values(),
            "pages": [
                _pages(request, "Flavors", "flavors", found.flavor_count, FLAVORS_SHOWN),
                _pages(request, "Nodes", "nodes", len(found.all_nodes), NODES_SHOWN),
            ],
            "may_compare": may_synchronise(request.user),
            "state": state if state in SEEN else "",
            "may_ignore": may_synchronise(request.user) and _ignorable(found, state),
        }
        return TemplateResponse(request, "admin/flavors/flavor/coverage.html", context)

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """Start a comparison of all promoted flavors in the background, and show its progress."""
        if not may_synchronise(request.user):
            raise PermissionDenied
        nodes = nodes_to_synchronise(request.user)
        if not nodes:
            messages.warning(request, "There is no node that you may compare and that we have credentials for.")
            return HttpResponseRedirect(reverse("admin:flavors_flavor_coverage"))
        return HttpResponseRedirect(page_of(start_run(requested_by=str(request.user), infrastructures=nodes)))

    def mend_view(self, request: HttpRequest) -> HttpResponse:
        """Preview the repair of some or all promoted flavors in some or all nodes, and start it once confirmed.

        Cost: as `preview`, and some five queries.
        """
        if not may_synchronise(request.user):
            raise PermissionDenied
        selection = selected(request)
        chosen, back = list(selection.nodes), origin(request) or reverse("admin:flavors_flavor_coverage")
        wanted = list(Flavor.objects.filter(pk__in=[flavor.pk for flavor in selection.flavors]))
        if not chosen or not wanted:
            messages.warning(request, "There is nothing that you may repair: no promoted flavor, or no node of yours.")
            return HttpResponseRedirect(back)
        what = str(wanted[0]) if len(wanted) == 1 else f"{len(wanted)} flavors"
        where = str(chosen[0]) if len(chosen) == 1 else f"{len(chosen)} nodes"
        return confirm_or_repair(
            self,
            request,
            title=f"Repair {what} in {where}",
            flavors=wanted,
            nodes=chosen,
            replaces="replaces" in request.POST,
            exact="exact" in request.POST,
            back=back,
        )


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


@dataclass(frozen=True)
class Figure:
    """How many cells look like this, and the query that filters the map by it, if there is one."""

    look: Look
    count: int
    query: str
    is_chosen: bool


def _figures(request: HttpRequest, found: Coverage) -> list[Figure]:
    counts, chosen = found.counts, request.GET.get("state", "")
    return [
        Figure(look, counts[state], _with_state(request, "" if state == chosen else state), state == chosen)
        for state, look in LOOKS.items()
        if counts[state] or state == chosen
    ]


def _ignorable(found: Coverage, state: str) -> bool:
    """Say whether the map shows anything that could be ignored, or is."""
    counts = found.counts
    return bool(counts[state]) if state in SEEN else any(counts[each] for each in SEEN if each not in NEVER_IGNORED)


def _with_state(request: HttpRequest, state: str) -> str:
    """Return the map's query, filtered by a state; "" for a state that the map cannot be filtered by."""
    if state and state not in SEEN:
        return ""
    parameters = request.GET.copy()
    for name in ("state", "flavors", "nodes"):
        parameters.pop(name, None)
    if state:
        parameters["state"] = state
    return f"?{parameters.urlencode()}"


# As dictionaries: a template looks up their keys, 20,000 times, twice as fast as an object's attributes.
_LOOKS = {state: asdict(look) for state, look in LOOKS.items()}


def _cells(row: Row, nodes: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each cell's link, relative to the map and ready for HTML, and its look; *nodes* are quoted names."""
    flavor = escape(f"cell/?{urlencode({'flavor': row.flavorid})}&node=")
    for node, state in zip(nodes, row.states, strict=True):
        yield flavor + node, _LOOKS[state]


# The pages of the map


@dataclass(frozen=True)
class Pages:
    """The range of the flavors, or nodes, that is shown, and the queries of the previous and next page, if any."""

    title: str
    first: int
    last: int
    count: int
    before: str
    after: str


def _number(request: HttpRequest, parameter: str) -> int:
    text = request.GET.get(parameter, "")
    return max(int(text), 1) if re.fullmatch("[0-9]{1,6}", text) else 1


def _window(page: int, size: int) -> slice:
    return slice((page - 1) * size, page * size)


def _pages(request: HttpRequest, title: str, parameter: str, count: int, size: int) -> Pages:
    page = _number(request, parameter)
    window = _window(page, size)

    def query(number: int) -> str:
        parameters = request.GET.copy()
        parameters[parameter] = str(number)
        return f"?{parameters.urlencode()}"

    return Pages(
        title=title,
        first=window.start + 1,
        last=min(window.stop, count),
        count=count,
        before=query(min(page - 1, ceil(count / size))) if page > 1 and count else "",
        after=query(page + 1) if window.stop < count else "",
    )
