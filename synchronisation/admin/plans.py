"""What a synchronisation run will do, shown first and started when that was confirmed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from flavors.admin.confirming import is_confirmed
from flavors.models import Flavor
from infrastructures.models import Infrastructure
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.planning import DESTROYS
from synchronisation.prospect import Preview, Prospect, preview
from synchronisation.running import RunOptions
from synchronisation.tasks import start_run

Action = SyncOutcome.Action

# How many of the steps that take nothing away a page shows at most
LINES = 500
# What a step is called, and its colour; those that take something away come first
LOOKS = {
    Action.REPLACE: ("differs", "delete and make again"),
    Action.UPDATE: ("differs", "change"),
    Action.CREATE: ("missing", "create"),
    Action.ADOPT: ("missing", "adopt"),
    Action.CANNOT: ("unknown", "nothing"),
}


@dataclass(frozen=True)
class Line:
    """A step, as it is shown."""

    prospect: Prospect
    colour: str
    words: str


def confirm_or_repair(
    model_admin: Any,
    request: HttpRequest,
    *,
    title: str,
    flavors: Sequence[Flavor],
    nodes: Sequence[Infrastructure],
    replaces: bool,
    exact: bool,
    back: str,
) -> HttpResponse:
    """Show what a repair will do or, when just that was confirmed, start it in the background and show how it goes.

    Nodes that cannot be asked are left out of it.
    """
    found = preview(infrastructures=nodes, flavors=flavors, replaces=replaces, exact=exact)
    if found.nodes and is_confirmed(request, found.digest):
        options = RunOptions(repairs=True, replaces=replaces, exact=exact, confirmed=sorted(found.confirmed))
        return start_and_show(model_admin, request, flavors=flavors, infrastructures=found.nodes, **options)
    lines = sorted(_lines(found), key=lambda line: list(LOOKS).index(line.prospect.step.action))
    shown = [line for number, line in enumerate(lines) if number < LINES or line.prospect.step.action in DESTROYS]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "preview": found,
        "lines": shown,
        "left_out": len(lines) - len(shown),
        "changes": any(each.changes_something for each in found.prospects),
        "posted": list(_posted(request)),
        "back": back,
    }
    return TemplateResponse(request, "admin/flavors/flavor/plan.html", context)


def start_and_show(
    model_admin: Any,
    request: HttpRequest,
    *,
    flavors: Sequence[Flavor],
    infrastructures: Sequence[Infrastructure],
    **options: Unpack[RunOptions],
) -> HttpResponse:
    """Start a run over some flavors in the background, write that down with each, and show how the run goes."""
    options["flavorids"] = [flavor.flavorid for flavor in flavors]
    run = start_run(requested_by=str(request.user), infrastructures=infrastructures, **options)
    where = f" in {infrastructures[0]}" if len(infrastructures) == 1 else ""
    for flavor in flavors:
        model_admin.log_change(request, flavor, f"synchronisation run {run.pk} started{where}")
    return HttpResponseRedirect(page_of(run))


def page_of(run: SyncRun) -> str:
    """Return the address of a run's page."""
    return reverse("admin:synchronisation_syncrun_change", args=[run.pk])


def _lines(found: Preview) -> Iterator[Line]:
    for prospect in found.prospects:
        if prospect.step.action == Action.NOTHING:
            continue
        colour, words = LOOKS[prospect.step.action]
        yield Line(prospect, *(LOOKS[Action.CANNOT] if prospect.uncounted else (colour, words)))


def _posted(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Yield what was chosen on the way here, to be sent along."""
    for name, values in request.POST.lists():
        if name not in ("csrfmiddlewaretoken", "plan"):
            yield from ((name, str(value)) for value in values)
