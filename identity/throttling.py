"""How many wrong passwords are too many: Django REST Framework's rate throttle, counting failures only.

The counts are in the default cache and each is read and written in two steps: processes without a
shared cache count for themselves, and failures at the same instant may count as one.
"""

from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.throttling import SimpleRateThrottle

# The base class asks for a request and a view, which these throttles are not about.
_NOTHING: Any = None


class FailureThrottle(SimpleRateThrottle):
    """Refuse further tries after too many failures of one account or one address."""

    def __init__(self, ident: str) -> None:
        super().__init__()
        self.ident = salted_hmac(f"identity.throttling.{self.scope}", ident, algorithm="sha256").hexdigest()

    def check(self) -> None:
        """Do nothing while another try is allowed. One read of the cache.

        Raises: Throttled with the seconds until the next try is allowed.
        """
        if not self.allow_request(_NOTHING, _NOTHING):
            raise Throttled(self.wait(), "Too many failed sign-ins.")

    def record_failure(self) -> None:
        """Count the failure of a try that `check` allowed. One read and one write of the cache."""
        if self.rate is not None:
            # Read again: others may have failed while this password was hashed.
            self.history = self.cache.get(self.key, [])
            super().throttle_success()

    def throttle_success(self) -> bool:
        """Let it pass uncounted, since it is not known yet whether it fails."""
        return True

    def get_cache_key(self, request: object, view: object) -> str:
        """Return where the failures are counted."""
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
