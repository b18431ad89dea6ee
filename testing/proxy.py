"""A proxy before a region's Nova that fails as told: by delay, wrong form, half an answer, or a lost one."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

Reply = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""


@dataclass
class Exchange:
    """One request to the proxy, for a fault to handle."""

    handler: BaseHTTPRequestHandler
    body: bytes
    upstream: str
    stopped: threading.Event

    def forward(self) -> Reply:
        """Let Nova carry out the request, and return its answer."""
        target = urlsplit(self.upstream)
        connection = HTTPConnection(target.hostname or "", target.port, timeout=30)
        # The length is set again; hop-by-hop headers are not passed on.
        headers = {name: value for name, value in self.handler.headers.items() if name.lower() not in _NOT_FORWARDED}
        try:
            connection.request(self.handler.command, self.handler.path, self.body or None, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def reply(self, status: int, headers: Mapping[str, str], body: bytes, *, length: int | None = None) -> None:
        """Send an answer that claims to be *length* bytes long, by default its real length."""
        self.handler.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_FORWARDED:
                self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(body) if length is None else length))
        self.handler.end_headers()
        self.handler.wfile.write(body)


_NOT_FORWARDED = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "server", "date"}


Fault = Callable[[Exchange], None]


def forwarded(exchange: Exchange) -> None:
    """Answer as Nova does: no fault at all."""
    exchange.reply(*exchange.forward())


def silent(exchange: Exchange) -> None:
    """Answer nothing, until the test is over."""
    exchange.stopped.wait(60)


def silent_when_done(exchange: Exchange) -> None:
    """Carry the request out, and then answer nothing."""
    exchange.forward()
    exchange.stopped.wait(60)


def dripping(exchange: Exchange) -> None:
    """Answer one byte at a time, endlessly."""
    exchange.reply(200, {"Content-Type": "application/json"}, b"", length=1_000_000)
    while not exchange.stopped.wait(0.05):
        exchange.handler.wfile.write(b" ")


def html(exchange: Exchange) -> None:
    """Answer 200 with a page, as a captive portal does."""
    exchange.reply(200, {"Content-Type": "text/html"}, b"<html><body>Welcome to 10.0.0.1</body></html>")


def other_json(exchange: Exchange) -> None:
    """Answer 200 with JSON that Nova would never send."""
    exchange.reply(200, {"Content-Type": "application/json"}, b'{"flavor": "five", "flavors": {"id": 5}}')


def half_body(exchange: Exchange) -> None:
    """Announce more than is sent, then close the connection."""
    exchange.reply(200, {"Content-Type": "application/json"}, b'{"flavors": [{"id"', length=1_000)


def half_json(exchange: Exchange) -> None:
    """Send half a document as if it were whole."""
    exchange.reply(200, {"Content-Type": "application/json"}, b'{"flavor": {"id": "5", "name": "m1.lar')


def failing(status: int) -> Fault:
    """Answer with an error as Nova does."""

    def fail(exchange: Exchange) -> None:
        body = json.dumps({"computeFault": {"message": "Unexpected: http://10.0.0.1:8774", "code": status}}).encode()
        exchange.reply(status, {"Content-Type": "application/json", "X-Openstack-Request-Id": "req-of-nova"}, body)

    return fail


def hanging_up(exchange: Exchange) -> None:
    """Close the connection without an answer, and without doing anything."""


def lost(exchange: Exchange) -> None:
    """Carry the request out, and close the connection without an answer."""
    exchange.forward()


def redirecting(url: str) -> Fault:
    """Send the caller elsewhere."""
    return lambda exchange: exchange.reply(307, {"Location": url + exchange.handler.path}, b"")


def before(act: Callable[[], object], then: Fault) -> Fault:
    """Call *act* when the request comes, then let *then* handle it."""

    def fault(exchange: Exchange) -> None:
        act()
        then(exchange)

    return fault


def after(act: Callable[[], object]) -> Fault:
    """Let the request be carried out, call *act*, and lose the answer."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        act()

    return fault


@dataclass
class Plan:
    """Which requests meet a fault, and how many: all if `times` is 0."""

    method: str
    path: re.Pattern[str]
    fault: Fault
    times: int
    met: int = 0

    def takes(self, method: str, path: str) -> bool:
        """Say whether the request meets the fault, and count it."""
        if self.method not in ("*", method) or not self.path.search(path) or (self.times and self.met >= self.times):
            return False
        self.met += 1
        return True


FLAVOR = r"/flavors/[^/]+$"
FLAVORS = r"/flavors$"
EXTRA_SPECS = r"/os-extra_specs$"
ACCESS = r"/os-flavor-access$"
ACTION = r"/action$"


@dataclass
class NovaProxy:
    """Listens on *port* (0: any free one); requests without a plan go to the Nova at *upstream*."""

    port: int
    upstream: str
    seen: list[str] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)

    def plan(self, method: str, path: str, fault: Fault, *, times: int = 0) -> Plan:
        """Make requests of *method* (`*` for any) whose path matches meet *fault*."""
        plan = Plan(method, re.compile(path), fault, times)
        with self._lock:
            self.plans.append(plan)
        return plan

    def heal(self) -> None:
        """End all faults, including those under way."""
        with self._lock:
            self.plans.clear()
        self._stopped.set()
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                proxy._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — its name in the base class
                """Print nothing."""

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.heal()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self._lock:
            self.seen.append(f"{handler.command} {path}")
            fault = next((plan.fault for plan in self.plans if plan.takes(handler.command, path)), forwarded)
            stopped = self._stopped
        fault(Exchange(handler, body, self.upstream, stopped))


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: callers that give up are what these tests are about."""
