"""Throttles of wrong passwords, of invalid tokens and of anonymous requests.

Failures are counted with Django REST Framework's rate throttle, made to count failures only.

The counts are in the default cache, and are read and written in two steps: processes without a
shared cache count for themselves, and simultaneous failures may count as one.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

# The base class requires a request and a view, which these throttles do not use.
_NOTHING: Any = None


def client_address(request: HttpRequest | Request) -> str:
    """Return the client's address: the connection's, or with NUM_PROXIES the one that those proxies report.

    Without that setting Django REST Framework trusts the whole `X-Forwarded-For`, which anybody can
    forge. The address is empty for a local socket without such a proxy.
    """
    if api_settings.NUM_PROXIES is None:
        return str(request.META.get("REMOTE_ADDR", ""))
    return BaseThrottle().get_ident(request) or ""  # type: ignore[arg-type]  # it reads META alone


def _digest(scope: str | None, ident: str) -> str:
    return salted_hmac(f"identity.throttling.{scope}", ident, algorithm="sha256").hexdigest()


class FailureThrottle(SimpleRateThrottle):
    """A throttle that refuses further attempts after too many failures of one account or one address.

    Failures from an empty, that is unknown, address are not counted.
    """

    message = "Too many failed sign-ins."

    def __init__(self, ident: str) -> None:
        super().__init__()
        self.ident = _digest(self.scope, ident) if ident else ""

    def check(self) -> None:
        """Refuse the attempt after too many failures. One read of the cache.

        Raises: Throttled, with the seconds until the next attempt is allowed.
        """
        if not self.allow_request(_NOTHING, _NOTHING):
            raise Throttled(self.wait(), self.message)

    def record_failure(self) -> None:
        """Count the failure of an attempt that `check` allowed. One read and one write of the cache."""
        if self.rate is not None and self.ident:
            # Read again: others may have failed during the hashing or the request to the IdM.
            self.history = self.cache.get(self.key, [])
            super().throttle_success()

    def throttle_success(self) -> bool:
        """Allow the attempt without counting it: whether it fails is not known yet."""
        return True

    def get_cache_key(self, request: object, view: object) -> str | None:
        """Return the cache key of the failures; None to count nothing."""
        if not self.ident:
            return None
        return self.cache_format % {"scope": self.scope, "ident": self.ident}


class AccountFailureThrottle(FailureThrottle):
    """The throttle of wrong passwords for one account, from any address."""

    scope = "identity_account"

    def get_rate(self) -> str | None:
        """Return failures per period, such as `30/hour`; None for no limit."""
        return settings.LOCAL_ACCOUNT_FAILURE_RATE or None


class AddressFailureThrottle(FailureThrottle):
    """The throttle of wrong passwords from one address, for any account."""

    scope = "identity_address"

    def get_rate(self) -> str | None:
        """Return failures per period, such as `100/hour`; None for no limit."""
        return settings.LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE or None


class TokenFailureThrottle(FailureThrottle):
    """The throttle of tokens from one address that the identity providers refuse."""

    scope = "identity_token"
    message = "Too many invalid tokens."

    def get_rate(self) -> str | None:
        """Return refused tokens per period, such as `300/min`; None for no limit."""
        return settings.TOKEN_ADDRESS_FAILURE_RATE or None


class AnonymousThrottle(SimpleRateThrottle):
    """The throttle of requests from one address without credentials.

    Requests that authentication or permissions refuse are not counted: they cost next to nothing.
    """

    scope = "identity_anonymous"

    def get_rate(self) -> str | None:
        """Return requests per period, such as `600/min`; None for no limit."""
        return settings.ANONYMOUS_RATE or None

    def get_cache_key(self, request: Request, view: object) -> str | None:
        """Return the cache key of the address's requests; None for an authenticated caller or an unknown address."""
        address = client_address(request)
        if request.user.is_authenticated or not address:
            return None
        return self.cache_format % {"scope": self.scope, "ident": _digest(self.scope, address)}
