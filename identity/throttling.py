"""How many wrong passwords and tokens, and how many requests of strangers, are too many.

What is wrong is counted by Django REST Framework's rate throttle, which then counts failures only.

The counts are in the default cache and each is read and written in two steps: processes without a
shared cache count for themselves, and failures at the same instant may count as one.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

# The base class asks for a request and a view, which these throttles are not about.
_NOTHING: Any = None


def client_address(request: HttpRequest | Request) -> str:
    """Return the client's address: the connection's, unless NUM_PROXIES says whose word to take for it.

    Without that setting Django REST Framework believes the whole `X-Forwarded-For`, which anybody can
    write. It is empty behind a local socket that no proxy speaks for.
    """
    if api_settings.NUM_PROXIES is None:
        return str(request.META.get("REMOTE_ADDR", ""))
    return BaseThrottle().get_ident(request) or ""  # type: ignore[arg-type]  # it reads META alone


def _digest(scope: str | None, ident: str) -> str:
    return salted_hmac(f"identity.throttling.{scope}", ident, algorithm="sha256").hexdigest()


class FailureThrottle(SimpleRateThrottle):
    """Refuse further tries after too many failures of one account or one address.

    An empty address is that of nobody in particular, and is not counted.
    """

    message = "Too many failed sign-ins."

    def __init__(self, ident: str) -> None:
        super().__init__()
        self.ident = _digest(self.scope, ident) if ident else ""

    def check(self) -> None:
        """Do nothing while another try is allowed. One read of the cache.

        Raises: Throttled with the seconds until the next try is allowed.
        """
        if not self.allow_request(_NOTHING, _NOTHING):
            raise Throttled(self.wait(), self.message)

    def record_failure(self) -> None:
        """Count the failure of a try that `check` allowed. One read and one write of the cache."""
        if self.rate is not None and self.ident:
            # Read again: others may have failed while this password was hashed, or the IdM asked.
            self.history = self.cache.get(self.key, [])
            super().throttle_success()

    def throttle_success(self) -> bool:
        """Let it pass uncounted, since it is not known yet whether it fails."""
        return True

    def get_cache_key(self, request: object, view: object) -> str | None:
        """Return where the failures are counted; None for nowhere."""
        if not self.ident:
            return None
        return self.cache_format % {"scope": self.scope, "ident": self.ident}


class AccountFailureThrottle(FailureThrottle):
    """Slow down who tries many passwords on one account, from wherever."""

    scope = "identity_account"

    def get_rate(self) -> str | None:
        """Return failures per period, such as `30/hour`; None for no limit."""
        return settings.LOCAL_ACCOUNT_FAILURE_RATE or None


class AddressFailureThrottle(FailureThrottle):
    """Slow down who tries many accounts from one address."""

    scope = "identity_address"

    def get_rate(self) -> str | None:
        """Return failures per period, such as `100/hour`; None for no limit."""
        return settings.LOCAL_ACCOUNT_ADDRESS_FAILURE_RATE or None


class TokenFailureThrottle(FailureThrottle):
    """Slow down who has the IdM asked about many tokens that it refuses, from one address."""

    scope = "identity_token"
    message = "Too many invalid tokens."

    def get_rate(self) -> str | None:
        """Return refused tokens per period, such as `300/min`; None for no limit."""
        return settings.TOKEN_ADDRESS_FAILURE_RATE or None


class AnonymousThrottle(SimpleRateThrottle):
    """Slow down an address that asks too often without any credential.

    Requests that authentication or permission refuses are not counted: they cost next to nothing.
    """

    scope = "identity_anonymous"

    def get_rate(self) -> str | None:
        """Return requests per period, such as `600/min`; None for no limit."""
        return settings.ANONYMOUS_RATE or None

    def get_cache_key(self, request: Request, view: object) -> str | None:
        """Return where the requests of the address are counted; None for who is known, or has no address."""
        address = client_address(request)
        if request.user.is_authenticated or not address:
            return None
        return self.cache_format % {"scope": self.scope, "ident": _digest(self.scope, address)}
