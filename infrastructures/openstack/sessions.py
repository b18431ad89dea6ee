"""HTTP sessions with the clouds, which never lead to this machine and enforce the `bounds` on responses."""

import functools
import socket
from contextlib import suppress
from typing import Any, ClassVar

import requests
from django.conf import settings
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from flavorsync_project.http_client import (
    AnswerTooLarge,
    BoundedAdapter,
    BoundedHTTPConnection,
    BoundedHTTPSConnection,
    BoundedSession,
)
from infrastructures.addresses import is_near, may_be_near
from infrastructures.openstack import bounds
from infrastructures.openstack.bounds import bytes_allowed, count_values
from infrastructures.openstack.calls import Calls, LeadsHere

# A name may resolve to any number of addresses, which share the time-out.
ADDRESSES_TO_TRY = 4


class _HTTPConnection(BoundedHTTPConnection):
    """A connection that never leads to this machine or its link, whatever its host's name resolves to.

    The name is resolved once, so that the connection uses the very address that was checked.
    """

    def _new_conn(self) -> socket.socket:
        host, timeout = self.host, self.timeout
        addresses = self._resolved()
        if any(is_near(address) for address in addresses) and not may_be_near(host, self.port):
            raise LeadsHere(host)
        self.timeout = timeout and timeout / len(addresses)
        try:
            for address in addresses[:-1]:
                self.host = address
                with suppress(ConnectTimeoutError):  # the base class of the other failures, too
                    return super()._new_conn()
            self.host = addresses[-1]
            return super()._new_conn()
        finally:
            self.host, self.timeout = host, timeout

    def _resolved(self) -> list[str]:
        try:
            found = socket.getaddrinfo(self.host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NewConnectionError(self, f"Failed to resolve the name: {error}") from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))[:ADDRESSES_TO_TRY]


class _HTTPSConnection(_HTTPConnection, BoundedHTTPSConnection):
    """The same connection with TLS."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(BoundedAdapter):
    """An adapter that enforces the `bounds` on responses. Connections through a proxy leave resolving names to it."""

    pools: ClassVar[dict[str, Any]] = {"http": _HTTPPool, "https": _HTTPSPool}

    def bytes_allowed(self, url: str) -> int:
        """Return the maximum size of a response from the service at *url*."""
        return bytes_allowed(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send the request and read the response.

        Raises:
            requests.RequestException: as `BoundedAdapter`; `AnswerTooLarge` also for too many values.
            LeadsHere: the host's name leads to this machine or its link.
        """
        response = super().send(request, *args, **options)
        if count_values(response.content) > bounds.ANSWER_VALUES:
            raise AnswerTooLarge(f"more than {bounds.ANSWER_VALUES} values")
        return response


class CloudSession(BoundedSession):
    adapter = _Adapter


@functools.cache
def _pool() -> requests.Session:
    """Return the process's one pool of connections."""
    return CloudSession()


def open_session(cloud: str, auth: BaseAuthPlugin | None = None) -> Session:
    """Return a keystoneauth session for one cloud, over the shared pool of connections.

    It never follows redirects: another host's response is not the cloud's.
    """
    return Session(
        auth=auth,
        session=Calls(cloud, _pool()),  # type: ignore[arg-type]  # it only uses `request`
        verify=settings.OPENSTACK_VERIFY,
        timeout=settings.OPENSTACK_TIMEOUT,
        redirect=False,
        user_agent="flavor-sync",
    )
