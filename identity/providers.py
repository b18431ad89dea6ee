"""What an identity provider is to us: somebody who says whose token this is."""

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
    """An identity provider, as the settings of this moment have it.

    What is remembered of tokens, and how many wrong ones are too many, is the same for all: see `identity.tokens`.
    """

    name: ClassVar[str]
    """As `TokenUser.provider` and the metrics have it."""
    title: ClassVar[str]
    """For people."""

    @abstractmethod
    def is_configured(self) -> bool:
        """Say whether the settings name one."""

    @abstractmethod
    def has_the_form_of(self, token: str) -> bool:
        """Say whether a token looks like one of its own and of nobody else's."""

    @abstractmethod
    def configuration(self) -> str:
        """Return what of the settings the outcome depends on."""

    @abstractmethod
    def seconds_to_remember(self) -> int:
        """Return for how long a valid token may be remembered, if it lives as long."""

    @abstractmethod
    def identify(self, token: str) -> TokenUser:
        """Return the user who bears the token.

        Raises: AuthenticationFailed when it is not valid; ServiceUnavailable when the provider did not answer, or not
        as it should.

        Cost: one upstream call, two when a reused connection turns out to be broken.
        """

    def fetch(self, url: str, **options: Any) -> Answer:
        """Return what the provider answers, whatever it is. Options as `exchange.fetch`.

        Raises: ServiceUnavailable when there is no whole answer in time.
        """
        try:
            with IDM_SECONDS.labels(self.name).time():
                return exchange.fetch(url, **options)
        except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
            reason = exchange.kind(error)
        # Raised only here, outside the handler, so that no traceback shows the original with its URL.
        raise self.unavailable(reason)

    def unavailable(self, reason: str) -> ServiceUnavailable:
        """Return the error of a provider that is silent or strange, whose reason only the log is told."""
        logger.warning("The identity provider (%s) gave no usable answer: %s", self.title, reason)
        return ServiceUnavailable(
            f"The identity provider ({self.title}) does not answer as it should. Try again later."
        )


def refused(reason: str = "") -> AuthenticationFailed:
    """Return the error of a token that is not valid, with what can be said of it."""
    return AuthenticationFailed(f"The token is not valid{': ' if reason else ''}{reason}.")
