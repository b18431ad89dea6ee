"""What can go wrong with a cloud, in few words and fit for strangers.

None of these errors ever holds a URL, a token or a password. They are not rest framework's own
NotFound and the like: those speak of this service, these of a cloud behind it.
"""

from copy import copy
from typing import Self

from rest_framework.exceptions import APIException, ErrorDetail


class CloudError(APIException):
    """A cloud refused or failed; `detail` says which one and how.

    `cloud` is the infrastructure's name and `request_id` what the cloud called the failed request
    (empty when it did not say).
    """

    retryable = False
    """Whether the same request can succeed later."""

    def __init__(self, cloud: str, detail: str, *, request_id: str = "") -> None:
        super().__init__(f"{cloud}: {detail}")
        self.cloud = cloud
        self.request_id = request_id
        self._said_first = self.detail

    def add(self, sentence: str) -> None:
        """Say more: what it means for the flavor that was being changed."""
        self.detail = ErrorDetail(f"{self._said_first} {sentence}", code=self.default_code)

    def plain(self) -> Self:
        """Return the error without what was added, for other flavors of the cloud."""
        plain = copy(self)
        plain.detail = self._said_first
        return plain


class CloudUnavailable(CloudError):
    """502: the cloud could not be reached, failed, or did not answer as OpenStack does."""

    status_code = 502
    retryable = True
    may_be_done = True
    """Whether a change that was asked for may have been carried out, or may still be."""


class CloudUnreachable(CloudUnavailable):
    """502: the connection was refused or broke, or the host is unknown; a time-out is not this."""


class CloudNotConnected(CloudUnreachable):
    """502: there was no connection over which anything could be sent; so nothing has changed."""

    may_be_done = False


class CloudTimedOut(CloudUnavailable):
    """502: there was no answer in time; whether the request was carried out is not known."""


class CloudNotAsked(CloudUnavailable):
    """502: nothing was sent, since the cloud is known to be dead or holds enough of us up; so nothing has changed."""

    may_be_done = False


class CloudAnswersTooMuch(CloudUnavailable):
    """502: the answer is larger than any that we take; asking again would bring the same."""

    retryable = False


class CredentialsRefused(CloudUnavailable):
    """502: the cloud does not let *our* stored credentials in, or do this; that is not the caller's fault."""

    retryable = False
    may_be_done = False


class CredentialsMissing(CloudError):
    """409: we hold no credentials for the cloud, or can no longer read them."""

    status_code = 409


class TokenRefused(CloudError):
    """401: the cloud's Keystone or Nova does not accept the caller's token."""

    status_code = 401
    www_authenticate = 'Keystone realm="X-Auth-Token-KeyStone"'


class Forbidden(CloudError):
    """403: the cloud does not let the caller's token do this."""

    status_code = 403


class FlavorNotFound(CloudError):
    """404: the cloud has no such flavor, or does not show it to the caller's token."""

    status_code = 404


class FlavorConflict(CloudError):
    """409: the cloud has a flavor of this name or id already."""

    status_code = 409


class FlavorRefused(CloudError):
    """400: the cloud does not accept the flavor's values."""

    status_code = 400
