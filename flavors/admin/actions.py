"""What the staff does with flavors: each is confirmed first, on a page that says what will happen, and reported."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from rest_framework.exceptions import APIException

from flavors.admin.confirming import is_confirmed
from flavors.admin.staff import at_work, nodes_of
from flavors.catalogue import retiring, services
from flavors.lifecycle import writing
from flavors.lifecycle.installing import Installed
from flavors.lifecycle.together import PartlyDone
from flavors.models import Flavor
from identity.principals import StaffMember
from infrastructures.admin import origin
from infrastructures.models import Infrastructure


class NodesForm(forms.Form):
    """The nodes to do it in."""

    nodes = forms.ModelMultipleChoiceField(
        Infrastructure.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text="Those that we hold credentials for and that you may change things in.",
        error_messages={"required": "Choose at least one node."},
    )

    def __init__(self, *args: Any, nodes: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["nodes"]
        assert isinstance(choice, forms.ModelMultipleChoiceField)  # noqa: S101 — for the type checker
        choice.queryset = nodes

    @property
    def options(self) -> list[forms.BoundField]:
        """Return what else there is to choose."""
        return [field for field in self if field.name != "nodes"]

    @property
    def chosen(self) -> list[Infrastructure]:
        """Return the nodes that were chosen."""
        return list(self.cleaned_data["nodes"])


class Prospect(NamedTuple):
    """What will happen to a flavor, and whether anything will."""

    flavor: Flavor
    applies: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Undertaking:
    """What is confirmed before it is done: `prospect` says whether anything will happen to a flavor, and what."""

    name: str
    title: str
    button: str
    explanation: str
    prospect: Callable[[Flavor], tuple[bool, str]]


@dataclass(frozen=True, kw_only=True)
class FlavorAction(Undertaking):
    """Something to be done with flavors, one after the other.

    `do` does it to one and says what it did; it may raise an `APIException`, which is what the
    report then says. Where it may be done in a part of the nodes, `done` is the word for that.
    `holds` says whether it was done before, which is no failure.
    """

    do: Callable[[StaffMember, Flavor, NodesForm | None], str]
    done: str = ""
    takes_nodes: bool = False
    holds: Callable[[Flavor], bool] = lambda flavor: False


@dataclass
class Report:
    """What came of an action, flavor by flavor."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def tell(self, request: HttpRequest) -> None:
        """Show it on the next page."""
        for text in self.done:
            messages.success(request, text)
        for text in self.failed:
            messages.error(request, text)


def confirm_or_carry_out(
    model_admin: "admin.ModelAdmin[Flavor]", request: HttpRequest, action: FlavorAction, flavors: Iterable[Flavor]
) -> HttpResponse | None:
    """Show what will happen or, when just that was confirmed, do it, report it, and go back where one came from."""
    prospects = [Prospect(flavor, *action.prospect(flavor)) for flavor in flavors]
    digest = _digest(prospects)
    form = _nodes_form(request, bound="confirmed" in request.POST) if action.takes_nodes else None
    if is_confirmed(request, digest) and (form is None or form.is_valid()):
        _carry_out(model_admin, request, action, prospects, form).tell(request)
        return HttpResponseRedirect(origin(request)) if origin(request) else None
    return confirmation(model_admin, request, action, prospects, form, digest=digest)


def confirmation(
    model_admin: "admin.ModelAdmin[Flavor]",
    request: HttpRequest,
    action: Undertaking,
    prospects: Sequence[Prospect],
    form: NodesForm | None,
    *,
    digest: str = "",
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": action.title,
        "action": action,
        "opts": model_admin.opts,
        "prospects": prospects,
        "applies": any(prospect.applies for prospect in prospects),
        "digest": digest,
        "form": form,
        "origin": origin(request),
    }
    return TemplateResponse(request, "admin/flavors/flavor/confirm.html", context)


def _digest(prospects: Iterable[Prospect]) -> str:
    """Return what differs when anything else will happen, or to a flavor that is not as it was shown."""
    told = sorted((each.flavor.pk, each.flavor.digest, each.applies, each.text) for each in prospects)
    return sha256(json.dumps(told).encode()).hexdigest()


def _nodes_form(request: HttpRequest, *, bound: bool) -> NodesForm:
    return NodesForm(request.POST if bound else None, nodes=nodes_of(request.user))


def _carry_out(
    model_admin: "admin.ModelAdmin[Flavor]",
    request: HttpRequest,
    action: FlavorAction,
    prospects: Iterable[Prospect],
    form: NodesForm | None,
) -> Report:
    staff, report = at_work(request), Report()
    for flavor, applies, text in prospects:
        if not applies:
            (report.done if action.holds(flavor) else report.failed).append(f"{flavor}: {text}")
            continue
        try:
            done = action.do(staff, flavor, form)
        except PartlyDone as error:
            report.done += [f"{flavor}: {action.done} in {', '.join(error.done)}"] if error.done else []
            report.failed += [f"{flavor}: {reason}" for reason in error.reasons]
            model_admin.log_change(request, flavor, sentence(error))
        except APIException as error:
            report.failed.append(f"{flavor}: {sentence(error)}")
        else:
            report.done.append(f"{flavor}: {done}")
            model_admin.log_change(request, flavor, done)
    return report


def sentence(error: APIException) -> str:
    """Return what an error says, in one line."""
    return " ".join(_texts(error.detail))


def _texts(detail: object) -> list[str]:
    if isinstance(detail, Mapping):
        return [text for value in detail.values() for text in _texts(value)]
    if isinstance(detail, list):
        return [text for value in detail for text in _texts(value)]
    return [str(detail)]


# What there is to do


def _publishing(flavor: Flavor) -> tuple[bool, str]:
    if flavor.public:
        return False, "is public already"
    return True, "everybody will see it in the catalogue, and it stays there"


def _publish(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    services.publish_draft(flavor=flavor)
    return "published"


def _promotion(flavor: Flavor) -> tuple[bool, str]:
    if flavor.promoted:
        return False, "is promoted already"
    if not flavor.public:
        return False, "is not public: publish it first"
    return True, "every node should have it from then on; the synchronisation brings it there"


def _promote(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    writing.update_flavor(user=staff, flavorid=flavor.flavorid, node=None, changes={"promoted": True})
    return "promoted"


def _retirement(flavor: Flavor) -> tuple[bool, str]:
    if not flavor.promoted:
        return False, "is not promoted"
    there = flavor.nodes
    leaves = f"it leaves {', '.join(there)} where a synchronisation has made it" if there else "it is in no node"
    return True, f"{leaves}; then it leaves the catalogue"


def _retire(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    retiring.retire(flavor=flavor, requested_by=str(staff))
    return "retired: the synchronisation takes it out of the nodes"


def _keeping(flavor: Flavor) -> tuple[bool, str]:
    if not _is_retired(flavor):
        return False, "is not being retired"
    return True, "it stays; where it has gone already, the synchronisation brings it back"


def _keep(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    retiring.keep(flavor=flavor)
    return "stays"


def _is_retired(flavor: Flavor) -> bool:
    return hasattr(flavor, "retirement")


def _installation(flavor: Flavor) -> tuple[bool, str]:
    if not flavor.public:
        return False, "is not public: publish it first"
    there = flavor.nodes
    return True, f"is in {', '.join(there)} already, where nothing changes" if there else "is in no node yet"


def _install(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    names = [node.name for node in form.chosen] if form else []
    outcomes = writing.install(user=staff, flavor=flavor, nodes=names)
    added = [outcome.infrastructure.name for outcome in outcomes if outcome.result is not Installed.PRESENT]
    return f"installed in {', '.join(added)}" if added else "was in all of these nodes already"


PUBLISH = FlavorAction(
    name="publish_flavors",
    title="Publish flavors",
    button="Publish",
    explanation="What is published cannot be taken back: whoever has seen a flavor can rely on it.",
    prospect=_publishing,
    do=_publish,
    holds=lambda flavor: flavor.public,
)
PROMOTE = FlavorAction(
    name="promote_flavors",
    title="Promote flavors",
    button="Promote",
    explanation="A promoted flavor should exist, the same, in every node. No node is changed now.",
    prospect=_promotion,
    do=_promote,
    holds=lambda flavor: flavor.promoted,
)
INSTALL = FlavorAction(
    name="install_flavors",
    title="Install flavors in nodes",
    button="Install",
    explanation="Each flavor is created in the Nova of each node that you choose, with all its properties. A node that "
    "has it already, the same, keeps it; where another flavor has its id or its name, nothing changes.",
    prospect=_installation,
    do=_install,
    done="installed",
    takes_nodes=True,
)
RETIRE = FlavorAction(
    name="retire_flavors",
    title="Retire flavors",
    button="Retire",
    explanation="A retired flavor leaves the nodes, and then the catalogue. Where it was found and not made by a "
    "synchronisation, it stays and is forgotten. Where it was changed, or servers use it, it stays until that ends.",
    prospect=_retirement,
    do=_retire,
)
KEEP = FlavorAction(
    name="keep_flavors",
    title="Keep flavors that were to be retired",
    button="Keep",
    explanation="They are brought to every node again.",
    prospect=_keeping,
    do=_keep,
    holds=lambda flavor: not _is_retired(flavor),
)
