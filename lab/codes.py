"""The lab IdM's authorization codes: RFC 6749 with PKCE (RFC 7636), for one application."""

import hashlib
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from urllib.parse import urlencode

from lab import seed

_given: dict[str, tuple[str, Mapping[str, str]]] = {}
_lock = Lock()


def way_back(asked: Mapping[str, str], user: str) -> str:
    """Return the URL that sends this user back, with a new code."""
    code = secrets.token_hex(16)
    with _lock:
        _given[code] = (user, asked)
    return f"{asked.get('redirect_uri', '')}?{urlencode({'code': code, 'state': asked.get('state', '')})}"


def exchange(sent: Mapping[str, str], authorization: str) -> tuple[HTTPStatus, Mapping[str, object]]:
    """Return the answer to a request with a code, which works once."""
    credentials = b64encode(f"{seed.IDM_APPLICATION}:{seed.IDM_CLIENT_SECRET}".encode()).decode()
    if authorization != f"Basic {credentials}":
        return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
    with _lock:
        user, asked = _given.pop(sent.get("code", ""), ("", {}))
    is_right = user and sent.get("redirect_uri") == asked.get("redirect_uri") and _verifies(sent, asked)
    if sent.get("grant_type") != "authorization_code" or not is_right:
        return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
    return HTTPStatus.OK, {"access_token": seed.idm_token(user), "token_type": "bearer", "expires_in": 3599}


def _verifies(sent: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=") == asked.get("code_challenge")
