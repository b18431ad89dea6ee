"""The pages on which operators register and unregister their own nodes, as over the API."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import APIException

from identity.callers import Caller
from infrastructures.models import Infrastructure
from infrastructures.registration import REGISTER, register_infrastructure, unregister_infrastructure

MEMBERS = ["name", "keystone_url", "region", "nova_url", "tenant", "project_domain", "username", "user_domain"]
REQUIRED = ("keystone_url", "tenant", "username")


class RegistrationForm(forms.ModelForm[Infrastructure]):
    """A cloud to register, with the credentials to enter it; the API requires the same."""

    password = forms.CharField(
        strip=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Of that account. It is stored encrypted and never shown.",
    )

    class Meta:
        model = Infrastructure
        fields = MEMBERS

    def __init__(self, *args: Any, names: list[str] | None, **kwargs: Any) -> None:
        """Make the form; with *names*, only these can be chosen."""
        super().__init__(*args, **kwargs)
        for member in REQUIRED:
            self.fields[member].required = True
        self.fields["keystone_url"].help_text = "The v3 API of the cloud's Keystone."
        if names is not None:
            self.fields["name"] = forms.ChoiceField(
                choices=[(name, name) for name in names], help_text="Those that you are an owner of."
            )

    def clean(self) -> dict[str, Any]:
        """Set the model's password; its constraint then checks that the credentials are complete."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        self.instance.set_password(values.get("password", ""))
        return values


class OwnNodePages:
    """The operators' pages, as a mixin for the admin of the clouds."""

    admin_site: admin.AdminSite
    opts: Any

    def own_node_urls(self) -> list[URLPattern]:
        """Return the routes, all behind the admin's login."""
        wrap = self.admin_site.admin_view
        return [
            path("register/", wrap(self.register_view), name="infrastructures_infrastructure_register"),
            path(
                "<int:object_id>/unregister/",
                wrap(self.unregister_view),
                name="infrastructures_infrastructure_unregister",
            ),
        ]

    @method_decorator(sensitive_post_parameters("password"))
    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def register_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, or register a node and go to its page. Cost: two queries, and as `register_infrastructure`."""
        if not request.user.has_perm(REGISTER):
            raise PermissionDenied
        names = free_names(caller_of(request))
        form = RegistrationForm(request.POST or None, names=names)
        if form.is_valid():
            try:
                node = register_infrastructure(values=form.cleaned_data, registrant=caller_of(request))
            except APIException as error:  # somebody else has just registered it
                form.add_error(None, str(error.detail))
            else:
                self.log_addition(request, node, "registered")  # type: ignore[attr-defined]
                messages.success(request, f"{node}: registered. Check whether it can be entered before you use it.")
                return HttpResponseRedirect(reverse("admin:infrastructures_infrastructure_change", args=[node.pk]))
        context = {**self._page(request, "Register a node"), "form": form, "has_names": names != []}
        return TemplateResponse(request, "admin/infrastructures/infrastructure/register.html", context)

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def unregister_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask for confirmation, then unregister a node. Cost: three queries, and as `unregister_infrastructure`."""
        node = Infrastructure.objects.filter(pk=object_id).first()
        if node is None:
            raise Http404
        if not operates(request, object_id):
            raise PermissionDenied
        if request.method != "POST":
            flavors = node.installations.values_list("flavor__name", flat=True).order_by("flavor__name")
            context = {**self._page(request, f"Unregister {node}"), "node": node, "flavors": list(flavors)}
            return TemplateResponse(request, "admin/infrastructures/infrastructure/unregister.html", context)
        try:
            unregister_infrastructure(infrastructure=node)
        except APIException as error:
            messages.error(request, str(error.detail))
            return HttpResponseRedirect(reverse("admin:infrastructures_infrastructure_change", args=[object_id]))
        self.log_deletions(request, [node])  # type: ignore[attr-defined]
        messages.success(request, f"{node}: unregistered")
        return HttpResponseRedirect(reverse("admin:infrastructures_infrastructure_changelist"))

    def _page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}


def caller_of(request: HttpRequest) -> Caller:
    """Return the user as the API would see them: the bearer of a token, or a local account."""
    user: Any = request.user
    caller: Caller = getattr(user, "bearer", None) or user
    return caller


def operates(request: HttpRequest, key: str | int) -> bool:
    """Say whether the user operates the node with this key, which may be malformed. Cost: one query."""
    operated = Infrastructure.objects.operated_by(caller_of(request))
    return str(key).isdecimal() and operated.filter(pk=int(key)).exists()


def free_names(user: Caller) -> list[str] | None:
    """Return the names that *user* owns and that are not registered yet; None if any name is allowed.

    Cost: one query, or none.
    """
    owned: frozenset[str] | None = getattr(user, "owned_nodes", None)
    if owned is None:
        return None
    taken = Infrastructure.objects.filter(name_key__in=[name.lower() for name in owned])
    lower = {name.lower() for name in taken.values_list("name", flat=True)}
    return sorted(name for name in owned if name.lower() not in lower)
