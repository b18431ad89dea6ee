"""The pages to sign in with Keystone or the FIWARE IdM, and to sign out."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied, Throttled

from flavorsync_project.console.words import counted
from identity import keystone_sign_in, oauth, signed_in
from identity.forms import KeystoneForm
from identity.keystone import Keystone
from identity.throttling import client_address
from identity.ways import ways

NEXT = "next"
REFUSALS = (AuthenticationFailed, PermissionDenied, Throttled)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def with_keystone(request: HttpRequest) -> HttpResponse:
    """Ask for a Keystone name, domain and password, and sign in a user who has a role here."""
    if not Keystone().is_configured():
        raise Http404
    form = KeystoneForm(request.POST or None)
    if not form.is_valid():
        return _page(request, form)
    try:
        presented = keystone_sign_in.sign_in(**form.cleaned_data, address=client_address(request))
        return _let_in(request, presented)
    except REFUSALS as refusal:
        form.add_error(None, _words(refusal))
        return _page(request, form, status=refusal.status_code)


@never_cache
@require_safe
def with_keyrock(request: HttpRequest) -> HttpResponse:
    """Redirect the visitor to the IdM, which redirects them to `from_keyrock`."""
    if not oauth.is_configured():
        raise Http404
    request.session[NEXT] = _next(request)
    return oauth.redirect_to_idm(request, back=request.build_absolute_uri(reverse("from_keyrock")))


@never_cache
@require_safe
def from_keyrock(request: HttpRequest) -> HttpResponse:
    """Sign in the user whom the IdM redirects here, if they have a role."""
    if not oauth.is_configured():
        raise Http404
    where = request.session.pop(NEXT, "")
    try:
        return _let_in(request, [oauth.token_of(request)], where=where)
    except REFUSALS as refusal:
        return _page(request, None, status=refusal.status_code, problem=_words(refusal))


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out, and show the admin site's confirmation."""
    signed_in.end(request)
    return admin.site.logout(request)


def _let_in(request: HttpRequest, presented: Sequence[str], *, where: str | None = None) -> HttpResponse:
    user = signed_in.begin(request, presented=presented)
    request.user = user
    return HttpResponseRedirect((_next(request) if where is None else where) or resolve_url("admin:index"))


def _next(request: HttpRequest) -> str:
    """Return the page that the visitor wants to go to; "" if it is not on this site."""
    where = request.POST.get(NEXT, request.GET.get(NEXT, ""))
    ours = url_has_allowed_host_and_scheme(where, {request.get_host()}, require_https=request.is_secure())
    return where if ours else ""


def _page(request: HttpRequest, form: KeystoneForm | None, *, status: int = 200, problem: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "next": _next(request),
        "problem": problem,
        "ways": ways(),
        "accounts_too": settings.LOCAL_SIGN_IN,
    }
    return render(request, "identity/sign_in.html", context, status=status)


def _words(refusal: APIException) -> str:
    if not isinstance(refusal, Throttled):
        return str(refusal.detail)
    minutes = ceil((getattr(refusal, "wait", None) or 0) / 60)
    return f"Too many failed sign-ins. Try again in {counted(minutes, 'minute')}."
