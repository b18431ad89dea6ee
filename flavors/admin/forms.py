"""The form of a flavor, and what saving it sets off in the nodes."""

from typing import Any

from django import forms
from django.conf import settings
from django.db import transaction

from flavors.catalogue.extra_specs import refusals_of
from flavors.catalogue.granting import access_of, grant_only
from flavors.models import Flavor
from flavors.validators import validate_extra_specs
from flavorsync_project.console.words import counted

MOST_PROJECTS, LONGEST_ID = 1_000, 255


class FlavorForm(forms.ModelForm[Flavor]):
    """A flavor of the catalogue. A node, if one answers, says whether Nova accepts its extra specs."""

    access = forms.CharField(
        label="Projects",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="Which projects may use it, if it is not open to every one: their ids in the central Keystone, one a "
        "line. What a node's operator has granted there stays.",
    )

    class Meta:
        labels = {"vcpus": "vCPUs"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "access" in self.fields:
            self.fields["access"].initial = access_in_lines(self.instance)

    def clean_access(self) -> list[str]:
        """Return the ids of the projects."""
        projects = list(dict.fromkeys(self.cleaned_data["access"].split()))
        if len(projects) > MOST_PROJECTS or any(len(project) > LONGEST_ID for project in projects):
            raise forms.ValidationError(f"At most {MOST_PROJECTS:,} projects, each of {LONGEST_ID} characters at most.")
        return projects

    def clean_extra_specs(self) -> dict[str, str]:
        """Have a node's Nova check new extra specs, unless they are wrong by our own rules."""
        extra_specs: dict[str, str] = self.cleaned_data["extra_specs"]
        if extra_specs != self.instance.extra_specs:
            validate_extra_specs(extra_specs)
            if refusal := refusals_of([extra_specs])[0]:
                raise forms.ValidationError(refusal)
        return extra_specs

    def clean(self) -> dict[str, Any] | None:
        """Refuse projects for a flavor that is open to every one."""
        cleaned = super().clean()
        if self.cleaned_data.get("is_public") and self.cleaned_data.get("access"):
            self.add_error("access", "It is open to every project: leave this empty, or close it to the others.")
        return cleaned

    def grant(self) -> None:
        """Grant the flavor to the form's projects, and to no others, if they have changed. Cost: as `grant_only`."""
        if "access" in self.changed_data:
            with transaction.atomic():
                grant_only(self.instance, [{"id": project} for project in self.cleaned_data["access"]])


def access_in_lines(flavor: Flavor) -> str:
    """Return the projects that a flavor is granted to, one a line. One query."""
    return "\n".join(project["id"] for project in access_of(flavor) or ())


def effect_of_saving(flavor: Flavor, *, nodes: int) -> str:
    """Say what saving a flavor sets off in the nodes."""
    if not flavor.promoted:
        return "Nodes that have it keep it as it is." if flavor.public else "It is a draft: no node has it."
    return (
        f"It is promoted: what you change is brought to {counted(nodes, 'node')}, {_when()}. The description, the "
        "extra specs and the projects are changed in place. Nova cannot change anything else: only a run that may "
        "replace deletes the flavor there and creates it again, and servers that use it keep the old values."
    )


def _when() -> str:
    if settings.SYNC_ON_CHANGE_SECONDS:
        return f"{settings.SYNC_ON_CHANGE_SECONDS:g} seconds after the last change"
    if settings.SYNC_INTERVAL_MINUTES:
        return f"by the next periodic run, every {counted(settings.SYNC_INTERVAL_MINUTES, 'minute')}"
    return "by the next run that somebody starts"
