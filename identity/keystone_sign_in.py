"""Signing in with a name and password of the central Keystone: issuing tokens and revoking them.

A token has one scope, and a user's roles may be in several: so a token is issued for each of their projects, and for
the system, if KEYSTONE_MANAGERS or KEYSTONE_OPERATORS may match it. The password goes to Keystone and nowhere else.

Source: Identity API v3, "Password authentication", "Get available project scopes", "Revoke token".
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.api.urls import keystone_v3
from flavorsync_project.telemetry.request_id import note_secret
from identity import mappings
from identity.documents import Document, objects, text
from identity.exchange import Answer
from identity.keystone import Keystone
from identity.throttling import AccountFailureThrottle, AddressFailureThrottle, FailureThrottle

MOST_SCOPES = 20
_UNSCOPED = "unscoped"


@sensitive_variables()
def sign_in(*, username: str, domain: str, password: str, address: str) -> list[str]:
    """Sign in to Keystone, and return a token for each scope that the settings may match; else an unscoped one.

    Raises: AuthenticationFailed when Keystone refuses the credentials; ServiceUnavailable when it does not answer, or
    not as Keystone does; Throttled, without asking, when the account or the address failed too often.

    Cost: two upstream calls, three with an entry for the system, and one for each scope, at most `MOST_SCOPES`.
    """
    note_secret(password)
    throttles: list[FailureThrottle] = [
        # Keystone takes a name in any case, if its database does
        AccountFailureThrottle(f"keystone {domain}\n{username}".lower()),
        AddressFailureThrottle(address),
    ]
    for throttle in throttles:
        throttle.check()
    user = {"name": username, "domain": {"name": domain}, "password": password}
    try:
        token = _issue({"methods": ["password"], "password": {"user": user}}, _UNSCOPED)
    except AuthenticationFailed:
        for throttle in throttles:
            throttle.record_failure()
        raise
    scopes = [scope for _, scope in zip(range(MOST_SCOPES), _scopes(token), strict=False)]
    return list(_issue_each(token, scopes)) or [token]


@sensitive_variables()
def revoke(token: str, *, seconds: float) -> None:
    """Revoke a token, waiting at most *seconds* for Keystone.

    Raises: ServiceUnavailable when Keystone does not revoke it in time; AuthenticationFailed when it has already ended.
    """
    answer = _ask("/auth/tokens", method="DELETE", headers=_of(token) | {"X-Subject-Token": token}, seconds=seconds)
    if answer.status != 204:
        raise Keystone().unavailable(f"status {answer.status} to a sign-out")


def _issue_each(token: str, scopes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a token for each scope, except those that Keystone refuses: it also lists projects that are disabled."""
    own = {"methods": ["token"], "token": {"id": token}}
    for scope in scopes:
        with suppress(AuthenticationFailed):
            yield _issue(own, scope)


@sensitive_variables()
def _issue(identity: Mapping[str, Any], scope: Mapping[str, Any] | str) -> str:
    document = {"auth": {"identity": identity, "scope": scope}}
    answer = _ask("/auth/tokens?nocatalog", method="POST", document=document)
    token = answer.headers.get("X-Subject-Token", "")
    if answer.status != 201 or not token:
        raise Keystone().unavailable(f"status {answer.status} to a sign-in")
    note_secret(token)
    return token


def _scopes(token: str) -> Iterator[Mapping[str, Any]]:
    """Yield the user's scopes that a setting may match: those that it names before those that `{node}` may stand for.

    Keystone lists a user's projects in any order, and all of them may have names of nodes.
    """
    entries = [*mappings.managers(settings.KEYSTONE_MANAGERS), *mappings.operators(settings.KEYSTONE_OPERATORS)]
    if any(entry.is_system for entry in entries) and objects(_list("/auth/system", token), "system"):
        yield {"system": {"all": True}}
    projects = {text(each, "id"): text(each, "name") for each in objects(_list("/auth/projects", token), "projects")}
    named = [entry for entry in entries if mappings.NODE not in entry.project]
    found = [id for some in (named, entries) for id in projects if any(one.may_mean(projects[id], id) for one in some)]
    yield from ({"project": {"id": id}} for id in dict.fromkeys(found) if id)


def _list(path: str, token: str) -> Document:
    answer = _ask(path, headers=_of(token))
    if answer.status != 200 or answer.document is None:
        raise Keystone().unavailable(f"status {answer.status} to {path}")
    return answer.document


def _of(token: str) -> dict[str, str]:
    return {"X-Auth-Token": token}


def _ask(path: str, **options: Any) -> Answer:
    keystone = Keystone()
    answer = keystone.fetch(f"{keystone_v3(settings.KEYSTONE_URL)}{path}", verify=settings.OPENSTACK_VERIFY, **options)
    if answer.status in (400, 401, 403, 404) and "error" in (answer.document or {}):
        raise AuthenticationFailed("Keystone does not accept this name, domain and password.")
    return answer
