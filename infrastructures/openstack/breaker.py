"""A circuit breaker: a cloud known to be dead is not asked for a while, so that callers need not wait for a time-out.

The pattern is Michael Nygard's ("Release It!", Circuit Breaker). Of the maintained libraries, pybreaker holds its
lock during a call, and so lets only one through at a time; circuitbreaker and purgatory have no lock, and let all
calls through at once when they try again.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from urllib.parse import urlsplit

import requests
from django.conf import settings

from infrastructures.openstack.errors import CloudNotAsked
from infrastructures.openstack.metrics import DEAD_HOSTS

logger = logging.getLogger(__name__)

MOST_HOSTS = 10_000


class _Breaker:
    """The circuit breaker of one host of a cloud."""

    def __init__(self, cloud: str) -> None:
        self._cloud = cloud
        self._lock = Lock()
        self._failures = 0
        self._dead_until: float | None = None
        self._probed = False

    @property
    def is_dead(self) -> bool:
        """Say whether the host counts as dead, even if a call is trying it again right now."""
        return self._dead_until is not None

    def admit(self) -> bool:
        """Let a call through, or raise `CloudNotAsked`; return whether it is the one that tries a dead host again."""
        with self._lock:
            if self._dead_until is None:
                return False
            left = self._dead_until - time.monotonic()
            if left > 0 or self._probed:
                again = f"in {math.ceil(left)} s" if left > 0 else "right now"
                raise CloudNotAsked(
                    self._cloud, f"it did not answer {self._failures} times in a row; it will be asked again {again}."
                )
            self._probed = True
            return True

    def answered(self) -> None:
        """Consider the host alive, whatever it answered."""
        with self._lock:
            if self._dead_until is not None:
                DEAD_HOSTS.labels(self._cloud).dec()
                logger.warning("%s answers again", self._cloud, extra={"nodes": [self._cloud]})
            self._failures, self._dead_until = 0, None

    def failed(self) -> None:
        """Count a failure; after `CLOUD_BREAKER_FAILURES` in a row, consider the host dead."""
        with self._lock:
            self._failures += 1
            if not 0 < settings.CLOUD_BREAKER_FAILURES <= self._failures:
                return
            if self._dead_until is None:
                DEAD_HOSTS.labels(self._cloud).inc()
                logger.error(
                    "%s did not answer %d times in a row; it will be asked again every %s s",
                    self._cloud,
                    self._failures,
                    settings.CLOUD_BREAKER_SECONDS,
                    extra={"nodes": [self._cloud]},
                )
            self._dead_until = time.monotonic() + settings.CLOUD_BREAKER_SECONDS

    def probed(self) -> None:
        """End the trial of a dead host, so that another call may try it when it is due."""
        with self._lock:
            self._probed = False


# By cloud and host: a Keystone that answers must not hide a dead Nova beside it, and no cloud may make us consider
# another one dead.
_breakers: dict[tuple[str, str], _Breaker] = {}
_lock = Lock()


@contextmanager
def guarded(cloud: str, url: str) -> Iterator[None]:
    """Guard the one HTTP call to a cloud that the block makes: refuse it if the host is known to be dead.

    After `CLOUD_BREAKER_FAILURES` connections in a row that failed, broke or timed out, no call gets
    through for `CLOUD_BREAKER_SECONDS`; then one does, and its outcome decides. A response of any status
    counts as success; an untrusted TLS certificate does not count as a failure.

    Raises:
        CloudNotAsked: the host is considered dead.
    """
    with _lock:
        if len(_breakers) >= MOST_HOSTS:
            _forget_the_living()
        breaker = _breakers.setdefault((cloud, urlsplit(url).netloc), _Breaker(cloud))
    is_probe = breaker.admit()
    try:
        yield
    except requests.exceptions.SSLError:
        raise
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
        breaker.failed()
        raise
    else:
        breaker.answered()
    finally:
        if is_probe:
            breaker.probed()


def _forget_the_living() -> None:
    """Drop the breakers of hosts that are alive: a catalogue may name a different host each time."""
    for key in [key for key, breaker in _breakers.items() if not breaker.is_dead]:
        del _breakers[key]


def forget_failures() -> None:
    """Consider every cloud alive."""
    with _lock:
        _breakers.clear()
