"""Signing in with the lab's IdM, as a service does: the authorization code with PKCE."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest

from lab import codes, seed

VERIFIER = "a-verifier-of-the-tests-that-is-long-enough-0123456789"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {"redirect_uri": "http://127.0.0.1:5000/back", "state": "s", "code_challenge": CHALLENGE}
BASIC = f"Basic {b64encode(f'{seed.IDM_APPLICATION}:{seed.IDM_CLIENT_SECRET}'.encode()).decode()}"


def presented() -> dict[str, str]:
    """Return the form data that asks for a token, with a new code for the manager."""
    query = parse_qs(urlsplit(codes.way_back(ASKED, "manager")).query)
    assert query["state"] == ["s"]
    return {
        "grant_type": "authorization_code",
        "code": query["code"][0],
        "redirect_uri": ASKED["redirect_uri"],
        "code_verifier": VERIFIER,
    }


def test_a_code_is_a_token_once() -> None:
    sent = presented()
    status, body = codes.exchange(sent, BASIC)
    assert (status, body["access_token"]) == (HTTPStatus.OK, seed.idm_token("manager"))
    assert codes.exchange(sent, BASIC) == (HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"})


@pytest.mark.parametrize("member", ["grant_type", "code", "redirect_uri", "code_verifier"])
def test_nothing_may_be_wrong(member: str) -> None:
    assert codes.exchange(presented() | {member: "wrong"}, BASIC)[0] == HTTPStatus.BAD_REQUEST


def test_who_is_not_the_application_gets_none() -> None:
    assert codes.exchange(presented(), "Basic d3Jvbmc6d3Jvbmc=")[0] == HTTPStatus.UNAUTHORIZED
