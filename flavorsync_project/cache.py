"""The cache of CACHE_URL if that is a Redis: while it does not answer, each process remembers for itself.

Neither Django's Redis cache nor the packages around it do that. Django's raises, so that every request with
credentials would be an error; django-redis can ignore errors (IGNORE_EXCEPTIONS), which would switch off the counting
of wrong passwords; and django-cache-fallback waits for the Redis at every call.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from prometheus_client import Gauge
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# A Redis near us answers within a millisecond.
SECONDS_TO_ANSWER = 0.5
SECONDS_TO_LEAVE_ALONE = 5
MAX_ENTRIES = 10_000

AWAY = Gauge(
    "flavorsync_cache_away",
    "Processes that remember for themselves, since the Redis of CACHE_URL does not answer.",
    multiprocess_mode="livesum",
)


def _asked(method: str) -> Callable[..., Any]:
    def ask(cache: "RedisOrMemory", *arguments: Any, **options: Any) -> Any:
        return cache.ask(method, *arguments, **options)

    return ask


class RedisOrMemory(BaseCache):
    """Django's Redis cache, and this process's memory while the Redis does not answer.

    Failed sign-ins are always counted, by each process for itself while the Redis is away. A Redis that did not answer
    is left alone for `SECONDS_TO_LEAVE_ALONE`; then one thread asks it again.
    """

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(params)
        time_outs = {"socket_connect_timeout": SECONDS_TO_ANSWER, "socket_timeout": SECONDS_TO_ANSWER}
        self._redis = RedisCache(server, params | {"OPTIONS": time_outs | params.get("OPTIONS", {})})
        self._memory = LocMemCache(f"instead of {server}", params | {"OPTIONS": {"MAX_ENTRIES": MAX_ENTRIES}})
        with _lock:
            self._state = _states.setdefault(str(server), _State())

    add = _asked("add")
    get = _asked("get")
    set = _asked("set")
    touch = _asked("touch")
    delete = _asked("delete")
    get_many = _asked("get_many")
    set_many = _asked("set_many")
    delete_many = _asked("delete_many")
    has_key = _asked("has_key")
    incr = _asked("incr")
    clear = _asked("clear")

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Return the Redis's answer, or if it does not answer, that of this process's memory."""
        if self._state.may_be_asked():
            try:
                answer = getattr(self._redis, method)(*arguments, **options)
            except RedisError as error:
                self._state.failed(error)
            else:
                self._state.answered()
                return answer
        return getattr(self._memory, method)(*arguments, **options)


class _State:
    """Whether a Redis answers this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._away_until: float | None = None

    def may_be_asked(self) -> bool:
        """Say whether this thread may ask it: it answers as far as we know, or it is time to try again."""
        with self._lock:
            if self._away_until is None:
                return True
            if time.monotonic() < self._away_until:
                return False
            self._leave_alone()
            return True

    def failed(self, error: RedisError) -> None:
        """Leave it alone for a while. Log that once, with the kind of error only: its text may hold an address."""
        with self._lock:
            if self._away_until is None:
                AWAY.set(1)
                logger.error(
                    "The Redis of CACHE_URL does not answer (%s): this process remembers for itself, and asks again"
                    " every %d s",
                    type(error).__name__,
                    SECONDS_TO_LEAVE_ALONE,
                )
            self._leave_alone()

    def answered(self) -> None:
        """Note that it answers."""
        with self._lock:
            if self._away_until is not None:
                AWAY.set(0)
                logger.warning("The Redis of CACHE_URL answers again")
            self._away_until = None

    def _leave_alone(self) -> None:
        self._away_until = time.monotonic() + SECONDS_TO_LEAVE_ALONE


# Django makes a cache for each thread; they share this.
_states: dict[str, _State] = {}
_lock = Lock()
