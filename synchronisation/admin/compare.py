"""The page that compares two nodes, and the changes that it offers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import APIException

from flavors.admin.actions import sentence
from flavors.admin.confirming import is_confirmed
from flavors.admin.staff import PROMOTE, VIEW, at_work, may_install, nodes_of
from flavors.catalogue.comparison import Difference
from flavors.lifecycle import reading, writing
from flavors.lifecycle.private import PrivateFlavor
from flavors.models import Flavor, Installation
from identity.callers import Caller
from infrastructures.admin import origin
from infrastructures.models import Infrastructure
from infrastructures.openstack.records import NovaFlavor
from synchronisation.comparing import look_into
from synchronisation.two_nodes import Pair, TwoNodes, side_by_side


@dataclass(frozen=True)
class Choice:
    """A change that can be made to a flavor of a node."""

    verb: str
    label: str
    into: str = ""


@dataclass(frozen=True)
class Line:
    """A flavor of a node, what the catalogue knows of it, and the changes on offer."""

    flavor: NovaFlavor
    node: Infrastructure
    # The key of the catalogue's flavor, if it is published
    pk: int | None
    # If it is published, its id in the catalogue, which may differ from that in the node
    flavorid: str
    published: bool
    promoted: bool
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Verb:
    """A kind of change: who may make it, and how it is described."""

    is_allowed: Callable[[Caller], bool]
    title: str
    explanation: str


VERBS = {
    "publish": Verb(
        may_install,
        "Publish {flavor} of {node}",
        "Everybody will see it in the catalogue, installed in {node}. You cannot take this back.",
    ),
    "install": Verb(
        may_install,
        "Install {flavor} in {into}",
        "It is created in the Nova of {into} as shown, with all its properties. If the same flavor is already there, "
        "it stays. If another flavor has its id or name, nothing changes.",
    ),
    "remove": Verb(
        may_install,
        "Remove {flavor} from {node}",
        "It is deleted in the Nova of {node}. Servers that use it keep running. A flavor of the catalogue leaves that, "
        "too, with its last node, unless it is promoted: then the synchronisation brings it back.",
    ),
    "promote": Verb(
        lambda user: user.has_perm(PROMOTE),
        "Promote {flavor}",
        "Every node should have it, the same, from then on. No node is changed now.",
    ),
}


class ComparisonPages:
    """The pages of the comparison, for the admin of the flavors."""

    admin_site: admin.AdminSite
    opts: Any

    def comparison_urls(self) -> list[URLPattern]:
        """Return the routes, all behind the admin's login."""
        wrap = self.admin_site.admin_view
        return [
            path("compare/", wrap(require_safe(self.comparison_view)), name="flavors_flavor_compare"),
            path("compare/change/", wrap(require_POST(self.change_one_view)), name="flavors_flavor_change_one"),
        ]

    def comparison_view(self, request: HttpRequest) -> HttpResponse:
        """Show the flavors of two nodes side by side, as they are now.

        Cost: two queries, two for the session, and as `look_into`.
        """
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        nodes = {node.name: node for node in nodes_of(request.user)}
        names = [request.GET.get(side, "") for side in ("left", "right")]
        chosen = [nodes[name] for name in names if name in nodes]
        context = {**self._page(request, "Compare two nodes"), "nodes": nodes, "left": names[0], "right": names[1]}
        if len(chosen) == 2 and chosen[0] != chosen[1]:
            context |= _compared(request, *chosen)
        elif any(names):
            messages.warning(request, "Choose two nodes.")
        return TemplateResponse(request, "admin/flavors/flavor/compare.html", context)

    def change_one_view(self, request: HttpRequest) -> HttpResponse:
        """Ask to confirm a change of a flavor in a node or, if exactly that was confirmed, make it and go back.

        Cost: as `find_flavor`; and that of the change.
        """
        asked = {name: request.POST.get(name, "") for name in ("do", "flavorid", "flavor", "node", "into")}
        verb = VERBS.get(asked["do"])
        if verb is None:
            raise BadRequest
        if not verb.is_allowed(request.user):
            raise PermissionDenied
        back = origin(request) or reverse("admin:flavors_flavor_compare")
        if asked["do"] == "install" and not asked["into"]:
            messages.error(request, f"{asked['flavor']}: say in which node to install it.")
            return HttpResponseRedirect(back)
        try:
            flavor = reading.find_flavor(user=at_work(request), flavorid=asked["flavorid"], node=asked["node"])
        except APIException as error:
            messages.error(request, f"{asked['flavor']}: {sentence(error)}")
            return HttpResponseRedirect(back)
        digest = _digest(flavor)
        if is_confirmed(request, digest):
            self._change(request, {**asked, "flavor": flavor.name})
            return HttpResponseRedirect(back)
        context = {
            **self._page(request, verb.title.format(**asked)),
            "explanation": verb.explanation.format(**asked),
            "asked": asked,
            "flavor": flavor,
            "digest": digest,
            "origin": back,
        }
        return TemplateResponse(request, "admin/flavors/flavor/confirm_one.html", context)

    def _change(self, request: HttpRequest, asked: Mapping[str, str]) -> None:
        changes: dict[str, dict[str, object]] = {
            "publish": {"public": True},
            "install": {"nodes": [asked["into"]]},
            "promote": {"promoted": True},
        }
        done = {
            "publish": "published",
            "install": f"installed in {asked['into']}",
            "promote": "promoted",
            "remove": f"removed from {asked['node']}",
        }[asked["do"]]
        which: dict[str, Any] = {
            "user": at_work(request),
            "flavorid": asked["flavorid"],
            "node": asked["node"],
        }
        try:
            if asked["do"] == "remove":
                writing.delete_flavor(**which)
                changed = None
            else:
                changed = writing.update_flavor(**which, changes=changes[asked["do"]])
        except APIException as error:
            messages.error(request, f"{asked['flavor']}: {sentence(error)}")
            return
        messages.success(request, f"{asked['flavor']}: {done}")
        if isinstance(changed, Flavor):
            self.log_change(request, changed, done)  # type: ignore[attr-defined]
        else:  # a private flavor, which has no row
            where = Infrastructure.objects.get(name=asked["node" if changed is None else "into"])
            self.log_change(request, where, f"{asked['flavor']}: {done}")  # type: ignore[attr-defined]

    def _page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}


def _digest(flavor: Flavor | PrivateFlavor) -> str:
    """Return a hash that changes if the flavor is no longer as it was shown."""
    return flavor.digest if isinstance(flavor, Flavor) else Flavor.from_nova(flavor.nova_flavor).digest


def _compared(request: HttpRequest, left: Infrastructure, right: Infrastructure) -> dict[str, Any]:
    outcomes = look_into([left, right])
    errors = [str(outcome.error.detail) for outcome in outcomes if outcome.error]
    if errors:
        return {"errors": errors}
    found = side_by_side(*(outcome.result.by_id.values() for outcome in outcomes if outcome.result))
    line = _Lines(request, left, right)
    return {"found": found, "sections": _sections(found, line), "left_node": left, "right_node": right}


def _sections(found: TwoNodes, line: "_Lines") -> list[dict[str, Any]]:
    left, right = line.left, line.right
    return [
        {
            "title": f"Only in {left}",
            "colour": "missing",
            "lines": [(line(flavor, left, into=right), None, ()) for flavor in found.only_left],
        },
        {
            "title": f"Only in {right}",
            "colour": "missing",
            "lines": [(line(flavor, right, into=left), None, ()) for flavor in found.only_right],
        },
        {
            "title": "Different",
            "colour": "differs",
            "pairs": f"{left} → {right}",
            "lines": [line.pair(pair) for pair in found.different],
        },
        {
            "title": "Equal under another name or id",
            "colour": "unknown",
            "pairs": f"In {right}",
            "lines": [line.pair(pair) for pair in found.alike],
        },
        {"title": "The same", "colour": "good", "lines": [line.pair(pair) for pair in found.same]},
    ]


class _Lines:
    """Builds the lines of flavors, from what the catalogue knows and the user may do. One query."""

    def __init__(self, request: HttpRequest, left: Infrastructure, right: Infrastructure) -> None:
        self.left, self.right = left, right
        self._may = {name: verb.is_allowed(request.user) for name, verb in VERBS.items()}
        installed = Installation.objects.filter(infrastructure__in=[left, right]).select_related("flavor")
        self._known = {(each.infrastructure_id, each.flavorid): each.flavor for each in installed}

    def pair(self, pair: Pair) -> tuple[Line, Line, Sequence[Difference]]:
        """Return a line for each flavor of a pair, and their differences.

        Ids and names are unique in the catalogue: if the two share either, and one is published, only that one gets
        choices.
        """
        left, right = self(pair.left, self.left), self(pair.right, self.right, which=f" that of {self.right}")
        same_name = pair.left.name.lower() == pair.right.name.lower()
        if pair.left.id == pair.right.id or same_name:
            if left.published:
                right = replace(right, choices=())
            elif right.published:
                left = replace(left, choices=())
        return left, right, pair.differences

    def __call__(
        self, flavor: NovaFlavor, node: Infrastructure, *, into: Infrastructure | None = None, which: str = ""
    ) -> Line:
        known = self._known.get((node.pk, flavor.id))
        published, promoted = bool(known and known.public), bool(known and known.promoted)
        choices = []
        if into and self._may["install"]:
            choices.append(Choice("install", f"Install in {into}", into.name))
        if not published and self._may["publish"]:
            choices.append(Choice("publish", f"Publish{which}"))
        if published and not promoted and self._may["promote"]:
            choices.append(Choice("promote", f"Promote{which}"))
        flavorid = known.flavorid if known and published else flavor.id
        pk = known.pk if known and published else None
        return Line(flavor, node, pk, flavorid, published, promoted, tuple(choices))
