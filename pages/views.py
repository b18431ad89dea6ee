"""The pages of the staff that are about several apps at once."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from flavors.admin.staff import MANAGE_NODES, PROMOTE, VIEW, nodes_of
from pages.overview import Rights, overview
from synchronisation.permissions import may_synchronise, nodes_to_synchronise

# How many of the last changes the overview shows
CHANGES = 8


@require_safe
def overview_page(request: HttpRequest) -> HttpResponse:
    """Show the federation at a glance, to those who may see its flavors. Cost: as `overview`, and some five queries."""
    context = {**admin.site.each_context(request), "title": "Overview"}
    if request.user.has_perm(VIEW):
        context |= {"overview": overview(user=request.user, rights=_rights(request))}
    if request.user.has_perm("admin.view_logentry"):
        context |= {"changes": LogEntry.objects.select_related("user", "content_type")[:CHANGES]}
    return TemplateResponse(request, "pages/overview.html", context)


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
