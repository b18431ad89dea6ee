"""The flavors of a node that the user may change: creating, publishing, installing, resizing and removing them."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.exceptions import APIException

from flavors.admin.actions import sentence
from flavors.admin.staff import VIEW, at_work, may_install, nodes_of
from flavors.lifecycle import reading, writing
from flavors.lifecycle.private import PrivateFlavor
from flavors.models import Flavor
from flavors.natural import natural
from flavors.validators import validate_flavorid, validate_name
from infrastructures.models import Infrastructure
from infrastructures.openstack.rules import MAX_INTEGER, MAX_NAME_LENGTH

SIZES = {"vcpus": ("vCPUs", 1), "ram": ("RAM (MiB)", 1), "disk": ("Disk (GiB)", 0), "swap": ("Swap (MiB)", 0)}


class SizesForm(forms.Form):
    """The form of a private flavor's name and sizes."""

    name = forms.CharField(max_length=MAX_NAME_LENGTH, strip=False, validators=[validate_name])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for member, (label, least) in SIZES.items():
            limit = MaxValueValidator(MAX_INTEGER)
            self.fields[member] = forms.IntegerField(label=label, min_value=least, validators=[limit])
        self.fields["swap"].initial = 0


class NewFlavorForm(SizesForm):
    """The form of a flavor to create in nodes."""

    id = forms.CharField(
        required=False, max_length=MAX_NAME_LENGTH, validators=[validate_flavorid], help_text="Empty: a random one."
    )
    public = forms.BooleanField(
        required=False, label="Publish it, too", help_text="Everybody will see it in the catalogue, for good."
    )

    def __init__(self, *args: Any, nodes: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["nodes"] = forms.MultipleChoiceField(
            choices=[(name, name) for name in nodes],
            widget=forms.CheckboxSelectMultiple,
            help_text="" if nodes else "We hold no credentials for any node that you may change.",
        )


class OwnFlavorPages:
    """The pages of a node's own flavors, for the admin of the flavors."""

    admin_site: admin.AdminSite
    opts: Any

    def own_flavor_urls(self) -> list[URLPattern]:
        """Return the routes, all behind the admin's login."""
        wrap, both = self.admin_site.admin_view, require_http_methods(["GET", "HEAD", "POST"])
        return [
            path("own/", wrap(require_safe(self.own_view)), name="flavors_flavor_own"),
            path("own/new/", wrap(both(self.make_view)), name="flavors_flavor_make"),
            path("own/resize/", wrap(both(self.resize_view)), name="flavors_flavor_resize"),
        ]

    def own_view(self, request: HttpRequest) -> HttpResponse:
        """Show the flavors that a node has now, and the changes on offer.

        Cost: two queries, two for the session, and as `list_flavors`.
        """
        nodes = _nodes_of(request)
        node = request.GET.get("node") or (nodes[0] if len(nodes) == 1 else "")
        flavors: list[Flavor | PrivateFlavor] = []
        if node in nodes:
            try:
                listed = reading.list_flavors(user=at_work(request), promoted=None, public=None, node=node)
                flavors = list(listed.flavors)
            except APIException as error:
                messages.error(request, sentence(error))
        elif node:
            messages.warning(request, "Choose a node.")
        others = [name for name in nodes if name != node]
        context = {
            **self._page(request, f"Flavors of {node}" if node in nodes else "Flavors of a node"),
            "nodes": nodes,
            "node": node,
            "flavors": sorted(flavors, key=lambda flavor: (natural(flavor.name), flavor.flavorid)),
            "others": others,
        }
        return TemplateResponse(request, "admin/flavors/flavor/own.html", context)

    def make_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, or create a flavor in nodes. Cost: as `create_flavor`."""
        nodes = _nodes_of(request)
        form = NewFlavorForm(request.POST or None, nodes=nodes, initial={"nodes": [request.GET.get("node")]})
        back = _own(request.GET.get("node", ""))
        if form.is_valid():
            try:
                made = writing.create_flavor(user=at_work(request), values=form.cleaned_data)
            except APIException as error:
                form.add_error(None, sentence(error))
            else:
                self._report(request, made.name, "made", form.cleaned_data["nodes"])
                return HttpResponseRedirect(_own(form.cleaned_data["nodes"][0]))
        explanation = "It is created in the Nova of each node that you choose, in all of them or in none."
        return self._form(request, "Make a flavor", "Make", form, explanation=explanation, back=back)

    def resize_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, or change the name and sizes of a private flavor. Cost: as `update_flavor`."""
        flavorid, node = (request.GET.get(name, "") for name in ("flavorid", "node"))
        if node not in _nodes_of(request):
            raise PermissionDenied
        try:
            found = reading.find_flavor(user=at_work(request), flavorid=flavorid, node=node)
        except APIException as error:
            messages.error(request, sentence(error))
            return HttpResponseRedirect(_own(node))
        form = SizesForm(request.POST or None, initial={member: getattr(found, member) for member in ("name", *SIZES)})
        if form.is_valid():
            changes = {member: form.cleaned_data[member] for member in form.changed_data}
            try:
                writing.update_flavor(user=at_work(request), flavorid=flavorid, node=node, changes=changes)
            except APIException as error:
                form.add_error(None, sentence(error))
            else:
                self._report(request, form.cleaned_data["name"], "changed", found.nodes)
                return HttpResponseRedirect(_own(node))
        explanation = (
            f"It is in {', '.join(found.nodes)}. Nova cannot change a flavor: it is deleted there and created again "
            "under the same id. Servers that use it keep the old values."
        )
        return self._form(request, f"Change {found.name}", "Change", form, explanation=explanation, back=_own(node))

    def _report(self, request: HttpRequest, flavor: str, done: str, nodes: list[str]) -> None:
        """Report what was done, and log it in the history of each node."""
        messages.success(request, f"{flavor}: {done} in {', '.join(nodes)}")
        for node in Infrastructure.objects.filter(name__in=nodes):
            self.log_change(request, node, f"{flavor}: {done}")  # type: ignore[attr-defined]

    def _form(self, request: HttpRequest, title: str, button: str, form: forms.Form, **context: Any) -> HttpResponse:
        context |= {**self._page(request, title), "form": form, "button": button}
        return TemplateResponse(request, "admin/flavors/flavor/own_form.html", context)

    def _page(self, request: HttpRequest, title: str) -> Mapping[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}


def _nodes_of(request: HttpRequest) -> list[str]:
    """Return the names of the nodes that the user may change.

    Raises:
        PermissionDenied: they may not change flavors of nodes at all.
    """
    if not (request.user.has_perm(VIEW) and may_install(request.user)):
        raise PermissionDenied
    return list(nodes_of(request.user).values_list("name", flat=True))


def _own(node: str) -> str:
    return f"{reverse('admin:flavors_flavor_own')}?{urlencode({'node': node})}"
