"""Gunicorn's own answers and log lines, and what it lets through to the application."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.tests.stack import children_of
from testing.cloud import token_document, version_document

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
SENTINEL = "SECRETTOKEN123"
LONGEST_TOKEN = 8_000
DONE = 30
"""Seconds within which gunicorn has started, answered or ended."""

# The application, and some paths that say or do what the application does not.
PROBE = """\
import os, signal, time

from flavorsync_project.wsgi import application as flavor_sync

def application(environ, start_response):
    if environ["PATH_INFO"] == "/scheme":
        start_response("200 OK", [("Content-Length", "5")])
        return [environ["wsgi.url_scheme"].ljust(5).encode()]
    if environ["PATH_INFO"] == "/broken":
        raise ValueError(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    if environ["PATH_INFO"] == "/slow":
        print("The slow request has begun", flush=True)
        time.sleep(float(environ["QUERY_STRING"]))
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]
    if environ["PATH_INFO"] == "/split":
        start_response("200 OK", [("X-Split", environ["QUERY_STRING"] + "\\r\\n")])
        return []
    return flavor_sync(environ, start_response)
"""


@dataclass(frozen=True)
class Answer:
    """An answer, and what followed it on the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.headers} {self.body!r} {self.rest!r}"


class Server:
    """The real gunicorn with the real configuration."""

    def __init__(self, folder: Path, *, probe: str = PROBE, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        (folder / "probe.py").write_text(probe, encoding="utf-8")
        self._log = folder / "gunicorn.log"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        environment = {
            **kept,
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "for-tests-only-and-long-enough-for-the-checks-of-the-deployment-0123456789",
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            **settings,
        }
        command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "flavorsync_serving" / "gunicorn.conf.py")]
        command += ["--bind", f"127.0.0.1:{self.port}", "--pythonpath", str(folder), "probe"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process of its master."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text(encoding="utf-8")

    def wait(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + DONE
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.log
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=DONE).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"gunicorn did not listen: {self.log}")

    def ask(self, request: str) -> Answer:
        """Send the bytes of a request as they are, and read until gunicorn closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=DONE) as connection:
            connection.sendall(request.encode("latin-1"))
            read = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, content = read.partition(b"\r\n\r\n")
        status_line, _, fields = head.decode("latin-1").partition("\r\n")
        headers = dict(message_from_string(fields).items())
        length = 0 if request.startswith("HEAD ") else int(headers["Content-Length"])
        return Answer(int(status_line.split()[1]), headers, content[:length], content[length:])

    def end(self) -> None:
        """End it and its workers."""
        self._process.terminate()
        try:
            self._process.wait(timeout=DONE)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


class IdentityProvider:
    """An identity provider that refuses every token, and remembers it."""

    def __init__(self) -> None:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.extend(parse_qs(urlsplit(self.path).query).get("access_token", []))
                body = b"{}"
                self.send_response(401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name it has there
                pass

        self.asked = asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def identity_provider() -> Iterator[IdentityProvider]:
    """An identity provider for the server."""
    made = IdentityProvider()
    yield made
    made.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, identity_provider: IdentityProvider) -> Iterator[Server]:
    """A server without HTTPS, which every test shares."""
    made = Server(tmp_path_factory.mktemp("gunicorn"), KEYROCK_URL=identity_provider.url, KEYROCK_APP_IDS="flavor-sync")
    try:
        made.wait()
        yield made
    finally:
        made.end()


def _get(path: str, *headers: str) -> str:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""))


METRICS_TOKEN = "metrics-token-of-the-tests"


def counted(server: Server, route: str) -> int:
    """Return how many requests of a route the server says that its workers have answered with 200."""
    answer = server.ask(_get("/metrics", f"Authorization: Bearer {METRICS_TOKEN}"))
    assert answer.status == 200
    line = f'flavorsync_http_requests_total{{method="GET",route="{route}",status="200"}} '
    return sum(int(float(found.removeprefix(line))) for found in answer.body.decode().splitlines() if line in found)


def places(folder: Path) -> set[str]:
    """Return the places of the processes that have counted requests."""
    return {re.sub(r".*_(\d+)\.db", r"\1", path.name) for path in folder.glob("counter_*.db")}


def until(condition: Callable[[], object]) -> None:
    """Wait until *condition* holds."""
    deadline = time.monotonic() + DONE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_any_worker_tells_what_all_have_counted_the_dead_ones_too(tmp_path: Path) -> None:
    made = Server(tmp_path, METRICS_TOKEN=METRICS_TOKEN, TMPDIR=str(tmp_path))
    try:
        made.wait()
        (folder,) = tmp_path.glob("flavorsync-metrics-*")
        asked = 0

        def both_have_answered() -> bool:
            nonlocal asked
            asked += 1
            assert made.ask(_get("/v1")).status == 200
            return len(places(folder)) >= 2

        until(both_have_answered)
        assert {counted(made, "/v1") for _ in range(8)} == {asked}
        with pytest.raises((ConnectionError, KeyError)):  # no answer
            made.ask(_get("/die"))
        until(lambda: "was sent SIGKILL" in made.log)
        asked += 1
        assert made.ask(_get("/v1")).status == 200
        assert {counted(made, "/v1") for _ in range(8)} == {asked}
    finally:
        made.end()
    assert not folder.exists()


@pytest.mark.thorough
def test_workers_that_come_and_go_leave_no_more_files(tmp_path: Path) -> None:
    """Four of them live at once, in a reload."""
    made = Server(tmp_path, METRICS_TOKEN=METRICS_TOKEN, TMPDIR=str(tmp_path))
    try:
        made.wait()
        (folder,) = tmp_path.glob("flavorsync-metrics-*")
        asked = 0
        for _ in range(4):
            before = children_of(made.pid)
            os.kill(made.pid, signal.SIGHUP)
            until(lambda: len(now := children_of(made.pid)) == 2 and not now & before)  # noqa: B023
            for _ in range(8):
                asked += 1
                assert made.ask(_get("/v1")).status == 200
        assert counted(made, "/v1") == asked
        assert len(list(folder.glob("histogram_*.db"))) <= 4
    finally:
        made.end()


def test_a_reload_with_a_wrong_setting_is_refused_in_one_line_and_the_old_ones_stay(tmp_path: Path) -> None:
    settings = tmp_path / "environment"
    settings.write_text("OPENSTACK_TIMEOUT=15\n", encoding="utf-8")
    made = Server(tmp_path, ENV_FILE=str(settings))
    try:
        made.wait()
        assert made.ask(_get("/v1")).status == 200
        workers, before = children_of(made.pid), len(made.log)
        settings.write_text("OPENSTACK_TIMEOUT=-1\n", encoding="utf-8")
        os.kill(made.pid, signal.SIGHUP)
        until(lambda: "the old ones stay" in made.log)
        assert children_of(made.pid) == workers
        assert made.ask(_get("/v1")).status == 200
        wrong, refused = (line for line in made.log[before:].splitlines() if "GET /v1" not in line)
        assert wrong == "OPENSTACK_TIMEOUT is '-1': it must be a number from 0.1 to 300."
        assert refused == "Nothing is reloaded: the settings are wrong, and the old ones stay."
        settings.write_text("OPENSTACK_TIMEOUT=20\n", encoding="utf-8")
        os.kill(made.pid, signal.SIGHUP)
        until(lambda: len(now := children_of(made.pid)) == 2 and not now & workers)
        assert made.ask(_get("/v1")).status == 200
    finally:
        made.end()


@pytest.mark.parametrize("number", [signal.SIGHUP, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)])
def test_a_slow_request_is_answered_when_gunicorn_is_reloaded_or_stopped(tmp_path: Path, number: int) -> None:
    """Not even a worker that takes longer than gunicorn's own time-out, here a second, is killed before its time."""
    made = Server(tmp_path, GUNICORN_CMD_ARGS="--timeout 1")
    try:
        made.wait()
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(made.ask, _get("/slow?5"))
            until(lambda: "The slow request has begun" in made.log)
            os.kill(made.pid, number)
            assert (slow.result().status, slow.result().body) == (200, b"done")
    finally:
        made.end()


# The worker is told to end while it is already ending, just when it holds its threads' lock.
TWICE = """\
import os, signal
from concurrent.futures import ThreadPoolExecutor

from flavorsync_project.wsgi import application

shutdown = ThreadPoolExecutor.shutdown

def shutdown_when_told_twice(pool, *arguments, **options):
    ThreadPoolExecutor.shutdown = shutdown
    with pool._shutdown_lock:
        os.kill(os.getpid(), signal.SIGQUIT)
    shutdown(pool, *arguments, **options)

ThreadPoolExecutor.shutdown = shutdown_when_told_twice
"""


@pytest.mark.thorough
def test_a_worker_that_is_told_twice_to_end_does_not_wait_for_itself(tmp_path: Path) -> None:
    made = Server(tmp_path, probe=TWICE)
    try:
        made.wait()
        assert made.ask(_get("/v1")).status == 200
        workers = children_of(made.pid)
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
        until(lambda: not workers & children_of(made.pid))
        assert made.ask(_get("/v1")).status == 200
    finally:
        made.end()


# Ctrl-C reaches the worker while its pool starts the thread for the first request.
WHILE_A_THREAD_STARTS = """
import os, signal, threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from flavorsync_serving.worker import Worker

worker = Worker.__new__(Worker)
worker.cfg = SimpleNamespace(worker_int=lambda worker: None)
signal.signal(signal.SIGINT, worker.handle_quit)
start = threading.Thread.start

def start_and_meet_a_signal(thread):
    start(thread)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread.start = start_and_meet_a_signal
pool = ThreadPoolExecutor(1)
pool.submit(int)
"""


def test_a_worker_that_is_told_to_end_while_it_starts_a_thread_ends() -> None:
    done = subprocess.run([sys.executable, "-c", WHILE_A_THREAD_STARTS], cwd=ROOT, timeout=DONE, check=False)
    assert done.returncode == 0


def test_a_folder_that_somebody_names_is_used_and_left(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    made = Server(tmp_path, METRICS_TOKEN=METRICS_TOKEN, PROMETHEUS_MULTIPROC_DIR=str(shared))
    try:
        made.wait()
        assert made.ask(_get("/v1")).status == 200
        assert counted(made, "/v1") == 1
    finally:
        made.end()
    assert list(shared.glob("counter_*.db"))


def test_health_needs_no_credentials(server: Server) -> None:
    assert server.ask(_get("/health/live")).body == b'{"status": "ok"}'
    assert server.ask(_get("/metrics")).status == 404


REFUSED = {
    "no colon in a header": (400, _get("/v1", f"X-Auth-Token {SENTINEL}")),
    "a space in a header's name": (400, _get("/v1", f"X-Auth-Token {SENTINEL}: 1")),
    "a control character in a header": (400, _get("/v1", f"X-Auth-Token: {SENTINEL}\x01")),
    "a folded header": (400, _get("/v1", f"X-{SENTINEL}: 1", f" {SENTINEL}")),
    "two lengths": (400, _get("/v1", "Content-Length: 1", f"Content-Length: {SENTINEL}")),
    "a length that is none": (400, _get("/v1", f"Content-Length: {SENTINEL}")),
    "no request line": (400, f"{SENTINEL}\r\n\r\n"),
    "no method": (400, f"#{SENTINEL}# /v1 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "no such version": (400, f"GET /v1?access_token={SENTINEL} HTTP/{SENTINEL}\r\nHost: localhost\r\n\r\n"),
    "a byte that no path has": (400, _get(f"/v1?access_token={SENTINEL}\xe9")),
    "a line that is too long": (414, _get(f"/v1?access_token={SENTINEL}{'x' * 8190}")),
    "an expectation": (417, _get("/v1", f"Expect: {SENTINEL}")),
    "too many headers": (431, _get("/v1", *(f"X-{SENTINEL}-{number}: {SENTINEL}" for number in range(101)))),
    "a header that is too long": (431, _get("/v1", f"X-Auth-Token: {SENTINEL}{'x' * 32768}")),
    "the application's failure": (500, _get(f"/broken?{SENTINEL}")),
    "the application's malformed header": (500, _get(f"/split?{SENTINEL}")),
    "a transfer coding": (501, _get("/v1", f"Transfer-Encoding: {SENTINEL}")),
}


@pytest.mark.parametrize(("status", "request_text"), REFUSED.values(), ids=REFUSED)
def test_gunicorns_own_answers_have_our_form_and_repeat_nothing(server: Server, status: int, request_text: str) -> None:
    answer = server.ask(request_text)
    assert answer.status == status, server.log
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Connection"] == "close"
    error = json.loads(answer.body)
    assert list(error) == ["error"]
    assert list(error["error"]) == ["message"]
    assert error["error"]["message"]
    assert answer.rest == b""
    request_id = answer.headers["X-Openstack-Request-Id"]
    assert re.fullmatch(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id)
    lines = [line for line in server.log.splitlines() if request_id in line]
    assert len(lines) == 1
    assert "request from 127.0.0.1: " in lines[0]
    assert SENTINEL not in answer.text
    assert SENTINEL not in server.log


def test_the_log_says_where_the_application_failed(server: Server) -> None:
    request_id = server.ask(_get("/broken")).headers["X-Openstack-Request-Id"]
    after = server.log.partition(request_id)[2]
    assert " gunicorn.error Failed to answer a request from 127.0.0.1: ValueError\n" in after
    assert "in application\n" in after


def test_an_answer_to_head_has_no_body(server: Server) -> None:
    answer = server.ask(_get("/broken").replace("GET", "HEAD"))
    assert (answer.status, answer.rest) == (500, b"")


def test_a_request_that_was_answered_gets_no_second_answer(server: Server) -> None:
    before = len(server.log)
    chunked = f"POST /v1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{SENTINEL}\r\n\r\n"
    answer = server.ask(chunked)
    assert 400 <= answer.status < 500
    assert json.loads(answer.body)["error"]["message"]
    assert answer.rest == b""
    assert "Refused a request from 127.0.0.1: 400 InvalidChunkSize" in server.log[before:]
    assert SENTINEL not in answer.text + server.log


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /foo", "PATH_INFO: /foo"])
def test_no_header_is_a_variable_of_wsgi(server: Server, header: str) -> None:
    plain = server.ask(_get("/v1"))
    answer = server.ask(_get("/v1", header))
    assert (answer.status, answer.body) == (plain.status, plain.body)
    assert answer.status == 200


@pytest.mark.parametrize("header", ["X-Forwarded-Proto: https", "X-Forwarded-Protocol: ssl", "X-Forwarded-Ssl: on"])
def test_no_header_makes_a_request_one_over_https(server: Server, header: str) -> None:
    assert server.ask(_get("/scheme", header)).body.strip() == b"http"
    assert "Strict-Transport-Security" not in server.ask(_get("/v1", header)).headers


def test_where_https_is_set_django_believes_the_proxys_header_and_no_other(tmp_path: Path) -> None:
    made = Server(tmp_path, HTTPS="true")
    try:
        made.wait()
        assert "Strict-Transport-Security" in made.ask(_get("/v1", "X-Forwarded-Proto: https")).headers
        for header in ("X-Forwarded-Protocol: ssl", "X-Forwarded-Ssl: on", "X-Forwarded-Proto: http"):
            assert "Strict-Transport-Security" not in made.ask(_get("/v1", header)).headers
    finally:
        made.end()


def test_the_longest_token_reaches_the_identity_provider(server: Server, identity_provider: IdentityProvider) -> None:
    token = SENTINEL + "t" * (LONGEST_TOKEN - len(SENTINEL))
    for request in (_get(f"/v1/regions?access_token={token}"), _get("/v1/regions", f"X-Auth-Token: {token}")):
        identity_provider.asked.clear()
        assert server.ask(request).status == 401
        assert identity_provider.asked == [token]
    assert SENTINEL not in server.log


@pytest.mark.parametrize("length", [LONGEST_TOKEN + 1, 32_000])
def test_a_longer_header_gets_the_applications_own_answer(
    server: Server, identity_provider: IdentityProvider, length: int
) -> None:
    identity_provider.asked.clear()
    answer = server.ask(_get("/v1/regions", f"X-Auth-Token: {'t' * length}"))
    assert answer.status == 401
    assert "WWW-Authenticate" in answer.headers
    assert identity_provider.asked == []


# A cloud that does not answer


class Clouds:
    """A Keystone whose every token is good, and the Novas of two regions: Well answers, Slow does when told to."""

    def __init__(self) -> None:
        answer_now = threading.Event()
        waiting: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                base = f"http://{self.headers['Host']}"
                if "/auth/" in self.path:
                    endpoints = {name: f"{base}/{name}/v2.1" for name in ("Slow", "Well")}
                    self._answer(token_document(endpoints=endpoints))
                elif "/flavors/" not in self.path:
                    self._answer(version_document("2.96"))
                else:
                    if self.path.startswith("/Slow"):
                        waiting.append(self.path)
                        answer_now.wait(DONE)
                    self._answer({"flavors": []})

            def _answer(self, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the library's own name
                """Print nothing."""

        self.answer_now = answer_now
        self.waiting = waiting
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.keystone_url = f"http://127.0.0.1:{self._server.server_port}/v3"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        """Let everybody go, and stop listening."""
        self.answer_now.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def clouds() -> Iterator[Clouds]:
    """A cloud that is well, and one that is slow."""
    made = Clouds()
    yield made
    made.end()


@pytest.mark.thorough
def test_a_slow_cloud_leaves_half_of_the_threads_to_the_others(tmp_path: Path, clouds: Clouds) -> None:
    password = "mellon-mellon-mellon"
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "KEYSTONE_URL": clouds.keystone_url,
        "OPENSTACK_TIMEOUT": str(2 * DONE),
    }
    for arguments in (
        ["migrate", "--verbosity=0"],
        ["createsuperuser", "--noinput", "--username=frodo", "--email=frodo@example.org"],
        ["register_infrastructure", "Slow"],
        ["register_infrastructure", "Well"],
    ):
        environment = {**os.environ, **settings, "DJANGO_SUPERUSER_PASSWORD": password}
        environment["DJANGO_SETTINGS_MODULE"] = "flavorsync_project.settings"  # whose passwords gunicorn can check
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True)
    made = Server(tmp_path, GUNICORN_CMD_ARGS="--workers 1", **settings)

    def ask(region: str) -> int:
        headers = ("User: frodo", f"Password: {password}", "X-Auth-Token-KeyStone: token")
        return made.ask(_get(f"/v1/regions/{region}/flavors", *headers)).status

    try:
        made.wait()
        assert ask("Well") == 200
        with ThreadPoolExecutor(12) as pool:
            answers = [pool.submit(ask, "Slow") for _ in range(12)]
            until(lambda: sum(answer.done() for answer in answers) == 8)
            assert len(clouds.waiting) == 4
            # A request to the slow cloud is now refused at once, one to the other is answered.
            assert [ask("Slow"), ask("Well"), ask("Well")] == [502, 200, 200]
            clouds.answer_now.set()
            assert sorted(answer.result() for answer in answers) == [200] * 4 + [502] * 8
        assert ask("Slow") == 200
    finally:
        made.end()
