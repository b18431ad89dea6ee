"""The password of a cloud is in nothing that we answer, show, print, log or raise, down to the level DEBUG."""

import io
import json
import logging
import sys
import traceback
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from logging.config import dictConfig
from threading import Thread
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
import requests
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command, get_commands
from django.core.signals import got_request_exception
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.exceptions import APIException
from rest_framework.test import APIClient

from infrastructures.clouds import credentials_of, in_each_cloud, open_nova
from infrastructures.models import Infrastructure
from infrastructures.openstack import keystone, sessions
from infrastructures.openstack.errors import CredentialsRefused
from testing.accounts import PASSWORD as ACCOUNT_PASSWORD
from testing.accounts import make_account
from testing.cloud import Federation, RegisteredCloud, flavor_document, token_document, version_document
from testing.infrastructures import a_registered, make_registered, make_replacement

pytestmark = pytest.mark.django_db

SENTINEL = 'sentinel/0123 = "é" & <so on>'
NUMBER = 9081726354
URL = "/v1/infrastructures"
FORMATS = ["line", "json"]
VALUES = {
    "name": "Mordor",
    "keystone_url": "https://keystone.mordor.example.org/v3",
    "username": "mordor-operator",
    "password": SENTINEL,
    "tenant": "operators",
}


def found_in(text: str) -> list[str]:
    """Return each shape of the sentinel that *text* holds."""
    shapes = {
        SENTINEL,
        repr(SENTINEL)[1:-1],
        json.dumps(SENTINEL)[1:-1],
        quote(SENTINEL),
        quote(SENTINEL, safe=""),
        escape(SENTINEL),
        escape(SENTINEL, {'"': "&quot;"}),
        b64encode(SENTINEL.encode()).decode(),
        "sentinel",
        str(NUMBER),
    }
    return [shape for shape in shapes if shape in text]


class Said(logging.Handler):
    """Everything that is logged, as it is before any filter."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.loggers: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message, the arguments and the exception."""
        error = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.lines.append(f"{record.getMessage()} {record.args!r} {error}")
        self.loggers.add(record.name)

    def __str__(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def logs() -> Iterator[tuple[io.StringIO, Said]]:
    """What our settings' handler prints in either format, and what came to it, with every logger at the level DEBUG."""
    stream, said = io.StringIO(), Said()
    loggers = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    before = [(one, one.level, one.handlers[:], one.propagate) for one in [logging.getLogger(), *loggers]]
    configuration: dict[str, Any] = {**django_settings.LOGGING, "root": {"handlers": FORMATS, "level": "DEBUG"}}
    console = configuration["handlers"]["console"] | {"stream": stream}
    configuration["handlers"] = {name: {**console, "formatter": name} for name in FORMATS}
    dictConfig(configuration)
    logging.getLogger().addHandler(said)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield stream, said
    for logger, level, handlers, propagate in before:
        logger.level, logger.handlers, logger.propagate = level, handlers, propagate
        logger.manager._clear_cache()  # type: ignore[attr-defined]


@pytest.fixture
def raised() -> Iterator[list[BaseException]]:
    """Every exception that a view let through."""
    errors: list[BaseException] = []

    def keep(**_: Any) -> None:
        if error := sys.exc_info()[1]:
            errors.append(error)

    got_request_exception.connect(keep)
    yield errors
    got_request_exception.disconnect(keep)


@pytest.fixture
def mordor() -> Iterator[RegisteredCloud]:
    """A cloud that the sentinel opens."""
    with Federation() as federation:
        cloud = federation.add("Mordor", flavor_document())
        cloud.password = SENTINEL
        yield cloud


@pytest.fixture
def operator() -> Mapping[str, str]:
    """The headers of a local account that may register."""
    make_account().user_permissions.add(Permission.objects.get(codename="register_infrastructure"))
    return {"User": "operator", "Password": ACCOUNT_PASSWORD}


def everything_of(error: BaseException | None) -> Iterator[str]:
    """Yield all that an exception says of itself and of what it came from."""
    if error is not None:
        yield from (str(error), repr(error), "".join(traceback.format_exception(error)), str(error.args))
        if isinstance(error, APIException):
            yield str(error.detail)
        yield from everything_of(error.__cause__)
        yield from everything_of(error.__context__)


def xml(values: Mapping[str, str]) -> str:
    members = "".join(f"<{member}>{escape(value)}</{member}>" for member, value in values.items())
    return f"<infrastructure>{members}</infrastructure>"


JSON_BODIES: list[Any] = [
    *({"infrastructure": VALUES | {"password": value}} for value in ([SENTINEL], {SENTINEL: SENTINEL}, NUMBER)),
    {"infrastructure": VALUES | {"password": SENTINEL * 20}},
    {"infrastructure": VALUES | {"name": ""}},
    {"infrastructure": VALUES | {"keystone_url": f"http://user:{quote(SENTINEL)}@keystone.example.org"}},
    {"infrastructure": [VALUES]},
    {"infrastructures": VALUES},
    {"infrastructure": VALUES | {"name": "Mordor"}},  # taken
]
XML_BODIES = [
    xml(VALUES).replace("<password>", "<password><inner>").replace("</password>", "</inner></password>"),
    xml(VALUES).replace("<tenant>", "<password>again</password><tenant>"),
    xml(VALUES | {"password": SENTINEL * 20}),
    xml(VALUES | {"name": ""}),
    xml(VALUES | {"other": "x"}),
    xml(VALUES),  # taken
]


def requests_of(format_: str) -> Iterator[str]:
    """Yield bodies that are refused, each with the sentinel in it; the last one is not well-formed."""
    bodies = XML_BODIES if format_ == "xml" else [json.dumps(body) for body in JSON_BODIES]
    yield from bodies
    yield bodies[-1][:-3]
    yield bodies[-1].replace("operators", "operators\x00")


@pytest.mark.parametrize("format_", ["json", "xml"])
def test_the_api_never_gives_it_away(
    logs: tuple[io.StringIO, Said],
    raised: list[BaseException],
    mordor: RegisteredCloud,
    operator: Mapping[str, str],
    settings: Settings,
    format_: str,
) -> None:
    answers: list[Any] = []
    headers = {**operator, "Accept": f"application/{format_}"}

    def ask(method: str, path: str, body: str = "") -> int:
        content_type = f"application/{format_}" if body else ""
        answers.append(APIClient().generic(method, path, body, content_type, headers=headers))
        return int(answers[-1].status_code)

    registration = xml(VALUES) if format_ == "xml" else json.dumps({"infrastructure": VALUES})
    assert ask("POST", URL, registration) == 201
    assert Infrastructure.objects.get().get_password() == SENTINEL
    assert {ask("POST", URL, body) for body in requests_of(format_)} == {400, 409}
    assert ask("POST", f"{URL}?password={quote(SENTINEL)}", "") in (400, 415)
    answers.pop()  # whose access line holds no query: see the logs
    assert ask("GET", "/v1/flavors") == 200
    assert ask("GET", "/v1/flavors/42") == 200
    assert mordor.authentications == 1
    for status in (400, 401, 403, 404, 409, 500):
        mordor.failing["GET /flavors/detail"] = status
        assert ask("GET", "/v1/flavors") == 502
    mordor.failing.clear()
    mordor.password = "changed"
    keystone.forget_session("Mordor")
    assert ask("GET", "/v1/flavors") == 502
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert ask("GET", "/v1/flavors") == 409
    assert ask("DELETE", f"{URL}/Mordor") == 204
    assert ask("DELETE", f"{URL}/Mordor") == 404

    assert [found for answer in answers if (found := found_in(f"{answer.headers} {answer.text}"))] == []
    printed, said = logs
    assert "DEBUG" in printed.getvalue()
    assert {"infrastructures.openstack.translation", "keystoneauth.session", "flavorsync.access"} <= said.loggers
    assert (found_in(printed.getvalue()), found_in(str(said))) == ([], [])
    assert [text for error in raised for text in everything_of(error) if found_in(text)] == []


def test_the_admin_site_never_gives_it_away(logs: tuple[io.StringIO, Said], admin_client: Client) -> None:
    stored = a_registered("Mordor", password=SENTINEL)
    stored.save()
    add = reverse("admin:infrastructures_infrastructure_add")
    change, history, delete = (
        reverse(f"admin:infrastructures_infrastructure_{page}", args=[stored.pk])
        for page in ("change", "history", "delete")
    )
    wrong = VALUES | {"name": "", "user_domain": "Default", "project_domain": "Default"}
    right = wrong | {"name": "Mordor"}
    answers = [
        admin_client.post(add, wrong),
        admin_client.post(add, right),
        admin_client.post(change, wrong),
        admin_client.post(change, right | {"clear_password": "on"}),
        admin_client.post(change, right, follow=True),
        *(admin_client.get(url) for url in (change, history, delete, change.replace("/change/", "/"))),
        admin_client.get(reverse("admin:infrastructures_infrastructure_changelist"), {"q": SENTINEL}, follow=True),
    ]
    found = [found_in(answer.text) for answer in answers if answer.status_code == 200]
    # What was searched for stands in the search field, and nothing else.
    assert found.pop() == found_in(escape(SENTINEL, {'"': "&quot;"}))
    assert [shapes for shapes in found if shapes] == []
    assert len(found) >= 8
    assert (found_in(logs[0].getvalue()), found_in(str(logs[1]))) == ([], [])


WITH_CREDENTIALS = ["--username", "us", "--tenant", "ours", "--keystone-url", "https://keystone.example.org"]
COMMANDS: dict[str, list[list[str]]] = {
    "check_catalogue": [["--scs"], ["--scs", "--json"]],
    "check_infrastructures": [[], ["--json"], ["Mordor"], ["x"]],
    "create_operator": [["a"], ["a", "--json"], ["operator"], ["a b"], ["b", "--infrastructure", "x"]],
    "dump_catalogue": [[]],
    "import_flavors": [["--from", "Mordor"], ["--from", "x"], ["42", "--from", "Mordor", "--dry-run", "--json"]],
    "import_legacy_database": [[], ["--json"], ["--database", f"other://us:{quote(SENTINEL, safe='')}@host/x"]],
    "install_flavor": [
        ["42", "--node", "Mordor"],
        ["42", "--everywhere", "--dry-run"],
        ["42", "--everywhere", "--json"],
    ],
    "list_flavors": [[], ["--live"], ["--live", "--json"]],
    "list_infrastructures": [[], ["--json"]],
    "load_catalogue": [["none"], ["-"]],
    "promote_flavor": [["42"], ["42", "--json"]],
    "retire_flavor": [["42"], ["42", "--json"]],
    "list_subscribers": [[], ["--test", "--json"]],
    "publish_flavor": [["42", "--node", "Mordor"], ["42", "--node", "Mordor", "--json"]],
    "register_infrastructure": [
        *(["Mordor"], ["New"], ["a/b"]),
        *([name, *WITH_CREDENTIALS] for name in ("Mordor", "Other", "Other", "a/b")),
        *([name, *WITH_CREDENTIALS, "--json", "--password-file", "-"] for name in ("Other", "Third")),
    ],
    "rotate_encryption_keys": [[]],
    "set_subscriber": [["chat", "--url", "-"], ["chat", "--url", "https://x?" + SENTINEL], ["chat", "--remove"]],
    "settle_replacements": [[], ["--json"], ["--node", "Mordor", "--dry-run"], ["--node", "Mordor"], ["--node", "x"]],
    "forget_infrastructure": [["Mordor", "--dry-run"], ["Mordor"], ["x"]],
    "unregister_infrastructure": [["Mordor"], ["x"]],
}
LOOKED_AT_ELSEWHERE = {
    "check_identity",  # is given a token of somebody's, and asks no cloud
    "prepare",  # makes the database, before there is any password
    # These use database connections of their own: synchronisation/tests/test_synchronisation_secrecy.py
    "run_scheduler",
    "run_web",  # becomes gunicorn: deploy/tests/
    "run_worker",
    "serve",  # starts the others: scripts/tests/test_serve.py
    "sync_flavors",
}


def commands_of_ours() -> set[str]:
    ours = {
        "flavorsync_project",
        "identity",
        "infrastructures",
        "flavors",
        "synchronisation",
        "synchronisation.telling",
        "regions",
    }
    return {name for name, app in get_commands().items() if app in ours}


def run(*arguments: str) -> str:
    """Return what a command prints, and what it fails with."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except CommandError as error:
        err.writelines(everything_of(error))
    return out.getvalue() + err.getvalue()


def test_every_command_is_looked_at() -> None:
    assert commands_of_ours() == set(COMMANDS) | LOOKED_AT_ELSEWHERE


@pytest.mark.parametrize("keys", ["known", "lost"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_gives_it_away(
    logs: tuple[io.StringIO, Said],
    mordor: RegisteredCloud,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    keys: str,
) -> None:
    monkeypatch.setenv("OS_TOKEN", "a-token-that-nobody-knows")
    for variable in ("OS_PASSWORD", "OPERATOR_PASSWORD"):
        monkeypatch.setenv(variable, SENTINEL)
    monkeypatch.setenv("LEGACY_DATABASE_URL", f"mysql://us:{quote(SENTINEL, safe='')}@127.0.0.1:1/x")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SENTINEL.encode())))
    make_account()
    make_replacement(infrastructure=make_registered("Mordor", password=SENTINEL))
    if keys == "lost":
        settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    printed = "".join(run(command, *arguments) for arguments in COMMANDS[command])
    assert printed
    assert (found_in(printed), found_in(logs[0].getvalue()), found_in(str(logs[1]))) == ([], [], [])


@pytest.mark.parametrize("format_", ["json", "xml", "jsonl"])
def test_a_dump_has_it_encrypted_alone(format_: str) -> None:
    make_registered("Mordor", password=SENTINEL)
    dumped = run("dumpdata", "--format", format_)
    assert "mordor-operator" in dumped
    assert found_in(dumped) == []


def test_nothing_that_holds_it_shows_it(mordor: RegisteredCloud) -> None:
    infrastructure = make_registered("Mordor", password=SENTINEL)
    credentials, nova = credentials_of(infrastructure), open_nova(infrastructure)
    plugin, session = keystone.session_of(credentials)
    outcomes = in_each_cloud([infrastructure], lambda nova: nova.list_flavors())
    assert credentials.password == SENTINEL
    for thing in (infrastructure, credentials, nova, plugin, session, outcomes, nova.list_flavors()):
        assert found_in(f"{thing!r} {thing}") == []


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 401, "json": {"error": {"message": SENTINEL}}},
        {"status_code": 400, "json": {"error": {"message": SENTINEL}}},
        {"status_code": 500, "text": SENTINEL},
        {"status_code": 201, "json": {"auth": SENTINEL}},
        {"status_code": 201, "text": f"<html>{SENTINEL}</html>"},
        {"exc": requests.exceptions.ConnectionError},
        {"exc": requests.exceptions.ReadTimeout},
        {"exc": requests.exceptions.SSLError},
    ],
    ids=["401", "400", "500", "another document", "a page", "refused", "silent", "TLS"],
)
def test_a_keystone_that_repeats_it_is_not_repeated(logs: tuple[io.StringIO, Said], answer: dict[str, Any]) -> None:
    """What Keystone says of itself in an error's cause is its own; our message and our log do not hold it."""
    with Federation() as federation:
        federation.http.register_uri("POST", f"{VALUES['keystone_url']}/auth/tokens", **answer)
        (outcome,) = in_each_cloud([a_registered("Mordor", password=SENTINEL)], lambda nova: nova.list_flavors())
    assert outcome.error is not None
    assert outcome.error.status_code == 502
    assert found_in(f"{outcome.error} {outcome.error!r} {outcome.error.detail} {outcome!r}") == []
    assert (found_in(logs[0].getvalue()), found_in(str(logs[1]))) == ([], [])


# On a real socket


class _Cloud(BaseHTTPRequestHandler):
    """A Keystone and a Nova in one, on a port of this machine; only the sentinel opens it."""

    received: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(body)
        known = json.loads(body)["auth"]["identity"]["password"]["user"]["password"] == SENTINEL
        document: Any = token_document(endpoints={"Mordor": f"http://{self.headers['Host']}/v2.1"})
        self._answer(201 if known else 401, document if known else {"error": {"message": body.decode()}})

    def do_GET(self) -> None:
        self._answer(200, {"flavors": []} if "flavors" in self.path else version_document("2.96"))

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Subject-Token", "token"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the library's own name
        """Print nothing."""


@pytest.fixture
def on_a_socket() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a cloud on a real socket, and what its Keystone has received."""
    received: list[bytes] = []
    sessions._pool.cache_clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Cloud", (_Cloud,), {"received": received})) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()
    sessions._pool().close()
    keystone._sessions.clear()


def work(password: str, url: str) -> list[Any]:
    """Return the outcome of listing the flavors of the cloud at *url*."""
    infrastructure = a_registered("Mordor", password=password, keystone_url=f"{url}/v3")
    return list(in_each_cloud([infrastructure], lambda nova: nova.list_flavors()))


@pytest.mark.parametrize("password", [SENTINEL, f"{SENTINEL} but wrong"])
def test_it_is_in_no_log_of_a_real_connection(
    logs: tuple[io.StringIO, Said], on_a_socket: tuple[str, list[bytes]], password: str
) -> None:
    url, received = on_a_socket
    (outcome,) = work(password, url)
    assert json.loads(received[0])["auth"]["identity"]["password"]["user"]["password"] == password
    assert (outcome.result == [], isinstance(outcome.error, CredentialsRefused)) in ((True, False), (False, True))
    assert (outcome.result == []) is (password == SENTINEL)
    assert "urllib3.connectionpool" in logs[1].loggers
    assert "POST /v3/auth/tokens" in logs[0].getvalue()
    assert (found_in(logs[0].getvalue()), found_in(str(logs[1]))) == ([], [])


def test_this_file_would_find_it(logs: tuple[io.StringIO, Said]) -> None:
    for text in (f"before {SENTINEL} after", json.dumps({"password": SENTINEL}), quote(SENTINEL), str([NUMBER])):
        assert found_in(text)
    assert not found_in("nothing")
    for name in ("keystoneauth.session", "novaclient", "urllib3.connectionpool", "infrastructures.registration", "new"):
        before = logs[0].tell()
        logging.getLogger(name).debug("a body: %r", SENTINEL)
        assert found_in(logs[0].getvalue()[before:])
        assert found_in(logs[1].lines.pop())
