"""Ignoring flavors in nodes, several at once: those of a row, of a column, or of the map as it is filtered."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from flavors.admin.confirming import digest_of, is_confirmed
from flavors.admin.looks import LOOKS
from flavors.models import Flavor
from infrastructures.admin import origin
from synchronisation.admin.cells import ReasonForm
from synchronisation.admin.plans import posted
from synchronisation.ignoring import Key, heed_several, ignore_several
from synchronisation.permissions import may_synchronise, nodes_to_synchronise
from synchronisation.selecting import SEEN, Seen, Selection, State, keys_in, seen_in, select

# The most cells of one page: each is a field of its form
MOST = 500
# The most nodes that an entry of the history names
NAMED = 10


class ManyCellsPages:
    """The page that has several flavors ignored in nodes, or takes that back, for the admin of the flavors."""

    admin_site: admin.AdminSite
    opts: Any

    def many_cells_urls(self) -> list[URLPattern]:
        """Return the route, behind the admin's login."""
        ignore = self.admin_site.admin_view(require_POST(self.ignore_many_view))
        return [path("coverage/ignore/", ignore, name="flavors_flavor_cells_ignore")]

    def ignore_many_view(self, request: HttpRequest) -> HttpResponse:
        """Show which flavors would be ignored in which nodes and, once that is confirmed with a reason, do it.

        In the state IGNORED it takes that back, which needs no reason.

        Cost: some ten queries; once confirmed one more for each flavor, in whose history it is logged.
        """
        if not may_synchronise(request.user):
            raise PermissionDenied
        selection = selected(request)
        found, total = seen_in(selection, most=MOST)
        back = origin(request) or reverse("admin:flavors_flavor_coverage")
        if not found:
            messages.warning(request, "There is nothing to ignore: nothing differs, or no node is yours.")
            return HttpResponseRedirect(back)
        digest, takes_back = _digest(found), selection.state == State.IGNORED
        is_answer = "plan" in request.POST
        form = None if takes_back else ReasonForm(request.POST if is_answer else None)
        chosen = _chosen(request, found) if is_answer else [cell.key for cell in found]
        is_complete = is_answer and (form is None or form.is_valid())
        if is_complete and not chosen:
            messages.warning(request, "Choose at least one flavor in a node.")
        elif is_complete and is_confirmed(request, digest):
            reason = form.cleaned_data["reason"] if form else ""
            self._ignore_or_heed(request, found, chosen, reason)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{'No longer ignore' if takes_back else 'Ignore'} {_in_words(found)}",
            "opts": self.opts,
            "takes_back": takes_back,
            "cells": [(cell, LOOKS[cell.state], cell.key in chosen) for cell in found],
            "left": total - len(found),
            "form": form,
            "digest": digest,
            "posted": [(name, value) for name, value in posted(request) if name not in ("cells", "reason")],
            "back": back,
        }
        return TemplateResponse(request, "admin/flavors/flavor/ignore_many.html", context)

    def _ignore_or_heed(
        self, request: HttpRequest, found: Sequence[Seen], chosen: Collection[Key], reason: str
    ) -> None:
        if reason:
            done = ignore_several(cells=chosen, reason=reason, ignored_by=str(request.user))
        else:
            done = heed_several(cells=chosen)
        what = "ignored" if reason else "no longer ignored"
        messages.success(request, f"{len(done)} {what}")
        nodes = defaultdict(list)
        for cell in found:
            if cell.key in done:
                nodes[cell.flavor.pk].append(cell.node.name)
        for flavor in Flavor.objects.filter(pk__in=nodes):
            said = f"{what} in {_names(nodes[flavor.pk])}" + (f": {reason}" if reason else "")
            self.log_change(request, flavor, said)  # type: ignore[attr-defined]


def selected(request: HttpRequest) -> Selection:
    """Return what a form selects: the keys of `flavors` and `nodes`, or as the map is filtered. Two queries."""
    filters = {name: request.POST.get(name, "").replace("\0", "").strip() for name in ("flavor", "node")}
    state = request.POST.get("state", "")
    return select(
        among=nodes_to_synchronise(request.user),
        flavors=keys_in(request.POST.getlist("flavors")),
        nodes=keys_in(request.POST.getlist("nodes")),
        state=state if state in SEEN else "",
        **filters,
    )


def _chosen(request: HttpRequest, found: Sequence[Seen]) -> list[Key]:
    given = set(request.POST.getlist("cells"))
    return [cell.key for cell in found if "{}-{}".format(*cell.key) in given]


def _digest(found: Sequence[Seen]) -> str:
    return digest_of([[*cell.key, cell.state, cell.since.isoformat(), cell.differences] for cell in found])


def _in_words(found: Sequence[Seen]) -> str:
    flavors, nodes = {cell.flavor.name for cell in found}, {cell.node.name for cell in found}
    what = flavors.pop() if len(flavors) == 1 else f"{len(flavors)} flavors"
    where = nodes.pop() if len(nodes) == 1 else f"{len(nodes)} nodes"
    return f"{what} in {where}"


def _names(nodes: Sequence[str]) -> str:
    more = len(nodes) - NAMED
    return ", ".join(nodes[:NAMED]) + (f" and {more} more" if more > 0 else "")
