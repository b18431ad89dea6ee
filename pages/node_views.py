"""The page of what a node has at this moment, which asks the node, and from which its flavors are taken in."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import APIException

from flavors.admin.actions import sentence
from flavors.admin.confirming import digest_of, is_confirmed
from flavors.admin.staff import VIEW, may_install, nodes_of
from flavors.models import Flavor
from infrastructures.models import Infrastructure
from pages.node_now import FLAVORS, node_now, take_in, told
from synchronisation.permissions import may_synchronise, nodes_to_synchronise


def may_ask(request: HttpRequest, node: int) -> bool:
    """Say whether the user may ask a node what it has: who may synchronise it, or install there. Two queries."""
    user: Any = request.user
    asks = may_synchronise(user) and nodes_to_synchronise(user).filter(pk=node).exists()
    return user.has_perm(VIEW) and (asks or _may_take_in(request, node))


def _may_take_in(request: HttpRequest, node: int) -> bool:
    return may_install(request.user) and nodes_of(request.user).filter(pk=node).exists()


@require_http_methods(["GET", "HEAD", "POST"])
def node_now_page(request: HttpRequest, node: int) -> HttpResponse:
    """Show what a node has right now; a POST takes flavors of its own into the catalogue, once that is confirmed.

    Cost: as `node_now` or `take_in`, and some six queries.
    """
    where = get_object_or_404(Infrastructure, pk=node)
    if not may_ask(request, node):
        raise PermissionDenied
    if request.method == "POST":
        return _take_in(request, where)
    context: dict[str, Any] = _page(request, f"{where.name} as it is now", where)
    try:
        context |= {"now": node_now(where), "may_take_in": _may_take_in(request, node)}
    except APIException as error:
        context |= {"error": sentence(error)}
    return TemplateResponse(request, "pages/node_now.html", context)


def _take_in(request: HttpRequest, node: Infrastructure) -> HttpResponse:
    if not _may_take_in(request, node.pk):
        raise PermissionDenied
    chosen = list(dict.fromkeys(request.POST.getlist("flavors")))[:FLAVORS]
    if not chosen:
        messages.warning(request, "Choose one or more flavors.")
        return HttpResponseRedirect(request.path)
    try:
        found = take_in(node, chosen, dry_run=True)
        prospects = [(each, *told(each, dry_run=True)) for each in found]
        digest = digest_of([[each.flavorid, comes, words] for each, comes, words in prospects])
        if is_confirmed(request, digest):
            _report(request, node, [each.flavorid for each, comes, _ in prospects if comes])
            return HttpResponseRedirect(request.path)
    except APIException as error:
        messages.error(request, sentence(error))
        return HttpResponseRedirect(request.path)
    context = {
        **_page(request, f"Take flavors of {node.name} into the catalogue", node),
        "prospects": prospects,
        "any_comes": any(comes for _, comes, _ in prospects),
        "chosen": chosen,
        "digest": digest,
    }
    return TemplateResponse(request, "pages/take_in.html", context)


def _report(request: HttpRequest, node: Infrastructure, flavorids: list[str]) -> None:
    """Take the flavors in, report what came of each, and log it in its history."""
    log: Any = admin.site.get_model_admin(Flavor).log_change
    for each in take_in(node, flavorids):
        comes, words = told(each, dry_run=False)
        (messages.success if comes else messages.error)(request, f"{each.name}: {words}")
        if comes and (flavor := Flavor.objects.filter(flavorid=each.flavorid).first()):
            log(request, flavor, f"taken in from {node.name}")


def _page(request: HttpRequest, title: str, node: Infrastructure) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": title, "node": node}
