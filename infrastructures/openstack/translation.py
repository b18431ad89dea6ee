"""Translation of the exceptions of keystoneauth and novaclient into the few errors of `errors`."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from keystoneauth1 import exceptions as keystone_errors
from novaclient import exceptions as nova_errors
from urllib3.exceptions import NewConnectionError

from infrastructures.openstack import errors
from infrastructures.openstack.calls import upstream_id
from infrastructures.openstack.refusals import clipped

logger = logging.getLogger(__name__)

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)

_REFUSALS: dict[int, type[errors.CloudError]] = {
    400: errors.FlavorRefused,
    403: errors.Forbidden,
    404: errors.FlavorNotFound,
    409: errors.FlavorConflict,
}

# What the libraries raise for a response that does not have OpenStack's shape, or is too deep for the parser.
# Such an AssertionError is keystoneauth's, UnsupportedVersion is novaclient's.
_ODD_ANSWER = (
    TypeError,
    LookupError,
    AttributeError,
    ValueError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    nova_errors.UnsupportedVersion,
)


@contextmanager
def translated(cloud: str, service: str) -> Iterator[None]:
    """Turn whatever the libraries raise in the block into a `CloudError` that names *cloud*.

    Wrap only the calls and the reading of their responses: a response without OpenStack's shape raises
    `TypeError`, `KeyError`, `AttributeError`, `ValueError` or the like there.
    """
    try:
        yield
    except (nova_errors.ClientException, keystone_errors.HttpError) as error:
        raise _from_status(error, cloud, service) from error
    except keystone_errors.ClientException as error:
        logger.warning("%s: %s: %s", cloud, service, clipped(str(error)), extra={"nodes": [cloud]})
        raise _from_failure(error, cloud, service) from error
    except _ODD_ANSWER as error:
        what = clipped(repr(error))
        logger.warning("%s: %s: not an OpenStack answer: %s", cloud, service, what, extra={"nodes": [cloud]})
        raise errors.CloudUnavailable(cloud, f"its {service} did not answer as OpenStack does.") from error


def _from_status(
    error: nova_errors.ClientException | keystone_errors.HttpError, cloud: str, service: str
) -> errors.CloudError:
    status = int(getattr(error, "code", 0) or getattr(error, "http_status", 0))
    request_id = upstream_id(error.request_id)
    upstream = {"nodes": [cloud], "upstream_request_ids": [request_id] if request_id else []}
    logger.info("%s: %s answered %s (%s)", cloud, service, status, request_id, extra=upstream)
    if status == 401:
        return errors.TokenRefused(cloud, f"its {service} does not accept the token.", request_id=request_id)
    if refusal := _REFUSALS.get(status):
        # Nova's messages contain no addresses, but those of a proxy before it may.
        return refusal(cloud, _URL.sub("…", clipped(str(error.message))), request_id=request_id)
    return errors.CloudUnavailable(cloud, f"its {service} answered {status}.", request_id=request_id)


def _from_failure(error: keystone_errors.ClientException, cloud: str, service: str) -> errors.CloudError:
    """Return our error for a failure, without the URLs that fill the libraries' own messages."""
    match error:
        case keystone_errors.ConnectTimeout() if isinstance(error.__context__, requests.exceptions.ConnectTimeout):
            return errors.CloudNotConnectedInTime(cloud, f"its {service} did not take a connection in time.")
        case keystone_errors.ConnectTimeout():  # keystoneauth raises it for a time-out of reading, too
            return errors.CloudTimedOut(cloud, f"its {service} did not answer in time.")
        case keystone_errors.SSLError():
            return errors.CloudUnavailable(cloud, f"its {service} shows no TLS certificate that can be trusted.")
        case keystone_errors.ConnectionError() if _never_connected(error):
            return errors.CloudNotConnected(cloud, f"its {service} could not be reached.")
        case keystone_errors.ConnectionError():
            return errors.CloudUnreachable(cloud, f"its {service} could not be reached.")
        case _:
            return errors.CloudUnavailable(cloud, f"its {service} did not answer as OpenStack does.")


def _never_connected(error: keystone_errors.ClientException) -> bool:
    """Say whether no connection was made at all; keystoneauth raises the same error when one breaks."""
    of_requests = error.__context__
    reason = getattr(of_requests.args[0], "reason", None) if of_requests and of_requests.args else None
    return isinstance(reason, NewConnectionError)
