"""The pages that need several apps at once."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from flavors.admin.staff import MANAGE_NODES, PROMOTE, VIEW, nodes_of
from flavors.models import Flavor
from infrastructures.models import Infrastructure
from pages.node_views import may_ask
from pages.one_flavor import in_nodes, last_outcomes
from pages.one_node import one_node
from pages.overview import Rights, overview
from pages.public_history import public_history
from pages.remedies import Remedy, check, ignore, mend
from synchronisation.permissions import may_synchronise, nodes_to_synchronise, nodes_told_of

# The number of last changes that the overview shows
CHANGES = 8


@require_safe
def overview_page(request: HttpRequest) -> HttpResponse:
    """Show the federation at a glance to users who may view flavors. Cost: as `overview`, and some five queries."""
    context = {**admin.site.each_context(request), "title": "Overview"}
    if request.user.has_perm(VIEW):
        context |= {"overview": overview(user=request.user, rights=_rights(request))}
    if request.user.has_perm("admin.view_logentry"):
        context |= {"changes": LogEntry.objects.select_related("user", "content_type")[:CHANGES]}
    return TemplateResponse(request, "pages/overview.html", context)


@require_safe
def node_page(request: HttpRequest, node: int) -> HttpResponse:
    """Show what is known of a node; the data of its cloud only to users who may view that.

    Cost: as `one_node`, and some eight queries.
    """
    _require(request, VIEW)
    where = get_object_or_404(Infrastructure, pk=node)
    rights = _rights(request)
    clouds = admin.site.get_model_admin(Infrastructure)
    sees_cloud = clouds.has_view_permission(request) and clouds.get_queryset(request).filter(pk=node).exists()
    form = ("Edit" if clouds.has_change_permission(request, where) else "See the form") if sees_cloud else ""
    found = one_node(where)
    remedies = [check(node)] if node in rights.may_check else []
    if node in rights.may_mend and found.amiss:
        remedies += [mend("Repair…", nodes=[node]), ignore(nodes=[node])]
    context = {
        **admin.site.each_context(request),
        "title": where.name,
        "node": where,
        "found": found,
        "sees_cloud": sees_cloud,
        "sees_reasons": sees_cloud or rights.sees_reasons,
        "check": getattr(where, "check_result", None) if sees_cloud else None,
        "operators": list(where.operators.all()) if sees_cloud else [],
        "remedies": [*remedies, *_links_of_node(where, form=form, may_ask=may_ask(request, node))],
        "may_mend": node in rights.may_mend,
    }
    return TemplateResponse(request, "pages/node.html", context)


def _links_of_node(node: Infrastructure, *, form: str, may_ask: bool) -> list[Remedy]:
    edit = reverse("admin:infrastructures_infrastructure_change", args=[node.pk])
    compare, coverage = reverse("admin:flavors_flavor_compare"), reverse("admin:flavors_flavor_coverage")
    return [
        *([Remedy("Ask what it has now", reverse("node_now", args=[node.pk]))] if may_ask else []),
        *([Remedy(form, edit)] if form else []),
        Remedy("On the map", f"{coverage}?{urlencode({'node': node.name})}"),
        Remedy("Compare with another", f"{compare}?{urlencode({'left': node.name})}"),
    ]


@require_safe
def flavor_page(request: HttpRequest, flavor: int) -> HttpResponse:
    """Show the staff what is known of a flavor, and the actions on offer. Cost: some fifteen queries."""
    flavors: Any = admin.site.get_model_admin(Flavor)  # a FlavorAdmin
    if not flavors.has_view_permission(request):
        raise PermissionDenied
    found = get_object_or_404(flavors.get_queryset(request), pk=flavor)
    context = {
        **admin.site.each_context(request),
        "title": found.name,
        "flavor": found,
        "shares": in_nodes(found),
        "outcomes": last_outcomes(found, among=nodes_told_of(request.user)),
        "offered": flavors.offered(request, found),
        "may_change": flavors.has_change_permission(request, found),
        "remedies": _remedies_of_flavor(found) if may_synchronise(request.user) else (),
    }
    return TemplateResponse(request, "pages/flavor.html", context)


def _remedies_of_flavor(flavor: Flavor) -> list[Remedy]:
    key = [flavor.pk]
    return [mend("Repair everywhere…", flavors=key), ignore(flavors=key)] if flavor.promoted else []


@require_safe
def public_flavor_page(request: HttpRequest, flavorid: str) -> HttpResponse:
    """Show everybody a public flavor, the nodes that have it, and its past. Cost: eight queries."""
    found = get_object_or_404(Flavor.objects.published(), flavorid=flavorid)
    context = {"here": "flavor", "flavor": found, "shares": in_nodes(found), "past": public_history(found)}
    return TemplateResponse(request, "pages/public_flavor.html", context)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _rights(request: HttpRequest) -> Rights:
    user: Any = request.user
    mends = set(nodes_to_synchronise(user).values_list("pk", flat=True)) if may_synchronise(user) else set()
    checks = set(nodes_of(user).values_list("pk", flat=True)) if user.has_perm(MANAGE_NODES) else set()
    return Rights(
        sees_reasons=user.has_perm(PROMOTE) or user.has_perm(MANAGE_NODES),
        may_mend=mends,
        may_check=checks,
        sees_changes=user.has_perm("infrastructures.view_replacement"),
    )
