"""Signing in with the FIWARE IdM: OAuth2's authorization code, with PKCE and state, and OpenID Connect if offered.

Authlib implements the protocol (docs/decisions/0007-authlib.md). It yields an access token, which is validated like the
API's tokens: the protocol does not establish that it is for our application, nor whose it is.

Source: RFC 6749, RFC 7009, RFC 7636, OpenID Connect Discovery 1.0; Keyrock's "OAuth 2.0" and "OpenID Connect" pages.
"""

import logging
from typing import Any

from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.django_client import DjangoOAuth2App, OAuth
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError
from rest_framework.exceptions import AuthenticationFailed

from flavorsync_project.http_client import BoundedSession
from flavorsync_project.telemetry.request_id import note_secret
from identity.keyrock import Keyrock

logger = logging.getLogger(__name__)

# How far two unsynchronised clocks may differ. Authlib's default is 120 seconds.
SECONDS_OF_SKEW = 300
CLIENT_AUTHENTICATION = "client_secret_basic"
HINT = {"token_type_hint": "access_token"}
# What no response, or one of another shape, raises: requests' own errors are OSErrors, and Authlib reads responses
# without checking their shape.
STRANGE = (OSError, ValueError, AttributeError, LookupError, TypeError, RuntimeError)


class _Session(BoundedSession, OAuth2Session):  # type: ignore[misc]  # it has no types
    """Authlib's session, with the bounds of our own."""


class _App(DjangoOAuth2App):  # type: ignore[misc]  # it has no types
    client_cls = _Session


def is_configured() -> bool:
    """Say whether people may sign in with the IdM: whether its URL and our application's id and secret are set."""
    return bool(settings.KEYROCK_URL and settings.KEYROCK_APP_IDS and settings.KEYROCK_CLIENT_SECRET)


def redirect_to_idm(request: HttpRequest, *, back: str) -> HttpResponse:
    """Redirect the visitor to the IdM, which redirects them to *back*; the session remembers the state.

    Raises: ServiceUnavailable when OpenID Connect discovery fails.

    Cost: none; with OpenID Connect one upstream call.
    """
    try:
        note_secret(verifier := generate_token(48))  # Authlib logs it at level DEBUG
        answer: HttpResponse = _client().authorize_redirect(request, back, code_verifier=verifier)
    except STRANGE as error:
        reason = type(error).__name__
    else:
        return answer
    raise Keyrock().unavailable(f"{reason} at its discovery")


def token_of(request: HttpRequest) -> str:
    """Exchange the code in the IdM's redirect for an access token.

    Raises: AuthenticationFailed for a wrong or missing state, an invalid code, and an id token that is not for us;
    ServiceUnavailable when the IdM does not answer, or not as it should.

    Cost: one upstream call; with OpenID Connect up to three.
    """
    try:
        document: dict[str, Any] = _client().authorize_access_token(request, leeway=SECONDS_OF_SKEW)
        token = document.get("access_token")
        is_whole = "id_token" in document or not settings.KEYROCK_OIDC_DISCOVERY_URL
    except (OAuthError, JoseError) as error:
        # Log no message: it may be text that the visitor put into the URL's query.
        logger.info("The sign-in with the IdM was refused: %s", type(error).__name__)
        raise AuthenticationFailed("The sign-in with the IdM did not succeed. Try again.") from None
    except STRANGE as error:
        reason = type(error).__name__
    else:
        if isinstance(token, str) and token and is_whole:
            note_secret(token)
            return token
        reason = "a token is missing in the answer"
    raise Keyrock().unavailable(f"{reason} at the exchange of a code")


def revoke(token: str, *, seconds: float) -> None:
    """Revoke an access token (RFC 7009) if the IdM names an endpoint for it, waiting at most *seconds*.

    Raises: ServiceUnavailable when it does not answer, or not as it should.

    Cost: two upstream calls with OpenID Connect; none without, since plain OAuth2 does not name the endpoint.
    """
    if not (settings.KEYROCK_OIDC_DISCOVERY_URL and is_configured()):
        return
    quarter = seconds / 4  # two requests, each of which waits to connect and then to read
    try:
        if where := _client(quarter).load_server_metadata().get("revocation_endpoint"):
            _session(quarter).revoke_token(where, token=token, **HINT).raise_for_status()
    except (*STRANGE, OAuthError) as error:
        reason = type(error).__name__
    else:
        return
    raise Keyrock().unavailable(f"{reason} at a sign-out")


def _session(seconds: float) -> Any:
    return _Session(
        settings.KEYROCK_APP_IDS[0],
        settings.KEYROCK_CLIENT_SECRET,
        revocation_endpoint_auth_method=CLIENT_AUTHENTICATION,
        default_timeout=seconds,
    )


def _client(seconds: float | None = None) -> Any:
    """Return Authlib's client of the IdM, from the current settings."""
    url = settings.KEYROCK_URL.rstrip("/")
    discovery = settings.KEYROCK_OIDC_DISCOVERY_URL
    where = (
        {"server_metadata_url": discovery}
        if discovery
        else {"authorize_url": f"{url}/oauth2/authorize", "access_token_url": f"{url}/oauth2/token"}
    )
    scope = {"scope": "openid"} if discovery else {}
    return OAuth().register(
        "keyrock",
        client_cls=_App,
        client_id=settings.KEYROCK_APP_IDS[0],
        client_secret=settings.KEYROCK_CLIENT_SECRET,
        client_kwargs={
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": CLIENT_AUTHENTICATION,
            "default_timeout": seconds or settings.OPENSTACK_TIMEOUT,
            **scope,
        },
        **where,
    )
