"""A stand-in for the FIWARE IdM (Keyrock): `GET /user?access_token=TOKEN` for a few known tokens, and signing in.

Answers as Keyrock 8.3 does; `app_id` has no effect unless a permission is asked about. People sign in with an
authorization code (`lab.codes`): the page has a button for each of them instead of a form for a password.
"""

import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from lab import codes, seed
from lab.access_log import AccessLog

Json = dict[str, Any]

_MANAGER_ROLE = {"id": "0c1d2e3f-1111-4a4a-8b8b-000000000001", "name": "InfrastructureManager"}
_OWNER_ROLE = {"id": "0c1d2e3f-3333-4a4a-8b8b-000000000003", "name": "InfrastructureOwner"}
# A role with the same name, made by somebody else in their own application
_OTHER_MANAGER_ROLE = _MANAGER_ROLE | {"id": "0c1d2e3f-4444-4a4a-8b8b-000000000004"}


def _organization(node: str, number: int) -> Json:
    return {
        "id": f"0c1d2e3f-2222-4a4a-8b8b-{number:012}",
        "name": f"{node} FIDASH",
        "description": f"{node} infrastructure owners",
        "website": None,
        "roles": [_OWNER_ROLE],
    }


def _user(
    name: str,
    number: int,
    *,
    roles: tuple[Json, ...] = (),
    organizations: tuple[Json, ...] = (),
    application: str = seed.IDM_APPLICATION,
) -> Json:
    identifier = f"b6a5f0de-3c3b-4a52-9f3e-3a1b7b7a{number:04}"
    return {
        "organizations": organizations,
        "displayName": "",
        "roles": roles,
        "app_id": application,
        "trusted_apps": [],
        "isGravatarEnabled": "",
        "id": identifier,
        "authorization_decision": "",
        "app_azf_domain": "",
        "eidas_profile": {},
        "attributes": {},
        "shared_attributes": "",
        "username": name,
        "email": f"{name}@example.org",
        "given_name": name,
        "family_name": name,
        "image": "",
        "gravatar": "",
        "extra": None,
        "sub": identifier,
    }


_VALID = {
    "basic": _user("basic", 1),
    "manager": _user("manager", 2, roles=(_MANAGER_ROLE,)),
    "owner-spain2": _user("owner-spain2", 3, organizations=(_organization("Spain2", 2),)),
    "owner-mordor": _user("owner-mordor", 4, organizations=(_organization("Mordor", 3),)),
    "other-application": _user(
        "basic",
        1,
        roles=(_OTHER_MANAGER_ROLE,),
        application=seed.OTHER_IDM_APPLICATION,
    ),
    # A token of the application itself, not of a person, so there is no id
    "machine": {"app_id": seed.IDM_APPLICATION},
}
_ANSWERS: dict[str, tuple[HTTPStatus, object]] = {
    seed.idm_token(name): (HTTPStatus.OK, body) for name, body in _VALID.items()
}
_ANSWERS[seed.idm_token("expired")] = (
    HTTPStatus.UNAUTHORIZED,
    "Invalid token: access token has expired",
)
_UNKNOWN = (HTTPStatus.UNAUTHORIZED, "Invalid token: access token is invalid")
_NO_TOKEN = (HTTPStatus.UNAUTHORIZED, "Unauthorized request: no authentication given")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 5  # seconds of idleness after which Keyrock, too, closes a connection
    server: "Idm"

    def do_GET(self) -> None:
        """Answer about a token; any other path gives a page, as in Keyrock."""
        target = urlsplit(self.path)
        self.server.access_log.record("GET", target.path, self.headers.get("User-Agent", ""))
        if target.path.rstrip("/") == "/user":
            self._answer_about_token(parse_qs(target.query).get("access_token", []))
        elif target.path == "/oauth2/authorize":
            self._ask_who(dict(parse_qsl(target.query)))
        else:
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", b"<html>Identity Manager</html>")

    def do_POST(self) -> None:
        """Give a code for the chosen user, or a token for a code."""
        target = urlsplit(self.path)
        self.server.access_log.record("POST", target.path, self.headers.get("User-Agent", ""))
        sent = dict(parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()))
        if target.path == "/oauth2/authorize":
            self._send_back(dict(parse_qsl(target.query)), sent.get("user", ""))
        elif target.path == "/oauth2/token":
            status, body = codes.exchange(sent, self.headers.get("Authorization", ""))
            self._answer(status, "application/json; charset=utf-8", json.dumps(body).encode())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"")

    def _ask_who(self, asked: dict[str, str]) -> None:
        if asked.get("client_id") != seed.IDM_APPLICATION or asked.get("response_type") != "code":
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", b"Invalid client_id or response_type")
            return
        buttons = "".join(f'<button name="user" value="{name}">{name}</button>' for name in _VALID if name != "machine")
        page = f'<!DOCTYPE html><title>Identity Manager</title><form method="post">{buttons}</form>'
        self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page.encode())

    def _send_back(self, asked: dict[str, str], user: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", codes.way_back(asked, user))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name in the base class)
        """Print nothing: the line would hold the token."""

    def _answer_about_token(self, tokens: list[str]) -> None:
        status, body = _ANSWERS.get(tokens[0], _UNKNOWN) if tokens else _NO_TOKEN
        self._answer(status, "application/json; charset=utf-8", json.dumps(body).encode())

    def _answer(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Idm(ThreadingHTTPServer):
    """The server, at a port of this machine; 0 for any free one."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, port: int, access_log: Path) -> None:
        self.access_log = AccessLog(access_log)
        super().__init__(("127.0.0.1", port), _Handler)


def main() -> None:
    """Serve on the port and log to the file that the environment names, until ended."""
    Idm(int(os.environ["FLAVORSYNC_LAB_PORT"]), Path(os.environ["FLAVORSYNC_LAB_ACCESS_LOG"])).serve_forever()


if __name__ == "__main__":
    main()
