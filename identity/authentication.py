"""Authentication by an identity provider's token, by local account, or by both in one request.

Every credential in a request is verified, and an invalid one is refused even when another is valid
or none is needed. `X-Auth-Token-KeyStone` is not a credential here: it proves nothing to this
service, and is read only by the code that passes it on.
"""

from base64 import b64decode
from collections.abc import Iterator

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.request import Request

from flavorsync_project.telemetry.request_id import note_user
from identity import accounts, tokens
from identity.keystone import Keystone
from identity.models import User
from identity.principals import TokenUser
from identity.throttling import client_address


class TokenAuthentication(BaseAuthentication):
    """Authentication by a token of the FIWARE IdM (OAuth2, RFC 6750) or of the central Keystone.

    The token is in `X-Auth-Token`, in `Authorization: Bearer` or in the query parameter `access_token`.
    """

    def authenticate(self, request: Request) -> tuple[TokenUser, str | None] | None:
        """Return the token's user, and the token itself if clouds accept it, too; None without a token.

        Costs as `tokens.validate`.

        Raises: ParseError for two different tokens; AuthenticationFailed for an invalid one; Throttled
        after too many invalid ones; ServiceUnavailable when the identity provider did not answer.
        """
        presented = set(_tokens(request))
        if len(presented) > 1:
            raise ParseError("The request carries two different tokens. Send one.")
        if not presented:
            return None
        token = presented.pop()
        user = tokens.validate(token, address=client_address(request))
        return user, token if user.provider == Keystone.name else None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of RFC 6750."""
        return 'Bearer realm="Flavor Sync"'


class LocalAccountAuthentication(BaseAuthentication):
    """Authentication of a local account by HTTP Basic (RFC 7617) or by the headers `user` and `password`."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Return the account, or None when the request names none. Costs as `accounts.sign_in`.

        Raises: AuthenticationFailed for wrong or malformed credentials; Throttled after too many failures;
        ParseError for two different accounts.
        """
        address = client_address(request)
        presented = (*_basic(request), *_header_pair(request))
        users = [accounts.sign_in(username=name, password=word, address=address) for name, word in presented]
        if len({user.pk for user in users}) > 1:
            raise ParseError("The request names two different accounts. Send one.")
        return (users[0], None) if users else None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of RFC 7617."""
        return 'Basic realm="Flavor Sync", charset="UTF-8"'


class FlavorSyncAuthentication(BaseAuthentication):
    """Authentication by token and by local account; with both, the token's user is the caller."""

    parts = (TokenAuthentication(), LocalAccountAuthentication())

    def authenticate(self, request: Request) -> tuple[TokenUser | User, str | None] | None:
        """Return the caller, with the token if clouds accept it, too; None for an anonymous caller.

        Every credential is verified.

        Raises: what the two parts raise.
        """
        callers = [caller for part in self.parts if (caller := part.authenticate(request))]
        if not callers:
            return None
        note_user(str(callers[0][0]))
        return callers[0]

    def authenticate_header(self, request: Request) -> str:
        """Return both challenges."""
        return ", ".join(part.authenticate_header(request) for part in self.parts)


def _tokens(request: Request) -> Iterator[str]:
    """Yield every token in the request, even an empty one."""
    if (header := request.META.get("HTTP_X_AUTH_TOKEN")) is not None:
        yield from _values(header)
    scheme, credentials = _authorization(request)
    if scheme == "bearer":
        for value in _values(credentials):
            yield value[7:].lstrip() if value[:7].lower() == "bearer " else value
    yield from request.query_params.getlist("access_token")


def _values(header: str) -> list[str]:
    """Return the values of a header that may have been sent more than once.

    Servers join repeated headers with commas (RFC 9110, 5.3), and no token contains one (RFC 6750, 2.1).
    """
    return [_text(value.strip()) for value in header.split(",")]


def _authorization(request: Request) -> tuple[str, str]:
    """Return the scheme, in lower case, and the rest of the header `Authorization`."""
    scheme, *credentials = request.META.get("HTTP_AUTHORIZATION", "").split(None, 1) or [""]
    return scheme.lower(), "".join(credentials).strip()


def _basic(request: Request) -> Iterator[tuple[str, str]]:
    scheme, credentials = _authorization(request)
    if scheme != "basic":
        return
    try:
        username, separator, password = b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except ValueError:
        raise AuthenticationFailed("The Basic credentials are not base64 of UTF-8 text.") from None
    if not separator:
        raise AuthenticationFailed("The Basic credentials have no colon between user name and password.")
    yield username, password


def _header_pair(request: Request) -> Iterator[tuple[str, str]]:
    username, password = request.META.get("HTTP_USER"), request.META.get("HTTP_PASSWORD")
    if username is None and password is None:
        return
    if username is None or password is None:
        raise AuthenticationFailed("The headers user and password go together; one is missing.")
    yield _text(username), _text(password)


def _text(value: str) -> str:
    """Decode a header as UTF-8, which clients mean; WSGI passes its bytes as Latin-1 (PEP 3333)."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
