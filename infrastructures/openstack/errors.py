"""Errors of the clouds, with messages that anybody may read.

None of these errors ever contains a URL, a token or a password. They are separate from REST framework's NotFound
and the like: those concern this service, these a cloud behind it.
"""

from copy import copy
from typing import Self

from rest_framework.exceptions import APIException, ErrorDetail


class CloudError(APIException):
    """A cloud refused or failed; `detail` says which one and how.

    `cloud` is the infrastructure's name, and `request_id` the cloud's id of the failed request
    (empty if it gave none).
    """

    retryable = False
    """Whether the same request may succeed later."""

    def __init__(self, cloud: str, detail: str, *, request_id: str = "") -> None:
        super().__init__(f"{cloud}: {detail}")
        self.cloud = cloud
        self.request_id = request_id
        self._said_first = self.detail

    def add(self, sentence: str) -> None:
        """Add a sentence about the consequence for the flavor that was being changed."""
        self.detail = ErrorDetail(f"{self._said_first} {sentence}", code=self.default_code)

    def plain(self) -> Self:
        """Return the error without the added sentence, for the cloud's other flavors."""
        plain = copy(self)
        plain.detail = self._said_first
        return plain


class CloudUnavailable(CloudError):
    """502: the cloud could not be reached, failed, or did not answer as OpenStack does."""

    status_code = 502
    retryable = True
    may_be_done = True
    """Whether a requested change may have been carried out, or may still be."""


class CloudUnreachable(CloudUnavailable):
    """502: the connection was refused or broke, or the host is unknown. A time-out is `CloudTimedOut`."""


class CloudNotConnected(CloudUnreachable):
    """502: no connection was made, so nothing was sent and nothing has changed."""

    may_be_done = False


class CloudTimedOut(CloudUnavailable):
    """502: there was no answer in time; the request may or may not have been carried out."""


class CloudNotConnectedInTime(CloudTimedOut):
    """502: the connection was not accepted in time, so nothing was sent and nothing has changed."""

    may_be_done = False


class CloudNotAsked(CloudUnavailable):
    """502: nothing was sent, since the cloud is known to be dead or is too slow, so nothing has changed."""

    may_be_done = False


class CloudAnswersTooMuch(CloudUnavailable):
    """502: the response is larger than we accept; retrying would not help."""

    retryable = False


class CredentialsRefused(CloudUnavailable):
    """502: the cloud refuses *our* stored credentials or what they try to do, which is not the caller's fault."""

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
    """409: the cloud already has a flavor with this name or id."""

    status_code = 409


class FlavorRefused(CloudError):
    """400: the cloud does not accept the flavor's values."""

    status_code = 400
