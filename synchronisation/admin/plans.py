"""Previewing what a synchronisation run will do, and starting it once confirmed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from flavors.admin.confirming import is_confirmed
from flavors.models import Flavor
from flavors.natural import natural
from infrastructures.models import Infrastructure
from synchronisation.models import SyncOutcome, SyncRun
from synchronisation.planning import DESTROYS, plan
from synchronisation.prospect import Preview, Prospect, preview
from synchronisation.running import RunOptions
from synchronisation.tasks import start_run

Action = SyncOutcome.Action

# The most steps that a page shows, not counting those that change or delete something
LINES = 500
# The colour and the name of each step; those that change or delete something come first
LOOKS = {
    Action.REPLACE: ("differs", "delete and make again"),
    Action.UPDATE: ("differs", "change"),
    Action.CREATE: ("missing", "create"),
    Action.ADOPT: ("missing", "adopt"),
    Action.CANNOT: ("unknown", "nothing"),
}
IGNORED = ("unknown", "nothing: ignored")
ORDER = [*LOOKS, Action.NOTHING]


@dataclass(frozen=True)
class Line:
    """A step as a page shows it."""

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
    """Preview a repair or, if exactly this preview was confirmed, start it in the background and show its progress.

    Nodes that cannot be asked are left out.
    """
    found = preview(infrastructures=nodes, flavors=flavors, replaces=replaces, exact=exact)
    if found.nodes and is_confirmed(request, found.digest):
        options = RunOptions(repairs=True, replaces=replaces, exact=exact, confirmed=sorted(found.confirmed))
        return start_and_show(model_admin, request, flavors=flavors, infrastructures=found.nodes, **options)
    lines = sorted(_lines(found), key=_place)
    shown = [line for number, line in enumerate(lines) if number < LINES or line.prospect.step.action in DESTROYS]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "preview": found,
        "lines": shown,
        "left_out": len(lines) - len(shown),
        "changes": any(each.changes_something for each in found.prospects),
        "replaceable": sum(_could_be_replaced(each) for each in found.prospects),
        "posted": list(posted(request)),
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
    """Start a run over some flavors in the background, log it in each one's history, and show the run's progress."""
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
        is_ignored = bool(prospect.step.finding.wanted.ignored)
        if prospect.step.action == Action.NOTHING and not is_ignored:
            continue
        colour, words = IGNORED if is_ignored else LOOKS[prospect.step.action]
        yield Line(prospect, *(LOOKS[Action.CANNOT] if prospect.uncounted else (colour, words)))


def _place(line: Line) -> tuple[Any, ...]:
    step = line.prospect.step
    return ORDER.index(step.action), line.prospect.node.name, natural(step.finding.wanted.flavor.name)


def _could_be_replaced(prospect: Prospect) -> bool:
    """Say whether a flavor is left alone only because replacing was not asked for."""
    finding = prospect.step.finding
    return prospect.step.action == Action.CANNOT and plan(finding, replaces=True).action == Action.REPLACE


def posted(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Yield the earlier choices, to be submitted again with the confirmation."""
    for name, values in request.POST.lists():
        if name not in ("csrfmiddlewaretoken", "plan"):
            yield from ((name, str(value)) for value in values)
