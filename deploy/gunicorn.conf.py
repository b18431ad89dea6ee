"""How gunicorn serves Flavor Sync: `gunicorn -c deploy/gunicorn.conf.py flavorsync_project.wsgi`."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from socket import socket
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

workers = 2
threads = 8
# Each worker loads the application by itself: on SIGHUP new ones come with new code and new settings, and the old ones
# go when they have answered what they were asked.
preload_app = False
# How many seconds they have for that, and all workers when the service is stopped: as long as nginx waits for an answer
# (proxy_read_timeout), so that nothing is cut short that a client may still be answered. A change takes several calls
# to a cloud, each of which has OPENSTACK_TIMEOUT. The master starts no stop before it is done with a reload: whoever
# ends it by force, supervisor (stopwaitsecs) or systemd (TimeoutStopSec), waits for twice as long, and some more.
# Change all of these together.
graceful_timeout = 120
control_socket_disable = True

# What a proxy says of a request is Django's to believe (the setting HTTPS), and no header is a WSGI variable.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# The longest token that the application takes, 8,000 characters, fits into a request line, which cannot be longer
# than this. A header of any length that somebody may send for a token gets as far as the application's own answer.
limit_request_line = 8190
limit_request_field_size = 32 * 1024

# The application writes its own log of requests, with the tokens cut out of their queries. What gunicorn has to say
# of a request, that it failed or was malformed, goes to the application's handlers and so through the same filters.
accesslog = None
logconfig_dict = {
    "root": {"level": "INFO", "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}

_FAILED = (500, "Internal Server Error", "The server failed to answer. Its log says why.")
# The first that fits.
_REFUSALS: tuple[tuple[type[Exception], tuple[int, str, str]], ...] = (
    # These are the application's own fault, whatever they inherit from.
    (errors.InvalidResponseHeader, _FAILED),
    (errors.InvalidResponseHeaderName, _FAILED),
    (errors.ConfigurationProblem, _FAILED),
    (
        errors.LimitRequestLine,
        (414, "URI Too Long", f"The request line is longer than {limit_request_line} bytes."),
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

_MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
_OWNER = "FLAVORSYNC_METRICS_OWNER"


def _share_metrics() -> None:
    """Have the workers write their figures where each of them can read all: for /metrics any one may be asked.

    In PROMETHEUS_MULTIPROC_DIR, if somebody has named a folder that other processes share, too; else in one
    that lasts as long as this master. It is kept when the configuration is read again, and is not inherited
    by the next master (SIGUSR2).
    """
    owner = os.environ.get(_OWNER)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and owner in (None, str(os.getpid())):
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="flavorsync-metrics-")
    os.environ[_OWNER] = str(os.getpid())


_share_metrics()


def on_starting(server: Any) -> None:
    """Have the settings looked at before there are workers, each of which would say what is wrong with them.

    And before each reload, which goes on with the old ones where the new ones are wrong: gunicorn ends itself when a
    worker of its cannot load the application, and has no hook for it before a reload.
    """
    wrong = _look_at_settings()
    if wrong:
        on_exit(server)
        sys.exit(wrong)
    reload = server.handle_hup

    def reload_unless_wrong() -> None:
        if _look_at_settings():
            server.log.error("Nothing is reloaded: the settings are wrong, and the old ones stay.")
        else:
            reload()

    server.handle_hup = reload_unless_wrong


def _look_at_settings() -> int:
    """Say what is wrong with the settings, and return 0 where nothing is.

    In a process of its own: what the master has loaded, it would hand on to the workers of a reload.
    """
    command = [sys.executable, str(_MANAGE), "version"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603 — a script of ours


def on_exit(server: Any) -> None:
    """Remove the folder of figures, if it was ours."""
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


class _Unsaid(Exception):
    """An exception of which nothing is told but its kind, and where it came from."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threads, with the application's form for the answers that never reach the application.

    Gunicorn's own repeat in the log and in the body what is wrong with a request, which may be a token.
    """

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Have the application answer, and remember that it did."""
        keep = super().handle_request(req, conn)
        req.flavorsync_answered = True
        return keep

    def handle_error(self, req: Any, client: socket, addr: Any, exc: Exception) -> None:
        """Answer what could not be read or answered, and log it, with nothing in either that the client sent."""
        status, reason, message = next((refusal for kind, refusal in _REFUSALS if isinstance(exc, kind)), _FAILED)
        request_id = f"req-{uuid4()}"
        # Where the application's filter of the log finds the id of a request that is no longer current.
        extra = {"request": SimpleNamespace(request_id=request_id)}
        address = addr[0] if isinstance(addr, tuple) else addr or "a local socket"
        kind = type(exc).__name__
        if status == 500:
            # Without the exception's words, which may be the client's.
            unsaid = (_Unsaid, _Unsaid(kind), exc.__traceback__)
            self.log.error("Failed to answer a request from %s: %s", address, kind, exc_info=unsaid, extra=extra)
        else:
            self.log.warning("Refused a request from %s: %d %s", address, status, kind, extra=extra)
        if getattr(req, "flavorsync_answered", False):
            return  # only what came after the request was wrong: one request has one answer
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


worker_class = Worker
