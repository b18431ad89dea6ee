"""What the staff does with flavors. A page first says what will happen and asks; afterwards there is a report."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from rest_framework.exceptions import APIException

from flavors.admin.confirming import digest_of, is_confirmed
from flavors.admin.staff import at_work, nodes_of
from flavors.catalogue import retiring, services
from flavors.catalogue.outcomes import Came
from flavors.lifecycle import writing
from flavors.lifecycle.together import PartlyDone
from flavors.models import Flavor
from identity.principals import StaffMember
from infrastructures.admin import origin
from infrastructures.models import Infrastructure


class NodesForm(forms.Form):
    """The nodes to act in."""

    nodes = forms.ModelMultipleChoiceField(
        Infrastructure.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text="The nodes that we hold credentials for, and that you may change.",
        error_messages={"required": "Choose at least one node."},
    )

    def __init__(self, *args: Any, nodes: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["nodes"]
        assert isinstance(choice, forms.ModelMultipleChoiceField)  # noqa: S101 — for the type checker
        choice.queryset = nodes

    @property
    def options(self) -> list[forms.BoundField]:
        """Return the fields other than the nodes."""
        return [field for field in self if field.name != "nodes"]

    @property
    def chosen(self) -> list[Infrastructure]:
        """Return the nodes that were chosen."""
        return list(self.cleaned_data["nodes"])


class Prospect(NamedTuple):
    """Whether anything will happen to a flavor, and what."""

    flavor: Flavor
    applies: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Undertaking:
    """Something that people confirm first: `prospect` says whether anything will happen to a flavor, and what."""

    name: str
    title: str
    button: str
    explanation: str
    prospect: Callable[[Flavor], tuple[bool, str]]


@dataclass(frozen=True, kw_only=True)
class FlavorAction(Undertaking):
    """Something that is done to flavors, one after the other.

    `do` does it to one flavor and says what it did, or raises an `APIException` for the report. If it may
    succeed in some nodes only, `done` is the word for that. `holds` says whether it was done before; doing
    it again is then no failure.
    """

    do: Callable[[StaffMember, Flavor, NodesForm | None], str]
    done: str = ""
    takes_nodes: bool = False
    holds: Callable[[Flavor], bool] = lambda flavor: False


@dataclass
class Report:
    """The outcome of an action, flavor by flavor."""

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
    """Show what will happen; once exactly that is confirmed, do it, report it and go back to the page before."""
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
    """Return a digest that changes with a flavor, or with what will happen to it."""
    told = sorted((each.flavor.pk, each.flavor.digest, each.applies, each.text) for each in prospects)
    return digest_of(told)


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
    """Return an error's message in one line."""
    return " ".join(_texts(error.detail))


def _texts(detail: object) -> list[str]:
    if isinstance(detail, Mapping):
        return [text for value in detail.values() for text in _texts(value)]
    if isinstance(detail, list):
        return [text for value in detail for text in _texts(value)]
    return [str(detail)]


# The actions


def _publishing(flavor: Flavor) -> tuple[bool, str]:
    if flavor.public:
        return False, "is already public"
    return True, "everybody will see it in the catalogue, for good"


def _publish(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    services.publish_draft(flavor=flavor)
    return "published"


def _promotion(flavor: Flavor) -> tuple[bool, str]:
    if flavor.promoted:
        return False, "is already promoted"
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
    return True, "it stays; where it is already gone, the synchronisation brings it back"


def _keep(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    retiring.keep(flavor=flavor)
    return "stays"


def _is_retired(flavor: Flavor) -> bool:
    return hasattr(flavor, "retirement")


def _installation(flavor: Flavor) -> tuple[bool, str]:
    if not flavor.public:
        return False, "is not public: publish it first"
    there = flavor.nodes
    return True, f"is already in {', '.join(there)}, where nothing changes" if there else "is in no node yet"


def _install(staff: StaffMember, flavor: Flavor, form: NodesForm | None) -> str:
    names = [node.name for node in form.chosen] if form else []
    outcomes = writing.install(user=staff, flavor=flavor, nodes=names)
    added = [outcome.infrastructure.name for outcome in outcomes if outcome.result is not Came.KNOWN]
    return f"installed in {', '.join(added)}" if added else "was already in all of these nodes"


PUBLISH = FlavorAction(
    name="publish_flavors",
    title="Publish flavors",
    button="Publish",
    explanation="You cannot take this back: whoever has seen a published flavor can rely on it.",
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
    "already has the same flavor keeps it. A node where another flavor has its id or name does not change.",
    prospect=_installation,
    do=_install,
    done="installed",
    takes_nodes=True,
)
RETIRE = FlavorAction(
    name="retire_flavors",
    title="Retire flavors",
    button="Retire",
    explanation="A retired flavor leaves the nodes, and then the catalogue. Where it was found, not made by a "
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
