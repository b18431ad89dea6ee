"""A name and a password of the central Keystone, the tokens that they open, and the end of these.

A token has one scope, and a person's roles here may be in several: one is fetched for each project of theirs, and for
the system, that KEYSTONE_MANAGERS or KEYSTONE_OPERATORS could mean. The password goes to Keystone and nowhere else.

Source: Identity API v3, "Password authentication", "Get available project scopes", "Revoke token".
"""

from collections.abc import Iterator, Mapping
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
    """Return the tokens that may mean something here, of whoever has this name and password in a domain.

    Raises: AuthenticationFailed when Keystone refuses them; ServiceUnavailable when it does not answer, or not as
    Keystone does; Throttled, unasked, when the account or the address failed too often.

    Cost: two upstream calls, three with an entry for the system, and one for each scope, at most `MOST_SCOPES`.
    """
    note_secret(password)
    throttles: list[FailureThrottle] = [
        AccountFailureThrottle(f"keystone {domain}\n{username}"),
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
    own = {"methods": ["token"], "token": {"id": token}}
    return [_issue(own, scope) for scope in scopes] or [token]


@sensitive_variables()
def revoke(token: str, *, seconds: float) -> None:
    """Have a token ended, if Keystone does so within so many seconds.

    Raises: ServiceUnavailable when it does not; AuthenticationFailed when the token has ended already.
    """
    answer = _ask("/auth/tokens", method="DELETE", headers=_of(token) | {"X-Subject-Token": token}, seconds=seconds)
    if answer.status != 204:
        raise Keystone().unavailable(f"status {answer.status} to a sign-out")


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
    """Yield the scopes of theirs that a setting could mean."""
    entries = [*mappings.managers(settings.KEYSTONE_MANAGERS), *mappings.operators(settings.KEYSTONE_OPERATORS)]
    for project in objects(_list("/auth/projects", token), "projects"):
        name, id = text(project, "name"), text(project, "id")
        if id and any(entry.may_mean(name, id) for entry in entries):
            yield {"project": {"id": id}}
    if any(entry.is_system for entry in entries) and objects(_list("/auth/system", token), "system"):
        yield {"system": {"all": True}}


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
