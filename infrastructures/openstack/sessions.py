"""HTTP to the clouds: pooled connections, time-outs that hold, nothing kept between callers."""

import functools
import http.client
import io
import socket
import time
from collections.abc import Hashable
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError
from urllib3.util.connection import allowed_gai_family

from infrastructures.addresses import is_near, may_be_near
from infrastructures.openstack import bounds
from infrastructures.openstack.bounds import bytes_allowed, count_values
from infrastructures.openstack.calls import AnswerTooLarge, Calls, LeadsHere

CHUNK_BYTES = 64 * 1024
POOL_SIZE = 32
MOST_HOSTS = 1000
# A name may lead to any number, which share the time-out.
ADDRESSES_TO_TRY = 4


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until its time-out has passed since this was made."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._socket = sock
        self._timeout = sock.gettimeout() or settings.OPENSTACK_TIMEOUT
        self._deadline = time.monotonic() + self._timeout

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, waiting for it no longer than until the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        finally:
            self._socket.settimeout(self._timeout)

    def close(self) -> None:
        """Close what it reads from."""
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """Has one deadline for all of its head and body."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock))


class _HTTPConnection(HTTPConnection):
    """A connection that leads anywhere but to this machine and its link, whatever its host's name resolves to.

    The name is resolved once: what is looked at is what is connected to.
    """

    response_class = _BoundedResponse

    def _new_conn(self) -> socket.socket:
        host, timeout = self.host, self.timeout
        addresses = self._resolved()
        if any(is_near(address) for address in addresses) and not may_be_near(host, self.port):
            raise LeadsHere(host)
        self.timeout = timeout and timeout / len(addresses)
        try:
            for address in addresses[:-1]:
                self.host = address
                with suppress(ConnectTimeoutError):  # of which every other failure is a kind
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


class _HTTPSConnection(_HTTPConnection, HTTPSConnection):
    """The same with TLS."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _ProxiedConnection(HTTPConnection):
    """A connection to a proxy that the environment names, which resolves names for itself."""

    response_class = _BoundedResponse


class _ProxiedHTTPSConnection(HTTPSConnection):
    response_class = _BoundedResponse


class _ProxiedPool(HTTPConnectionPool):
    ConnectionCls = _ProxiedConnection


class _ProxiedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _ProxiedHTTPSConnection


class BoundedAdapter(HTTPAdapter):
    """Reads each answer whole, within the request's time-out and the `bounds` of an answer.

    The time-out of requests is for each read from the socket: a server that drips its answer, or a
    line of its head, would hold the caller for as long as it likes.
    """

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make a pool of connections whose answers have a deadline."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Make a pool of connections to a proxy whose answers have a deadline, too."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = {"http": _ProxiedPool, "https": _ProxiedHTTPSPool}
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send the request and read its answer.

        Raises:
            requests.RequestException: as ever; `ReadTimeout` also when the whole answer takes longer
                than the time-out, and `AnswerTooLarge`.
            LeadsHere: the host's name leads to this machine or its link.
        """
        response = super().send(request, *args, **options | {"stream": True})
        try:
            response._content = _read(response.raw, bytes_allowed(request.url or ""))
        except (ReadTimeoutError, TimeoutError) as error:
            raise requests.exceptions.ReadTimeout(error, request=request) from error
        except HTTPError as error:
            raise requests.exceptions.ConnectionError(error, request=request) from error
        finally:
            # Reading to the end has given the connection back to the pool; otherwise it is of no more use.
            response.raw.close()
        return response


def _read(raw: Any, most: int) -> bytes:
    parts, size = [], 0
    while part := raw.read1(CHUNK_BYTES, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > most:
            raise AnswerTooLarge(f"more than {most} bytes")
    content = b"".join(parts)
    if count_values(content) > bounds.ANSWER_VALUES:
        raise AnswerTooLarge(f"more than {bounds.ANSWER_VALUES} values")
    return content


class _Pool(requests.Session):
    """Keeps no cookies and looks for no passwords: callers must not share them.

    What the environment says of a host (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) is read once, not at every request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # An authentication that adds nothing: without one, requests looks for a password in ~/.netrc.
        self.auth = lambda request: request
        self._settings: dict[Hashable, dict[str, Any]] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of a request, out of its own and the environment's."""
        key = urlsplit(url)[:2], str(proxies), stream, verify, cert
        if key not in self._settings:
            if len(self._settings) >= MOST_HOSTS:  # a catalogue may name another one each time that it is asked for
                self._settings.clear()
            self._settings[key] = {**super().merge_environment_settings(url, proxies, stream, verify, cert)}
        return self._settings[key].copy()


@functools.cache
def _pool() -> requests.Session:
    """Return the process's one pool of connections."""
    pool = _Pool()
    for scheme in ("http://", "https://"):
        pool.mount(scheme, BoundedAdapter(pool_connections=POOL_SIZE, pool_maxsize=POOL_SIZE))
    return pool


def open_session(cloud: str, auth: BaseAuthPlugin | None = None) -> Session:
    """Return a keystoneauth session for one cloud, over the shared pool of connections.

    It never follows a redirect: what another place answers is not the answer of the cloud that was asked.
    """
    return Session(
        auth=auth,
        session=Calls(cloud, _pool()),  # type: ignore[arg-type]  # of which it uses `request` alone
        verify=settings.OPENSTACK_VERIFY,
        timeout=settings.OPENSTACK_TIMEOUT,
        redirect=False,
        user_agent="flavor-sync",
    )
