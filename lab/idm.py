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

from lab import codes, people, seed
from lab.access_log import AccessLog

_EXPIRED = (HTTPStatus.UNAUTHORIZED, "Invalid token: access token has expired")
_UNKNOWN = (HTTPStatus.UNAUTHORIZED, "Invalid token: access token is invalid")
_NO_TOKEN = (HTTPStatus.UNAUTHORIZED, "Unauthorized request: no authentication given")


def _about(token: str) -> tuple[HTTPStatus, object]:
    if token == seed.idm_token("expired"):
        return _EXPIRED
    known = {seed.idm_token(name): person for name, person in people.known().items()}
    return (HTTPStatus.OK, known[token]) if token in known else _UNKNOWN


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
        buttons = "".join(
            f'<button name="user" value="{name}">{name}</button>' for name in people.known() if name != "machine"
        )
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
        status, body = _about(tokens[0]) if tokens else _NO_TOKEN
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
