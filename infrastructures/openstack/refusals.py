"""Reducing a cloud's error responses to OpenStack's code and message, before any other code reads them.

A proxy before a Nova, or something in its place, may send messages that are not meant for our callers; and a cloud's
owner could put anything into them.
"""

import json
from collections.abc import Collection

import requests

from flavorsync_project.telemetry.logs import one_line
from flavorsync_project.telemetry.redaction import without_secrets
from infrastructures.openstack.bounds import KEYSTONE, MESSAGE_LENGTH, NOVA, service_at
from infrastructures.openstack.errors import CloudUnavailable

# The names in `nova.api.openstack.wsgi.Fault`; Keystone has a single name for all errors.
_NOVAS_NAMES = {
    "badMediaType",
    "badMethod",
    "badRequest",
    "computeFault",
    "conflictingRequest",
    "forbidden",
    "itemNotFound",
    "notImplemented",
    "overLimit",
    "serviceUnavailable",
    "unauthorized",
}
_NAMES = {KEYSTONE: {"error"}, NOVA: _NOVAS_NAMES}
# Statuses about a flavor or the rights to it: trusted only in OpenStack's form.
_TELLING = {400, 403, 404, 409}


def reduce_refusal(answer: requests.Response, *, cloud: str, url: str) -> None:
    """Reduce an error response to its code and message, in OpenStack's form, as one short line.

    Raises:
        CloudUnavailable: its status is about a flavor, but it is not in OpenStack's form.
    """
    if answer.status_code < 400:
        return
    service = service_at(url)
    error = _error(answer, _NAMES[service])
    if error is None and answer.status_code in _TELLING:
        raise CloudUnavailable(cloud, f"its {service} did not answer as OpenStack does.")
    answer._content = b"" if error is None else json.dumps(error).encode("ascii")


def _error(answer: requests.Response, names: Collection[str]) -> object | None:
    """Return the error in a response of OpenStack's form, or None."""
    try:
        ((name, error),) = answer.json().items()
        message = error.get("message", "")
    except (AttributeError, TypeError, ValueError, RecursionError):
        return None
    if name not in names or not isinstance(message, str):
        return None
    return {name: {"code": answer.status_code, "message": clipped(message)}}


def clipped(text: str) -> str:
    """Shorten and clean a cloud's text, so that it is safe to store, log and show."""
    text = one_line(without_secrets(text))
    return text if len(text) <= MESSAGE_LENGTH else f"{text[: MESSAGE_LENGTH - 1]}…"
