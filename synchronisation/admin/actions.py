"""The action that synchronises promoted flavors from their list."""

from collections.abc import Iterable

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from flavors.admin.actions import NodesForm, Prospect, Undertaking, confirmation
from flavors.models import Flavor
from infrastructures.admin import origin
from synchronisation.admin.plans import confirm_or_repair, start_and_show
from synchronisation.permissions import nodes_to_synchronise


class SynchronisationForm(NodesForm):
    """The form of the nodes to synchronise, and how far to go."""

    only_compares = forms.BooleanField(required=False, label="Compare only, and change nothing")
    replaces = forms.BooleanField(
        required=False,
        label="Replace flavors whose numbers differ: Nova cannot change them, so they are deleted and created again",
    )
    exact = forms.BooleanField(required=False, label="Remove extra specs that the catalogue does not name")


def confirm_or_synchronise(
    model_admin: "admin.ModelAdmin[Flavor]", request: HttpRequest, flavors: Iterable[Flavor]
) -> HttpResponse:
    """Ask for the nodes, preview what will happen there and, once confirmed, start a run and show its progress."""
    flavors = list(flavors)
    nodes = nodes_to_synchronise(request.user)
    confirmed = "confirmed" in request.POST
    form = SynchronisationForm(request.POST if confirmed else None, nodes=nodes, initial={"nodes": nodes})
    promoted = [flavor for flavor in flavors if flavor.promoted]
    if not (confirmed and form.is_valid() and promoted):
        prospects = [Prospect(flavor, *_synchronisation(flavor)) for flavor in flavors]
        return confirmation(model_admin, request, SYNCHRONISE, prospects, form)
    if form.cleaned_data["only_compares"]:
        return start_and_show(model_admin, request, flavors=promoted, infrastructures=form.chosen)
    return confirm_or_repair(
        model_admin,
        request,
        title="Synchronise flavors",
        flavors=promoted,
        nodes=form.chosen,
        replaces=form.cleaned_data["replaces"],
        exact=form.cleaned_data["exact"],
        back=origin(request) or request.get_full_path(),
    )


def _synchronisation(flavor: Flavor) -> tuple[bool, str]:
    if not flavor.promoted:
        return False, "is not promoted: no node needs to have it"
    return True, "is compared in each node, and repaired where it is missing or differs"


SYNCHRONISE = Undertaking(
    name="synchronise_flavors",
    title="Synchronise flavors",
    button="Synchronise",
    explanation="The run goes on in the background. Its page shows the progress and what it did.",
    prospect=_synchronisation,
)
