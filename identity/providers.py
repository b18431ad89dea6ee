"""The interface of an identity provider: it says whose token this is."""

import logging
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from rest_framework.exceptions import AuthenticationFailed
from urllib3.exceptions import HTTPError

from flavorsync_project.api.errors import ServiceUnavailable
from identity import exchange
from identity.exchange import Answer
from identity.metrics import IDM_SECONDS
from identity.principals import TokenUser

logger = logging.getLogger(__name__)


class Provider(ABC):
    """An identity provider, as the current settings configure it.

    `identity.tokens` remembers tokens and throttles invalid ones for all providers alike.
    """

    name: ClassVar[str]
    """The name in `TokenUser.provider` and in the metrics."""
    title: ClassVar[str]
    """The name shown to people."""

    @abstractmethod
    def is_configured(self) -> bool:
        """Say whether the settings configure it."""

    @abstractmethod
    def recognises(self, token: str) -> bool:
        """Say whether only this provider issues tokens that look like this one."""

    @abstractmethod
    def configuration(self) -> str:
        """Return the settings that the outcome depends on."""

    @abstractmethod
    def seconds_to_remember(self) -> int:
        """Return how long to remember a valid token that does not expire earlier."""

    @abstractmethod
    def identify(self, token: str) -> TokenUser:
        """Return the user who bears the token.

        Raises: AuthenticationFailed when it is not valid; ServiceUnavailable when the provider did not answer, or not
        as it should.

        Cost: one upstream call, two when a reused connection turns out to be broken.
        """

    def fetch(self, url: str, **options: Any) -> Answer:
        """Return the provider's response, whatever its status. Options as `exchange.fetch`.

        Raises: ServiceUnavailable when there is no complete response in time.
        """
        try:
            with IDM_SECONDS.labels(self.name).time():
                return exchange.fetch(url, **options)
        except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
            reason = exchange.kind(error)
        # Raised only here, outside the handler, so that no traceback shows the original with its URL.
        raise self.unavailable(reason)

    def unavailable(self, reason: str) -> ServiceUnavailable:
        """Return the error for a provider without a usable response; log the reason, which callers are not told."""
        logger.warning("The identity provider (%s) gave no usable answer: %s", self.title, reason)
        return ServiceUnavailable(
            f"The identity provider ({self.title}) does not answer as it should. Try again later."
        )


def refused(reason: str = "") -> AuthenticationFailed:
    """Return the error for an invalid token, with the reason if known."""
    return AuthenticationFailed(f"The token is not valid{': ' if reason else ''}{reason}.")
