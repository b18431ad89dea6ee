"""HTTP to those whom we ask, clouds and identity providers: bounded in time and size, nothing kept between callers."""

import http.client
import io
import socket
import time
from collections.abc import Hashable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError

ANSWER_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
# The hosts that connections are kept to, each of which takes one of the 1,024 files that a process may have open
POOL_HOSTS = 256
POOL_SIZE = 128
MOST_HOSTS = 1000


class AnswerTooLarge(requests.RequestException):
    """An answer is larger than any that makes sense."""


class BrokenOff(requests.ConnectionError):
    """The connection broke in the middle of an answer."""


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


class BoundedHTTPConnection(HTTPConnection):
    """A connection whose answers have a deadline."""

    response_class = _BoundedResponse


class BoundedHTTPSConnection(HTTPSConnection):
    """The same with TLS."""

    response_class = _BoundedResponse


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = BoundedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = BoundedHTTPSConnection


class BoundedAdapter(HTTPAdapter):
    """Reads each answer whole, within the request's time-out and a number of bytes.

    The time-out of requests is for each read from the socket: a server that drips its answer, or a
    line of its head, would hold the caller for as long as it likes.
    """

    pools: ClassVar[dict[str, Any]] = {"http": _HTTPPool, "https": _HTTPSPool}
    """What connects directly, by the scheme; to a proxy connect these here."""

    def __init__(self) -> None:
        super().__init__(pool_connections=POOL_HOSTS, pool_maxsize=POOL_SIZE)

    def bytes_allowed(self, url: str) -> int:
        """Return how long an answer from *url* may be."""
        return ANSWER_BYTES

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make a pool of connections whose answers have a deadline."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self.pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Make a pool of connections to a proxy whose answers have a deadline, too."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = BoundedAdapter.pools
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send the request and read its answer.

        Raises:
            requests.RequestException: as ever; `ReadTimeout` also when the whole answer takes longer
                than the time-out, `BrokenOff`, and `AnswerTooLarge`.
        """
        options |= {"stream": True, "timeout": _apart(options.get("timeout"))}
        response = super().send(request, *args, **options)
        try:
            response._content = _read(response.raw, self.bytes_allowed(request.url or ""))
        except (ReadTimeoutError, TimeoutError) as error:
            raise requests.exceptions.ReadTimeout(error, request=request) from error
        except HTTPError as error:
            raise BrokenOff(error, request=request) from error
        finally:
            # Reading to the end has given the connection back to the pool; otherwise it is of no more use.
            response.raw.close()
        return response


def _apart(timeout: Any) -> Any:
    """Return how long a connection may take to be made, and how long its answer; what says so already stays."""
    if not isinstance(timeout, int | float):
        return timeout
    return min(settings.OPENSTACK_CONNECT_TIMEOUT, timeout), timeout


def _read(raw: Any, most: int) -> bytes:
    parts, size = [], 0
    while part := raw.read1(CHUNK_BYTES, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > most:
            raise AnswerTooLarge(f"more than {most} bytes")
    return b"".join(parts)


class BoundedSession(requests.Session):
    """Keeps no cookies, looks for no passwords and follows no redirect: nobody's are for the next, or for elsewhere.

    What the environment says of a host (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) is read once, not at every request.
    """

    adapter: ClassVar[type[BoundedAdapter]] = BoundedAdapter

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # An authentication that adds nothing: without one, requests looks for a password in ~/.netrc.
        self.auth = lambda request: request
        self._settings: dict[Hashable, dict[str, Any]] = {}
        for scheme in ("http://", "https://"):
            self.mount(scheme, self.adapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nothing: a redirect would carry tokens elsewhere."""
        return

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of a request, out of its own and the environment's."""
        key = urlsplit(url)[:2], str(proxies), stream, verify, cert
        if key not in self._settings:
            if len(self._settings) >= MOST_HOSTS:  # a catalogue may name another one each time that it is asked for
                self._settings.clear()
            self._settings[key] = {**super().merge_environment_settings(url, proxies, stream, verify, cert)}
        return self._settings[key].copy()
