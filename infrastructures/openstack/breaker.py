"""A cloud that is known to be dead is not asked for a while, so that its callers need not wait for the time-out.

The pattern is Michael Nygard's ("Release It!", Circuit Breaker). Of the maintained libraries, pybreaker lets
only one call through at a time, since it holds its lock meanwhile; circuitbreaker and purgatory have no lock,
and let everybody through at once when they try again.
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
    """What is known of one host of a cloud."""

    def __init__(self, cloud: str) -> None:
        self._cloud = cloud
        self._lock = Lock()
        self._failures = 0
        self._dead_until: float | None = None
        self._probed = False

    @property
    def is_dead(self) -> bool:
        """Say whether the host is left alone, or is just being tried again."""
        return self._dead_until is not None

    def admit(self) -> bool:
        """Let a call through, and say whether it is the one that tries a dead host."""
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
        """Take the host for alive, whatever it answered."""
        with self._lock:
            if self._dead_until is not None:
                DEAD_HOSTS.labels(self._cloud).dec()
                logger.warning("%s answers again", self._cloud, extra={"nodes": [self._cloud]})
            self._failures, self._dead_until = 0, None

    def failed(self) -> None:
        """Count a failure, and after `CLOUD_BREAKER_FAILURES` in a row take the host for dead."""
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
        """Let the next call try the host, unless this one's outcome has decided."""
        with self._lock:
            self._probed = False


# By cloud and host: a Keystone that answers must not hide a dead Nova beside it, and nobody's cloud can make us
# take another's for dead.
_breakers: dict[tuple[str, str], _Breaker] = {}
_lock = Lock()


@contextmanager
def guarded(cloud: str, url: str) -> Iterator[None]:
    """Do one HTTP call to a cloud, unless its host is known to be dead.

    After `CLOUD_BREAKER_FAILURES` connections in a row that failed, broke or timed out, no call gets
    through for `CLOUD_BREAKER_SECONDS`; then one does, and its outcome decides. Any status is an answer,
    and so is a TLS certificate that we cannot trust.

    Raises:
        CloudNotAsked: the host is taken for dead.
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
    """Make room: a catalogue may name a different host each time."""
    for key in [key for key, breaker in _breakers.items() if not breaker.is_dead]:
        del _breakers[key]


def forget_failures() -> None:
    """Take every cloud for alive."""
    with _lock:
        _breakers.clear()
