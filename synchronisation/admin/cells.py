"""The page about a flavor in a node, a cell of the coverage map, and what can be done about it there."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import APIException

from flavors.admin.actions import sentence
from flavors.admin.looks import LOOKS, address_of_cell
from flavors.admin.staff import VIEW, at_work, may_install, nodes_of
from flavors.catalogue.states import CHANGED
from flavors.lifecycle import writing
from flavors.models import Flavor
from flavors.validators import validate_name
from infrastructures.models import Infrastructure
from infrastructures.openstack.rules import MAX_NAME_LENGTH
from infrastructures.querysets import InfrastructureQuerySet
from synchronisation.admin.plans import confirm_or_repair
from synchronisation.coverage import Cell, State, cell
from synchronisation.ignoring import heed, ignore
from synchronisation.permissions import may_synchronise, nodes_to_synchronise, nodes_told_of
from synchronisation.planning import takes_replacement
from synchronisation.renaming import find_in_the_way, rename_in_the_way

# The states in which there is nothing to replace
NOTHING_TO_REPLACE = tuple(each.value for each in (State.IN_SYNC, State.MISSING, State.OTHER_ID, State.NAME_TAKEN))


class ReasonForm(forms.Form):
    """The form of an exception."""

    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1000,
        help_text="Whoever looks at this flavor here will read it.",
        error_messages={"required": "Say why the flavor is to be ignored."},
    )


class NameForm(forms.Form):
    """The form of another name."""

    name = forms.CharField(label="New name", max_length=MAX_NAME_LENGTH, strip=False, validators=[validate_name])


class CellPages:
    """The pages of a cell, for the admin of the flavors. Each names its flavor by id, and its node, as the API does."""

    admin_site: admin.AdminSite
    opts: Any

    def cell_urls(self) -> list[URLPattern]:
        """Return the routes, all behind the admin's login."""
        wrap, both = self.admin_site.admin_view, require_http_methods(["GET", "HEAD", "POST"])
        return [
            path("coverage/cell/", wrap(both(self.cell_view)), name="flavors_flavor_cell"),
            path("coverage/cell/ignore/", wrap(both(self.ignore_view)), name="flavors_flavor_cell_ignore"),
            path("coverage/cell/rename/", wrap(both(self.rename_view)), name="flavors_flavor_cell_rename"),
        ]

    def cell_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a node has of a flavor; a POST repairs it there or, if it is not promoted, installs it."""
        flavor, node = _asked(request)
        if request.method == "POST":
            return self._repair(request, flavor, node)
        found = cell(flavor=flavor, infrastructure=node)
        mine = _changeable(request, flavor).filter(pk=node.pk).exists()
        told_of = nodes_told_of(request.user)
        context = {
            **self._of_cell(request, f"{flavor} in {node}", flavor, node),
            "found": found,
            "look": LOOKS[found.state],
            "has_changed": found.state == CHANGED,
            "outcome": found.outcome if told_of is None or told_of.filter(pk=node.pk).exists() else None,
            "may_synchronise": mine and flavor.promoted and may_synchronise(request.user),
            "may_install": mine and not flavor.promoted and not found.installation and may_install(request.user),
            "is_fine": found.state == State.IN_SYNC.value,
            "offers_replacing": found.state not in NOTHING_TO_REPLACE,
            "offers_renaming": _has_name_taken(found),
            "offers_repair": not takes_replacement(_differing(found)),
        }
        return TemplateResponse(request, "admin/flavors/flavor/cell.html", context)

    def ignore_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form that has a node's flavor ignored, or what takes that back; a POST does it.

        Cost: as `cell`, and some eight queries.
        """
        flavor, node = _to_mend(request)
        found = cell(flavor=flavor, infrastructure=node)
        if found.ignored:
            return self._heed(request, flavor, node, found)
        form = ReasonForm(request.POST or None)
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                ignore(flavor=flavor, infrastructure=node, reason=reason, ignored_by=str(request.user))
            except APIException as error:
                form.add_error(None, sentence(error))
            else:
                return self._done(request, flavor, node, f"ignored in {node}", f"ignored in {node}: {reason}")
        return self._ask(request, f"Ignore {flavor} in {node}", flavor, node, found=found, form=form)

    def _heed(self, request: HttpRequest, flavor: Flavor, node: Infrastructure, found: Cell) -> HttpResponse:
        if request.method == "POST":
            try:
                heed(flavor=flavor, infrastructure=node)
            except APIException as error:
                messages.error(request, sentence(error))
                return HttpResponseRedirect(address_of_cell(flavor.flavorid, node.name))
            return self._done(request, flavor, node, f"no longer ignored in {node}")
        return self._ask(request, f"No longer ignore {flavor} in {node}", flavor, node, found=found)

    def rename_view(self, request: HttpRequest) -> HttpResponse:
        """Show the flavor that has the name of a node's cell, and the form that gives it another; a POST does it.

        Cost: some six queries, and as `find_in_the_way` or `rename_in_the_way`.
        """
        flavor, node = _to_mend(request)
        form = NameForm(request.POST or None)
        try:
            if form.is_valid():
                name = form.cleaned_data["name"]
                digest = request.POST.get("plan", "")
                was = rename_in_the_way(
                    flavor=flavor, infrastructure=node, digest=digest, name=name, requested_by=str(request.user)
                ).flavor
                return self._done(request, flavor, node, f"flavor {was.id} of {node} is now called {name}")
        except APIException as error:
            form.add_error(None, sentence(error))
        try:
            found = find_in_the_way(flavor=flavor, infrastructure=node)
        except APIException as error:
            messages.error(request, sentence(error))
            return HttpResponseRedirect(address_of_cell(flavor.flavorid, node.name))
        if not form.is_bound and found:
            form = NameForm(initial={"name": found.proposal})
        context = {**self._of_cell(request, f"Rename what is in the way of {flavor} in {node}", flavor, node)}
        return TemplateResponse(request, "admin/flavors/flavor/rename.html", {**context, "found": found, "form": form})

    def _ask(self, request: HttpRequest, title: str, flavor: Flavor, node: Infrastructure, **more: Any) -> HttpResponse:
        context = {**self._of_cell(request, title, flavor, node), **more}
        return TemplateResponse(request, "admin/flavors/flavor/ignore.html", context)

    def _done(
        self, request: HttpRequest, flavor: Flavor, node: Infrastructure, done: str, logged: str = ""
    ) -> HttpResponse:
        messages.success(request, f"{flavor}: {done}")
        self.log_change(request, flavor, logged or done)  # type: ignore[attr-defined]
        return HttpResponseRedirect(address_of_cell(flavor.flavorid, node.name))

    def _repair(self, request: HttpRequest, flavor: Flavor, node: Infrastructure) -> HttpResponse:
        """Repair a promoted flavor in one node, by a run of its own once confirmed; install any other flavor."""
        if not (may_synchronise(request.user) if flavor.promoted else may_install(request.user)):
            raise PermissionDenied
        chosen = _changeable(request, flavor).filter(pk=node.pk)
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
            return HttpResponseRedirect(request.get_full_path())
        return self._done(request, flavor, node, f"installed in {node}")

    def _of_cell(self, request: HttpRequest, title: str, flavor: Flavor, node: Infrastructure) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "flavor": flavor,
            "node": node,
            "query": urlencode({"flavor": flavor.flavorid, "node": node.name}),
        }


def _asked(request: HttpRequest) -> tuple[Flavor, Infrastructure]:
    """Return the public flavor and the node that a page is about. Two queries."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    flavor, node = (request.GET.get(name, "").replace("\0", "") for name in ("flavor", "node"))
    return (
        get_object_or_404(Flavor.objects.published(), flavorid=flavor),
        get_object_or_404(Infrastructure, name=node),
    )


def _to_mend(request: HttpRequest) -> tuple[Flavor, Infrastructure]:
    """Return what `_asked` does, for users who may repair the flavor in the node. One or two queries more."""
    flavor, node = _asked(request)
    if not (may_synchronise(request.user) and _changeable(request, flavor).filter(pk=node.pk).exists()):
        raise PermissionDenied
    return flavor, node


def _changeable(request: HttpRequest, flavor: Flavor) -> InfrastructureQuerySet:
    """Return the nodes to which the user may bring the flavor."""
    return nodes_to_synchronise(request.user) if flavor.promoted else nodes_of(request.user)


def _differing(found: Cell) -> list[str]:
    differences = found.sighting.differences if found.sighting and found.state == State.DIFFERENT else []
    return [difference["member"] for difference in differences]


def _has_name_taken(found: Cell) -> bool:
    """Say whether another flavor may have the name there: it has, or the flavor has another name."""
    return found.state == State.NAME_TAKEN or "name" in _differing(found)
