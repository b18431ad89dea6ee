"""An IdM that speaks OpenID Connect, as the tests tell it to, and the way of a visitor to it and back."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests_mock
from django.test import Client
from joserfc import jwt
from joserfc.jwk import RSAKey
from pytest_django import Settings

from testing.accounts import APP_ID, KEYROCK_URL, make_answer, make_role

ISSUER = KEYROCK_URL
DISCOVERY = f"{KEYROCK_URL}/.well-known/openid-configuration"
METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{KEYROCK_URL}/somewhere/authorize",
    "token_endpoint": f"{KEYROCK_URL}/somewhere/token",
    "jwks_uri": f"{KEYROCK_URL}/somewhere/keys",
    "id_token_signing_alg_values_supported": ["RS256"],
}
KEY, ANOTHER_KEY = RSAKey.generate_key(2048, {"kid": "1"}), RSAKey.generate_key(2048, {"kid": "1"})
KEYS = {"keys": [KEY.as_dict(private=False)]}
MINUTE = 60
SECRET, CODE, ACCESS_TOKEN = "sesame-of-the-application", "the-code", "the-access-token"
BACK = "/sign-in/keyrock/back"


def openid(http: requests_mock.Mocker, settings: Settings, **metadata: str) -> None:
    """Have the IdM speak OpenID Connect, and say of any token that it is a manager's."""
    settings.ROOT_URLCONF = "flavorsync_project.urls"
    settings.KEYROCK_CLIENT_SECRET = SECRET
    settings.KEYROCK_OIDC_DISCOVERY_URL = DISCOVERY
    http.get(DISCOVERY, json=METADATA | metadata)
    http.get(METADATA["jwks_uri"], json=KEYS)
    http.get(f"{KEYROCK_URL}/user", json=make_answer(roles=[make_role("InfrastructureManager")]))


def begin(client: Client) -> dict[str, str]:
    """Go to the IdM, and return what it is told."""
    where = urlsplit(client.get("/sign-in/keyrock")["Location"])
    assert where.path == "/somewhere/authorize"
    return {name: value for name, (value,) in parse_qs(where.query).items()}


def tokens_for(asked: dict[str, str], *, key: RSAKey = KEY, age: int = 0, **claims: object) -> dict[str, str]:
    """Return what the IdM gives for a code: an id token that has these claims and that age, and an access token."""
    now = int(time.time()) - age
    whole = {"iss": ISSUER, "aud": APP_ID, "sub": "1", "iat": now, "exp": now + 60 * MINUTE, "nonce": asked["nonce"]}
    token = jwt.encode({"alg": "RS256", "kid": "1"}, whole | claims, key)
    return {"access_token": ACCESS_TOKEN, "token_type": "bearer", "id_token": token}


def back_with(client: Client, state: str) -> int:
    """Come back from the IdM, and return the answer's status; nobody is in unless it leads on."""
    status = client.get(BACK, {"code": CODE, "state": state}).status_code
    assert (client.get("/admin/").status_code == 200) == (status == 302)
    return status


def come_back(http: requests_mock.Mocker, client: Client | None = None, **token: Any) -> int:
    """Go to the IdM and come back, with such tokens as `tokens_for` makes; return the answer's status."""
    client = client or Client(raise_request_exception=False)
    asked = begin(client)
    http.post(METADATA["token_endpoint"], json=tokens_for(asked, **token))
    return back_with(client, asked["state"])
