"""HTTP to one region's Nova: its microversion, the time-outs, and the changes in doubt."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import caches
from keystoneauth1.session import Session
from novaclient import API_MAX_VERSION, API_MIN_VERSION
from novaclient.api_versions import APIVersion
from novaclient.client import SessionClient

from infrastructures.openstack.bounds import Allowance
from infrastructures.openstack.bulkhead import place_in
from infrastructures.openstack.errors import (
    CloudUnavailable,
    CloudUnreachable,
    FlavorConflict,
    FlavorNotFound,
    FlavorRefused,
    TokenRefused,
)
from infrastructures.openstack.records import Doubt, NovaResponse, Region
from infrastructures.openstack.translation import translated

T = TypeVar("T")

SERVICE = "Nova"
MICROVERSION_SECONDS = 3600
# A change gets a share of the time-out: up to two looks at its outcome may follow, and the caller should wait no longer
# than the time-out in all.
WRITING_SHARE = 1 / 2
UNAUTHORIZED = 401
READING = ("GET", "HEAD")
DESCRIPTION_VERSION = APIVersion("2.55")
# Later versions validate known extra specs whenever some are set, which takes five times as long. So we set them at
# this version, and validate them once for all nodes (`Nova.check_extra_specs`).
LAST_UNVALIDATED_VERSION = APIVersion("2.85")
OLDEST_VERSION = APIVersion("2.1")


class Connection:
    """A connection to a region's Nova, over a session with its cloud.

    `doubt` says how certain we are of the changes made since the caller last set it to `Doubt.NONE`.

    Raises:
        CloudUnavailable: Nova did not answer, or not as OpenStack does. Every method raises it, too.

    Cost: one upstream call for the first connection to an endpoint, later none.
    """

    def __init__(self, region: Region, session: Session, endpoint: str) -> None:
        self.region = region
        self.doubt = Doubt.NONE
        self._timeout = float(settings.OPENSTACK_TIMEOUT)
        with self._about_no_flavor(), self._answering():
            self._highest = highest_version(session, endpoint)
        self._version = min(self._highest, API_MAX_VERSION, APIVersion(settings.NOVA_API_VERSION))
        self._session, self._endpoint = session, endpoint.rstrip("/")
        self._client = _client(session, endpoint, self._version)
        self._unvalidated_client = _client(session, endpoint, min(self._version, LAST_UNVALIDATED_VERSION))
        self._oldest_client = _client(session, endpoint, OLDEST_VERSION)

    @property
    def microversion(self) -> str:
        """Return the compute microversion that we use, such as 2.96."""
        return str(self._version.get_string())

    @property
    def highest_microversion(self) -> str:
        """Return the highest compute microversion that this Nova supports, even if we do not."""
        return str(self._highest.get_string())

    @property
    def keeps_descriptions(self) -> bool:
        """Say whether this Nova is new enough for descriptions of flavors."""
        return bool(self._version >= DESCRIPTION_VERSION)

    @property
    def validates_extra_specs(self) -> bool:
        """Say whether this Nova is new enough to validate extra specs by its own rules."""
        return bool(self._version > LAST_UNVALIDATED_VERSION)

    def place(self) -> AbstractContextManager[None]:
        """Hold a place in the cloud, so that work of several calls is not refused half-way. See `place_in`."""
        return place_in(self.region.name)

    def forward(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes) -> NovaResponse:
        """Pass a client's request about flavors on to Nova, and return the response, whatever its status.

        Args:
            path: relative to the endpoint, with the query, quoted.
            headers: in addition to the token and our own.

        Raises:
            TokenRefused: Nova does not accept the token.
            CloudUnavailable: it did not answer, or refused in a form that is not Nova's.

        Cost: one upstream call.
        """
        with self._answering() if method in READING else self._changing():
            answer = self._session.request(
                f"{self._endpoint}{path}",
                method,
                headers={"Accept": "application/json", **headers},
                data=body or None,
                timeout=self._timeout,
                raise_exc=False,
            )
            if answer.status_code == UNAUTHORIZED:
                raise TokenRefused(self.region.name, "its Nova does not accept the token.")
        return NovaResponse(status=answer.status_code, headers=answer.headers, body=answer.content)

    def _get(
        self,
        path: str,
        read: Callable[[Any], T],
        allowance: Allowance | None = None,
        client: SessionClient | None = None,
    ) -> T:
        """Return what *read* makes of the response's body; try once more if the connection breaks."""
        try:
            return self._get_once(path, read, allowance, client)
        except CloudUnreachable:
            return self._get_once(path, read, allowance, client)

    def _get_once(
        self,
        path: str,
        read: Callable[[Any], T],
        allowance: Allowance | None = None,
        client: SessionClient | None = None,
    ) -> T:
        with self._answering():
            timeout = allowance.timeout() if allowance else self._timeout
            answer, body = (client or self._client).get(path, timeout=timeout)
            if allowance:
                allowance.take(answer.content, body)
            return read(body)

    def _post(self, path: str, body: object, read: Callable[[Any], T], *, client: SessionClient | None = None) -> T:
        with self._changing():
            _, answer = (client or self._client).post(path, body=body, timeout=self._writing_timeout)
            return read(answer)

    @property
    def _writing_timeout(self) -> float:
        return self._timeout * WRITING_SHARE

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Note, if the response to the change sent in the block is lost, that it may still be carried out."""
        try:
            with self._answering():
                yield
        except CloudUnavailable as error:
            if error.may_be_done:
                self.doubt = Doubt.OPEN
            raise

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with translated(self.region.name, SERVICE):
            yield

    @contextmanager
    def _about_no_flavor(self) -> Iterator[None]:
        """Treat 400, 404 and 409 as the cloud's failure: the request named no flavor that they could concern."""
        try:
            yield
        except (FlavorRefused, FlavorNotFound, FlavorConflict) as error:
            raise CloudUnavailable(
                self.region.name, "its Nova did not answer as OpenStack does.", request_id=error.request_id
            ) from error


def _client(session: Session, endpoint: str, version: APIVersion) -> SessionClient:
    """Return novaclient's HTTP client alone: its own `Client` makes forty managers, which we have no use for."""
    return SessionClient(session=session, endpoint_override=endpoint, service_type="compute", api_version=version)


def highest_version(nova: Session, endpoint: str) -> APIVersion:
    """Return the highest microversion that this Nova supports; the lowest if it has no microversions.

    Cost: one upstream call, remembered by endpoint for `MICROVERSION_SECONDS`.
    Source: Compute API guide, "Microversions".
    """
    key = f"highest-microversion:{endpoint}"
    known: APIVersion | None = caches["keystone"].get(key)
    if known is None:
        # The endpoint may end in a project id; Nova does not describe its version there.
        root = re.sub(r"(/v2(\.\d+)?)/.*\Z", r"\1", endpoint.rstrip("/") + "/")
        version = nova.get(f"{root}/", headers={"Accept": "application/json"}).json()["version"]
        known = APIVersion(version.get("version") or API_MIN_VERSION.get_string())  # "" without microversions
        caches["keystone"].set(key, known, timeout=MICROVERSION_SECONDS)
    return known
