"""Authentication with the clouds' Keystones, by a caller's token or by our stored credentials."""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Lock, local

from django.core.cache import caches
from django.core.exceptions import ValidationError
from django.utils.crypto import salted_hmac
from keystoneauth1 import access as keystone_access
from keystoneauth1.access import AccessInfo, AccessInfoV3
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from flavorsync_project.api.urls import keystone_v3
from flavorsync_project.telemetry.request_id import note_secret
from infrastructures.addresses import believe
from infrastructures.openstack import shapes
from infrastructures.openstack.bounds import ENDPOINT_LENGTH, ENDPOINTS
from infrastructures.openstack.errors import (
    CloudError,
    CloudUnavailable,
    CredentialsRefused,
    FlavorNotFound,
    Forbidden,
    TokenRefused,
)
from infrastructures.openstack.records import Credentials, Region, TokenAccess
from infrastructures.openstack.sessions import open_session
from infrastructures.openstack.translation import translated
from infrastructures.validators import validate_cloud_url

MAX_TOKEN_LENGTH = 8000
SERVICE = "Keystone"

# It logs the whole response to our password at level DEBUG, and an impostor's may repeat the password.
logging.getLogger("keystoneauth.identity.v3.base").addFilter(lambda record: record.levelno > logging.DEBUG)


def open_token(token: str, region: Region) -> TokenAccess:
    """Return the access that *token* gives; a token without a project is first rescoped to its user's project.

    Raises:
        TokenRefused: the region's Keystone does not accept the token, or its user has no project.
        CloudUnavailable: the Keystone could not be asked.

    Cost: none while it is remembered, which is until the token expires. Else one Keystone call for a
    scoped token, two for an unscoped one whose user has a default project, four for other unscoped ones;
    and one to the central Keystone if the region has another.
    Source: Identity API v3, "Validate and show information for token".
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenRefused(region.name, "the Keystone token is too long.")
    note_secret(token)
    key = _cache_key(token, region)
    remembered: TokenAccess | None = caches["keystone"].get(key)
    if remembered:
        note_secret(remembered.token)
        return remembered
    opened = _ask(token, region)
    note_secret(opened.token)
    seconds = (opened.expires_at - datetime.now(UTC)).total_seconds()
    if seconds > 0:
        caches["keystone"].set(key, opened, timeout=seconds)
    return opened


def forget_token(token: str, region: Region) -> None:
    """Forget what is remembered about *token*, which the cloud no longer accepts."""
    caches["keystone"].delete(_cache_key(token, region))


class _PasswordPlugin(v3.Password):
    """Authentication with our stored credentials for a cloud, if need be in the middle of a call to its Nova.

    Keystone's errors concern no flavor, and are not the caller's fault: its 404 must not look like Nova's. A
    token that is refused in several threads at once is renewed only once.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._region = credentials.region
        self._given = local()
        super().__init__(
            auth_url=keystone_v3(credentials.region.keystone_url),
            username=credentials.username,
            password=credentials.password,
            project_name=credentials.tenant,
            user_domain_name=credentials.user_domain,
            project_domain_name=credentials.project_domain,
        )

    def get_headers(self, session: Session) -> dict[str, str] | None:
        """Return the header with the token, and remember which token this thread got."""
        headers = super().get_headers(session)
        note_secret((headers or {}).get("X-Auth-Token", ""))
        self._given.headers = headers
        return headers

    def invalidate(self) -> bool:
        """Drop the token that this thread got, unless another thread has done so; return True, meaning "try again"."""
        given = getattr(self._given, "headers", None) or {}
        with self._lock:
            if self.auth_ref and self.auth_ref.auth_token == given.get("X-Auth-Token"):
                self.auth_ref = None
        return True

    def get_auth_ref(self, session: Session) -> AccessInfoV3:
        """Return a new token and its description by Keystone.

        Raises:
            CredentialsRefused: Keystone does not accept the credentials.
            CloudUnavailable: it did not answer, or not as OpenStack does.
        """
        try:
            with translated(self._region.name, SERVICE):
                return _reduced(super().get_auth_ref(session), self._region)
        except CloudUnavailable:
            raise
        except (TokenRefused, Forbidden) as error:
            raise CredentialsRefused(
                self._region.name, "its Keystone refuses the credentials stored for it.", request_id=error.request_id
            ) from error
        except CloudError as error:
            raise CloudUnavailable(
                self._region.name, "its Keystone did not answer as OpenStack does.", request_id=error.request_id
            ) from error


_sessions: dict[str, tuple[Credentials, _PasswordPlugin, Session]] = {}
_sessions_lock = Lock()


def session_of(credentials: Credentials) -> tuple[_PasswordPlugin, Session]:
    """Return the process's authentication plugin for a registered cloud, and its one session there.

    Both are created anew when the cloud's record has changed.

    The first request authenticates, and a request that gets a 401 does so once more. All threads share
    the token until it expires. Cost: none.
    """
    name = credentials.region.name
    note_secret(credentials.password)
    with _sessions_lock:
        known = _sessions.get(name)
        if known is None or known[0] != credentials:
            plugin = _PasswordPlugin(credentials)
            known = _sessions[name] = (credentials, plugin, open_session(name, plugin))
        return known[1], known[2]


def forget_session(name: str) -> None:
    """Drop the session of a cloud that is no longer registered."""
    with _sessions_lock:
        _sessions.pop(name, None)


def authenticate(credentials: Credentials) -> None:
    """Authenticate with a registered cloud again, ignoring what is remembered.

    Raises:
        CredentialsRefused: Keystone refused the credentials.
        CloudUnavailable: it did not answer, or not as OpenStack does.

    Cost: one Keystone call.
    """
    forget_session(credentials.region.name)
    plugin, session = session_of(credentials)
    with translated(credentials.region.name, SERVICE):
        plugin.get_access(session)


def compute_endpoint(credentials: Credentials) -> str:
    """Return the URL of the compute API for our credentials.

    Raises:
        CredentialsRefused: Keystone refused the credentials.
        CloudUnavailable: it did not answer, or its catalogue has no compute endpoint for the region.

    Cost: none while authenticated, else one Keystone call.
    """
    region = credentials.region
    if credentials.nova_url:
        url = credentials.nova_url.rstrip("/")
        return url if re.search(r"/v2(\.\d+)?(/|\Z)", url) else f"{url}/v2.1"
    with translated(region.name, SERVICE):
        plugin, session = session_of(credentials)
        endpoints = dict(_compute_endpoints(plugin.get_access(session)))
    return checked(endpoints.get(region.region_name), region)


def checked(endpoint: str | None, region: Region) -> str:
    """Return the compute endpoint that a catalogue names, if we may connect to it.

    We trust the federation's own Keystone; any other could send us wherever its owner likes.

    Raises:
        CloudUnavailable: there is none, or it is not an HTTP URL with an allowed host.
    """
    if endpoint is None:
        raise CloudUnavailable(region.name, "the Keystone catalogue has no compute endpoint for the region.")
    if region.is_central:
        believe(endpoint)
    else:
        try:
            validate_cloud_url(endpoint)
        except ValidationError as error:
            reason = f"the compute endpoint in the Keystone catalogue {error.message}."
            raise CloudUnavailable(region.name, reason) from error
    return endpoint


def _cache_key(token: str, region: Region) -> str:
    # For a region with a Keystone of its own, only its own endpoint is remembered, so the key includes the region.
    keystone = region.keystone_url if region.is_central else f"{region.keystone_url} {region.region_name}"
    return salted_hmac("keystone-token", f"{keystone} {token}", algorithm="sha256").hexdigest()


def _ask(token: str, region: Region) -> TokenAccess:
    if not region.keystone_url:
        raise CloudUnavailable(region.name, "no Keystone is configured for it (KEYSTONE_URL).")
    _keep_from_others(token, region)
    try:
        with translated(region.name, SERVICE):
            info = _validate(token, region, region.keystone_url)
            if not info.project_scoped:
                info = _rescope(token, region)
            return _access_of(info, region)
    except (TokenRefused, CloudUnavailable):
        raise
    except CloudError as error:  # 400, 403 and 404 all mean that the token opens no project
        raise TokenRefused(
            region.name, "its Keystone does not accept the token.", request_id=error.request_id
        ) from error


def _access_of(info: AccessInfo, region: Region) -> TokenAccess:
    endpoints = dict(_compute_endpoints(info))
    if not region.is_central:  # its owner could name any number of regions
        endpoints = {name: url for name, url in endpoints.items() if name == region.region_name}
    return TokenAccess(
        token=shapes.line(info.auth_token, "the token", longest=MAX_TOKEN_LENGTH),
        project_id=shapes.line(info.project_id, "the project's id"),
        expires_at=_aware(info.expires),
        compute=endpoints,
    )


def _reduced(info: AccessInfoV3, region: Region) -> AccessInfoV3:
    """Return the part of Keystone's response that we use: our token, its expiry, and Nova's endpoint.

    If the catalogue has no region with the cloud's name, its only region is taken, unless the record names another.
    """
    endpoints = dict(_compute_endpoints(info))
    endpoint = endpoints.get(region.region_name)
    if endpoint is None and region.region_name == region.name and len(endpoints) == 1:
        (endpoint,) = endpoints.values()
    where = {"interface": "public", "region": region.region_name, "region_id": region.region_name, "url": endpoint}
    catalog = [{"type": "compute", "endpoints": [where] if endpoint else []}]
    document = {"expires_at": _aware(info.expires).isoformat(), "catalog": catalog}
    token = shapes.line(info.auth_token, "the token", longest=MAX_TOKEN_LENGTH)
    return AccessInfoV3({"token": document}, auth_token=token)


def _keep_from_others(token: str, region: Region) -> None:
    """Refuse to send a token of the central Keystone to a cloud's own Keystone.

    The owner of that Keystone could use the token everywhere else in the federation. So it sees only tokens that the
    central one has refused (401, or 404 for an unknown one); any other response proves nothing.

    Raises:
        TokenRefused: the token is the federation's.
        CloudUnavailable: the central Keystone did not say whether it is.
    """
    if not region.central_keystone_url or region.is_central:
        return
    try:
        with translated(region.name, "federation's Keystone"):
            _validate(token, region, region.central_keystone_url)
    except (TokenRefused, FlavorNotFound):
        return
    except CloudUnavailable:
        raise
    except CloudError as error:
        reason = "the federation's Keystone does not say whether the token is its own."
        raise CloudUnavailable(region.name, reason, request_id=error.request_id) from error
    raise TokenRefused(region.name, "the token is the federation's, and this region has a Keystone of its own.")


def _validate(token: str, region: Region, keystone_url: str) -> AccessInfo:
    answer = open_session(region.name).get(
        f"{keystone_v3(keystone_url)}/auth/tokens",
        headers={"X-Auth-Token": token, "X-Subject-Token": token, "Accept": "application/json"},
        authenticated=False,
    )
    return keystone_access.create(resp=answer, auth_token=token)


def _rescope(token: str, region: Region) -> AccessInfo:
    """Scope the token to its user's default project, else to the first of their projects by name."""
    info = _scoped(token, region, project_id=None)
    if info.project_scoped:
        return info
    projects = _projects(token, region)
    if not projects:
        raise Forbidden(region.name, "the token's user has no project.")
    return _scoped(token, region, project_id=projects[0])


def _scoped(token: str, region: Region, *, project_id: str | None) -> AccessInfo:
    plugin = v3.Token(auth_url=keystone_v3(region.keystone_url), token=token, project_id=project_id)
    return plugin.get_auth_ref(open_session(region.name))


def _projects(token: str, region: Region) -> list[str]:
    """Return the ids of the projects that the token can be scoped to, by the projects' names."""
    answer = open_session(region.name).get(
        f"{keystone_v3(region.keystone_url)}/auth/projects",
        headers={"X-Auth-Token": token, "Accept": "application/json"},
        authenticated=False,
    )
    projects = [project for project in answer.json()["projects"] if project.get("enabled", True)]
    return [
        shapes.line(project["id"], "a project's id")
        for project in sorted(projects, key=lambda project: project["name"])
    ]


def _compute_endpoints(info: AccessInfo) -> Iterator[tuple[str, str]]:
    """Yield the name and public compute endpoint of each region, if both are well-formed."""
    if not info.has_service_catalog():
        return
    endpoints = info.service_catalog.get_endpoint_data_list(service_type="compute", interface="public")
    for endpoint in endpoints[:ENDPOINTS]:
        if endpoint.region_name and endpoint.catalog_url:
            yield (
                shapes.line(endpoint.region_name, "a region's name", longest=ENDPOINT_LENGTH),
                shapes.line(endpoint.catalog_url, "an endpoint", longest=ENDPOINT_LENGTH),
            )


def _aware(moment: datetime | None) -> datetime:
    if moment is None:
        raise ValueError("a token without an expiry")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
