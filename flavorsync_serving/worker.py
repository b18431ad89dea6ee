"""The worker with which gunicorn serves Flavor Sync.

It imports nothing of the application: the master imports it, and after a reload the workers would get the old code.
"""

import json
import os
from socket import socket
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

LONGEST_REQUEST_LINE = 8190

_FAILED = (500, "Internal Server Error", "The server failed to answer. Its log says why.")
# The first match counts.
_REFUSALS: tuple[tuple[type[Exception], tuple[int, str, str]], ...] = (
    # These are the application's own errors, whatever they inherit from.
    (errors.InvalidResponseHeader, _FAILED),
    (errors.InvalidResponseHeaderName, _FAILED),
    (errors.ConfigurationProblem, _FAILED),
    (
        errors.LimitRequestLine,
        (414, "URI Too Long", f"The request line is longer than {LONGEST_REQUEST_LINE} bytes."),
    ),
    (
        errors.LimitRequestHeaders,
        (431, "Request Header Fields Too Large", "The request has too many headers, or one that is too long."),
    ),
    (errors.ExpectationFailed, (417, "Expectation Failed", "The only expectation that can be met is 100-continue.")),
    (
        errors.UnsupportedTransferCoding,
        (501, "Not Implemented", "The only transfer coding that can be read is chunked."),
    ),
    (errors.ForbiddenProxyRequest, (403, "Forbidden", "The PROXY protocol is not for everybody.")),
    (errors.ParseException, (400, "Bad Request", "The request is malformed: it is not valid HTTP.")),
)


class _Unsaid(Exception):
    """Stand-in for an exception in the log: it shows only the kind and the traceback."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's thread worker, with the application's form of errors for requests that never reach the application.

    Gunicorn's own responses, and its log, repeat the wrong part of a request, which may be a token.
    """

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once, on Ctrl-C or SIGQUIT, whatever the signal interrupts.

        Gunicorn's thread worker shuts down its pool here. The code that is interrupted, such as a shutdown that an
        earlier signal began, may hold the pool's lock, and would never release it. Its base worker raises SystemExit:
        if the pool is just starting a thread, it does not come to know of it, and the process would wait for that
        thread for ever, with the port.
        """
        os._exit(0)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Let the application respond, and remember that it did."""
        keep = super().handle_request(req, conn)
        req.flavorsync_answered = True
        return keep

    def handle_error(self, req: Any, client: socket, addr: Any, exc: Exception) -> None:
        """Respond to a request that failed or could not be read, and log it; neither repeats what the client sent."""
        status, reason, message = next((refusal for kind, refusal in _REFUSALS if isinstance(exc, kind)), _FAILED)
        request_id = f"req-{uuid4()}"
        # The application's log filter looks here for the id of a request that is no longer current.
        extra = {"request": SimpleNamespace(request_id=request_id)}
        address = addr[0] if isinstance(addr, tuple) else addr or "a local socket"
        kind = type(exc).__name__
        if status == 500:
            # Without the exception's text, which may contain what the client sent
            unsaid = (_Unsaid, _Unsaid(kind), exc.__traceback__)
            self.log.error("Failed to answer a request from %s: %s", address, kind, exc_info=unsaid, extra=extra)
        else:
            self.log.warning("Refused a request from %s: %d %s", address, status, kind, extra=extra)
        if getattr(req, "flavorsync_answered", False):
            return  # the error came after the request, and one request has one response
        body = json.dumps({"error": {"message": message}}).encode()
        head = (
            f"HTTP/1.1 {status} {reason}\r\n"
            f"Date: {util.http_date()}\r\n"
            "Connection: close\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"X-Openstack-Request-Id: {request_id}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + (b"" if getattr(req, "method", "") == "HEAD" else body))
        except OSError:
            self.log.debug("The client did not wait for the answer.")
