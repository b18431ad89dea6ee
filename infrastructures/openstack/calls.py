"""HTTP calls to the clouds, each with our request's id, counted, and guarded by the breaker and the bulkhead."""

import re
from typing import Any

import requests

from flavorsync_project.http_client import AnswerTooLarge
from flavorsync_project.telemetry.request_id import HEADER, NO_REQUEST, current_request_id, note_upstream
from infrastructures.addresses import NEAR
from infrastructures.openstack.bounds import service_at
from infrastructures.openstack.breaker import guarded
from infrastructures.openstack.bulkhead import place_in
from infrastructures.openstack.errors import CloudAnswersTooMuch, CloudUnavailable
from infrastructures.openstack.metrics import CALL_SECONDS, KIND_SECONDS, counted, kind_of
from infrastructures.openstack.refusals import reduce_refusal

_OPENSTACKS_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def upstream_id(text: str | None) -> str:
    """Return a cloud's own id of a request, or "" if it does not look like OpenStack's.

    It goes to the log, and an impostor could send anything there, even our own password.
    """
    return text if text and _OPENSTACKS_ID.fullmatch(text) else ""


class LeadsHere(Exception):
    """The host of a URL leads to this machine or its link, and is not allowed to."""


class Calls:
    """The HTTP calls to one cloud, with the interface that keystoneauth expects of a `requests` session."""

    def __init__(self, cloud: str, http: requests.Session) -> None:
        self._cloud = cloud
        self._http = http

    def request(self, method: str, url: str, *, headers: dict[str, str], **options: Any) -> requests.Response:
        """Send a request with our own request's id, and note the cloud's id for it.

        Nova and Keystone log ours as the global request id (API reference, "Request IDs").

        Raises:
            CloudNotAsked: the cloud is known to be dead, or too many requests wait for it.
            CloudAnswersTooMuch: the response is larger than any of OpenStack's.
            CloudUnavailable: it is an error response, but not in OpenStack's form.
            requests.RequestException: as `requests.Session.request`.
        """
        kind = kind_of(method, url)
        with counted(self._cloud, kind) as call:
            with (
                guarded(self._cloud, url),
                place_in(self._cloud),
                CALL_SECONDS.labels(self._cloud, kind).time(),
                KIND_SECONDS.labels(kind).time(),
            ):
                response = self._answer(method, url, headers, options)
            call.status = response.status_code
        response.encoding = "utf-8"  # otherwise requests would guess it, which takes seconds for some megabytes
        reduce_refusal(response, cloud=self._cloud, url=url)
        return response

    def _answer(self, method: str, url: str, headers: dict[str, str], options: dict[str, Any]) -> requests.Response:
        try:
            return self._send(method, url, headers, options)
        except AnswerTooLarge as error:
            raise CloudAnswersTooMuch(self._cloud, f"its {service_at(url)}'s answer is too large.") from error
        except LeadsHere as error:
            raise CloudUnavailable(self._cloud, f"the address of its {service_at(url)} leads to {NEAR}.") from error

    def _send(self, method: str, url: str, headers: dict[str, str], options: dict[str, Any]) -> requests.Response:
        request_id = current_request_id()
        if request_id != NO_REQUEST:
            headers = {**headers, HEADER: request_id}
        theirs = ""
        try:
            response = self._http.request(method, url, headers=headers, **options)
            theirs = upstream_id(response.headers.get(HEADER))
        finally:
            note_upstream(self._cloud, theirs)
        return response
