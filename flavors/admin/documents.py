"""The catalogue as a file: out of the list of flavors, and into it, as CSV and YAML."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from flavors.admin.confirming import digest_of, is_confirmed
from flavors.admin.staff import ADD, CHANGE, PROMOTE
from flavors.catalogue.documents import Entry, UnreadableDocument, read_document, write_document
from flavors.catalogue.loading import Change, load_catalogue
from flavors.catalogue.outcomes import Came
from flavors.catalogue.tables import write_table
from flavors.models import Flavor
from flavors.natural import natural

# The largest document, in characters: some 2,000 flavors
LONGEST = 1_000_000
TOO_LONG = MaxLengthValidator(LONGEST, f"It is longer than {LONGEST:,} characters: use the command load_catalogue.")


class DocumentForm(forms.Form):
    """The form of a document: a file, or its text."""

    file = forms.FileField(
        required=False,
        help_text="As “CSV” or “YAML” downloads it, or YAML of the Sovereign Cloud Stack. What it does is shown first.",
    )
    document = forms.CharField(
        label="Or its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
        validators=[TOO_LONG],
        help_text="You can paste cells of a spreadsheet, too, with their heading.",
    )

    def clean(self) -> dict[str, Any]:
        """Take the text of the file, if there is one."""
        values = self.cleaned_data
        if file := values.get("file"):
            values["document"] = self._text_of(file)
        if not self.errors and not values.get("document", "").strip():
            self.add_error("document", "Choose a file, or paste its text.")
        return values

    def _text_of(self, file: UploadedFile) -> str:
        try:
            text = bytes(file.read(4 * LONGEST + 1)).decode("utf-8-sig")
            TOO_LONG(text)
        except UnicodeDecodeError:
            self.add_error("file", "It is not in UTF-8: save it as CSV in UTF-8, or as YAML.")
        except ValidationError as error:
            self.add_error("file", error)
        else:
            return text
        return ""


class DocumentPages:
    """The files of the catalogue, for the admin of the flavors."""

    admin_site: admin.AdminSite
    opts: Any

    def document_urls(self) -> list[URLPattern]:
        """Return the routes, all behind the admin's login."""
        wrap, both = self.admin_site.admin_view, require_http_methods(["GET", "HEAD", "POST"])
        return [
            path("csv/", wrap(require_safe(self.csv_view)), name="flavors_flavor_csv"),
            path("yaml/", wrap(require_safe(self.yaml_view)), name="flavors_flavor_yaml"),
            path("load/", wrap(both(self.load_view)), name="flavors_flavor_load"),
        ]

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """Return the flavors of the list, as it is filtered, as CSV. Cost: as the list, and one query."""
        return _download(write_table(self._listed(request)), "text/csv", "flavors.csv")

    def yaml_view(self, request: HttpRequest) -> HttpResponse:
        """Return the flavors of the list, as it is filtered, as a YAML document. Cost: as the list, and two queries."""
        flavors = self._listed(request).prefetch_related("grants")
        return _download(write_document(flavors), "application/yaml", "flavors.yaml")

    def load_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form of a document, then what it would change and, once that is confirmed, load it.

        Cost: as `load_catalogue`, and three queries.
        """
        if not may_load(request):
            raise PermissionDenied
        form = DocumentForm(request.POST or None, request.FILES or None)
        changes: list[Change] | None = None
        if form.is_valid():
            try:
                entries = read_document(form.cleaned_data["document"])
                changes = load_catalogue(entries=entries, dry_run=True)
                if is_confirmed(request, _digest(changes)):
                    return self._load(request, entries)
            except UnreadableDocument as error:
                for problem in error.problems[:20]:
                    form.add_error("file" if request.FILES else "document", problem)
        news = [change for change in changes or () if change.came is not Came.KNOWN]
        context = {
            **self.admin_site.each_context(request),
            "title": "Load flavors",
            "opts": self.opts,
            "form": form,
            "document": form.cleaned_data["document"] if changes is not None else "",
            "news": sorted(news, key=lambda change: natural(change.name)),
            "known": len(changes) - len(news) if changes is not None and not form.errors else None,
            "digest": "" if changes is None else _digest(changes),
            "back": reverse("admin:flavors_flavor_changelist"),
        }
        return TemplateResponse(request, "admin/flavors/flavor/load.html", context)

    def _load(self, request: HttpRequest, entries: list[Entry]) -> HttpResponse:
        done = [change for change in load_catalogue(entries=entries) if change.came is not Came.KNOWN]
        for change in done:
            flavor = Flavor.objects.filter(flavorid=change.flavorid).first()
            if flavor:
                members = ", ".join(change.members)
                self.log_change(request, flavor, f"{change.came} from a document: {members}")  # type: ignore[attr-defined]
        messages.success(request, f"{len(done)} loaded." if done else "The catalogue has all of it already.")
        return HttpResponseRedirect(reverse("admin:flavors_flavor_changelist"))

    def _listed(self, request: HttpRequest) -> Any:
        """Return the flavors of the list, filtered as it is."""
        site: Any = self
        if not site.has_view_permission(request):
            raise PermissionDenied
        try:
            return site.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters as error:
            raise BadRequest from error


def may_load(request: HttpRequest) -> bool:
    """Say whether the user may load documents: they make, change and promote flavors."""
    return all(request.user.has_perm(permission) for permission in (ADD, CHANGE, PROMOTE))


def _digest(changes: list[Change]) -> str:
    """Return a digest of what the document does. A new flavor without an id gets another one each time."""
    return digest_of([[change.name, change.came, sorted(change.members.items())] for change in changes])


def _download(text: str, kind: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=f"{kind}; charset=utf-8", headers=headers)
