"""The page that tells what the catalogue or a node meets of the Sovereign Cloud Stack's standards."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from flavors.admin.staff import VIEW, nodes_of
from flavors.scs.names import parse
from flavors.scs.standard import MANDATORY, Verdict
from synchronisation import standards
from synchronisation.comparing import look_into

NAMES_SHOWN = 50


@dataclass(frozen=True)
class Line:
    """A flavor, what its name says, and what is wrong with it; `colour` is that of its state."""

    name: str
    says: str
    state: str
    colour: str
    problems: tuple[str, ...] = ()
    is_mandatory: bool = False


class ScsPages:
    """The page of the standards, for the admin of the flavors."""

    admin_site: admin.AdminSite
    opts: Any

    def scs_urls(self) -> list[URLPattern]:
        """Return the route, behind the admin's login."""
        return [path("scs/", self.admin_site.admin_view(require_safe(self.scs_view)), name="flavors_flavor_scs")]

    def scs_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the catalogue meets, or what a node meets right now.

        Cost: two queries, two for the session, and as `look_into` for a node.
        """
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        nodes, name = {node.name: node for node in nodes_of(request.user)}, request.GET.get("node", "")
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Sovereign Cloud Stack",
            "opts": self.opts,
            "nodes": nodes,
            "node": name,
        }
        if name in nodes:
            (outcome,) = look_into([nodes[name]])
            verdict = standards.of_node(outcome.result) if outcome.result else None
            context |= {"error": outcome.error.detail if outcome.error else ""}
        else:
            verdict = standards.of_catalogue()
            if name:
                messages.warning(request, "Choose a node, or the catalogue.")
        if verdict:
            context |= _shown(verdict, request.GET.get("page", ""))
        return TemplateResponse(request, "admin/flavors/flavor/scs.html", context)


def _shown(verdict: Verdict, page: str) -> dict[str, Any]:
    names, mandatory, recommended = standards.figures(verdict)
    return {
        "figures": [
            ("scs-0100: names", names, "good" if verdict.keeps_names else "differs"),
            ("scs-0103: mandatory flavors", mandatory, "good" if verdict.has_mandatory else "missing"),
            ("scs-0103: recommended flavors", recommended, "unknown"),
        ],
        "standard": list(_standard(verdict)),
        "others": Paginator(_others(verdict), NAMES_SHOWN).get_page(page),
    }


def _standard(verdict: Verdict) -> Iterator[Line]:
    """Yield the flavors that every such cloud should have, in the order of the standard."""
    for name, problems in verdict.standard.items():
        is_mandatory, says = name in MANDATORY, parse(name).in_words()
        if not problems:
            yield Line(name, says, "as it should be", "good", is_mandatory=is_mandatory)
        elif problems == ["missing"]:
            yield Line(name, says, "missing", "missing" if is_mandatory else "unknown", is_mandatory=is_mandatory)
        else:
            yield Line(name, says, "different", "differs", tuple(problems), is_mandatory=is_mandatory)


def _others(verdict: Verdict) -> list[Line]:
    """Return the other flavors with such a name, those that break the rules first."""
    wrong = [Line(name, "", "no SCS name", "missing", (why,)) for name, why in sorted(verdict.wrong_names.items())]
    less, fine = [], []
    for name, says in sorted(verdict.names.items()):
        if name in verdict.standard:
            continue
        if name in verdict.broken_promises:
            less.append(Line(name, says, "less than it says", "differs", tuple(verdict.broken_promises[name])))
        else:
            fine.append(Line(name, says, "as it says", "good"))
    return [*wrong, *less, *fine]
