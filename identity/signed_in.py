"""Sessions of users who sign in to the pages with an identity provider: valid only while the tokens in them are.

The tokens are validated like the API's: a user who loses their rights is signed out after `KEYROCK_CACHE_SECONDS` or
`KEYSTONE_CACHE_SECONDS` of use. The session holds the tokens encrypted, as the clouds' passwords are.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.hashers import make_password
from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied

from flavorsync_project.encryption import Undecryptable, decrypt, encrypt
from flavorsync_project.telemetry.request_id import note_secret
from identity import keystone_sign_in, oauth, tokens
from identity.documents import is_unicode
from identity.keyrock import Keyrock
from identity.keystone import Keystone
from identity.models import SignedIn, User
from identity.principals import TokenUser
from identity.throttling import client_address

BACKEND = "identity.backends.ProviderBackend"
KEY = "identity.tokens"
MAX_USERNAME_LENGTH = 150
SECONDS_TO_REVOKE = 3
REVOKE: dict[str, Callable[..., None]] = {Keyrock.name: oauth.revoke, Keystone.name: keystone_sign_in.revoke}
"""What revokes a token, by provider."""


def begin(request: HttpRequest, *, presented: Sequence[str]) -> SignedIn:
    """Begin a session for the bearer of these tokens, all of one person; end any other session.

    Raises: AuthenticationFailed, Throttled, ServiceUnavailable as `tokens.validate`; PermissionDenied when the bearer
    has no role here, or their row is inactive.

    Cost: as `tokens.validate` for each token, and some six queries.
    """
    bearer = _bearer(presented, client_address(request))
    if not bearer.roles:
        raise PermissionDenied(f"You are {bearer}, and have no role here that opens these pages.")
    user = _row_of(bearer)
    if not user.is_active:
        raise PermissionDenied(f"{bearer} may not sign in here.")
    login(request, user, backend=BACKEND)  # also gives the session a new key
    request.session[KEY] = _sealed(presented)
    if bearer.expires_at:
        left = int((bearer.expires_at - timezone.now()).total_seconds())
        request.session.set_expiry(max(min(left, settings.SESSION_COOKIE_AGE), 1))
    return user


def end(request: HttpRequest) -> None:
    """End the session, and revoke its tokens as far as their provider answers in time.

    Cost: as the provider's `revoke` for each token, at most `SECONDS_TO_REVOKE` for all of them together.
    """
    user, presented = get_user(request), _unsealed(request.session.get(KEY, ""))
    request.user = user  # without validating their tokens
    logout(request)
    if isinstance(user, SignedIn):
        _revoke(presented, REVOKE[user.provider])


def _revoke(presented: Sequence[str], revoke: Callable[..., None]) -> None:
    ends_at = time.monotonic() + SECONDS_TO_REVOKE
    for token in presented:
        tokens.forget(token)
        note_secret(token)
        if (left := ends_at - time.monotonic()) > 0:
            with suppress(APIException):  # it has been logged
                revoke(token, seconds=left)


def current_user(request: HttpRequest) -> User | AnonymousUser:
    """Return the session's user with their current rights; an anonymous user if their tokens are no longer valid.

    Raises: ServiceUnavailable when the provider does not answer.

    Cost: as Django's `get_user`, and as `tokens.validate`, which costs nothing while the tokens are remembered.
    """
    user = get_user(request)
    if not isinstance(user, SignedIn):
        return user
    try:
        bearer = _bearer_again(user, request)
    except AuthenticationFailed:
        bearer = None
    if bearer is None or external_id(bearer) != user.external_id:
        request.session.flush()
        request._cached_user = AnonymousUser()  # type: ignore[attr-defined]  # Django's own; the access log reads it
        return AnonymousUser()
    user.bearer = bearer
    user.is_staff = bool(bearer.roles)
    return user


def external_id(bearer: TokenUser) -> str:
    """Return the key of the bearer's row."""
    return f"{bearer.provider}:{bearer.id}"


def _bearer_again(user: SignedIn, request: HttpRequest) -> TokenUser:
    """Return who bears the session's tokens now.

    Nobody guesses at these tokens: whatever comes of them, the address is neither throttled nor counted.
    """
    if not tokens.PROVIDERS[user.provider].is_configured():
        raise AuthenticationFailed("Nobody signs in with this provider any more.")
    return _bearer(_unsealed(request.session.get(KEY, "")), address="")


def _bearer(presented: Sequence[str], address: str) -> TokenUser:
    """Return the one person who bears all of these tokens, with the rights of each."""
    if not presented:
        raise AuthenticationFailed("There is no token.")
    users = [tokens.validate(token, address=address) for token in presented]
    if len({external_id(user) for user in users}) > 1:
        raise AuthenticationFailed("The tokens belong to different people.")
    ends = [user.expires_at for user in users if user.expires_at]
    return replace(
        users[0],
        roles=frozenset().union(*(user.roles for user in users)),
        owned_nodes=frozenset().union(*(user.owned_nodes for user in users)),
        grants=tuple(grant for user in users for grant in user.grants),
        expires_at=min(ends, default=None),
    )


def _row_of(bearer: TokenUser) -> SignedIn:
    """Return the bearer's row, to which the history refers: identified by provider and id, never by name."""
    key = external_id(bearer)
    if not is_unicode(key) or len(key) > 255:
        raise AuthenticationFailed("The provider's id of this person cannot be stored.")
    nobodys = sha256(key.encode()).hexdigest()  # until `_name` gives them a name
    values = {"username": nobodys, "password": make_password(None)}
    user, _ = SignedIn.objects.get_or_create(external_id=key, defaults=values)
    _name(user, bearer)
    return user


def _name(user: SignedIn, bearer: TokenUser) -> None:
    """Give the row the provider's name for the user, with the id added if the name is taken here.

    The database decides whether it is taken: somebody of the same name may sign in at the same moment.
    """
    for name in _names(bearer):
        user.username = name
        with suppress(IntegrityError), transaction.atomic():
            user.save(update_fields=["username"])
            return
    raise PermissionDenied(f"There is no name left to call {bearer} by.")


def _names(bearer: TokenUser) -> Iterator[str]:
    """Yield possible user names, the best first."""
    if name := str(bearer)[:MAX_USERNAME_LENGTH]:
        yield name
    suffix = f" ({bearer.provider} {bearer.id[:40]})"
    yield str(bearer)[: MAX_USERNAME_LENGTH - len(suffix)] + suffix


def _sealed(presented: Sequence[str]) -> str:
    return encrypt(json.dumps(list(presented)))


def _unsealed(sealed: str) -> list[str]:
    try:
        presented: list[str] = json.loads(decrypt(sealed))
    except (Undecryptable, ValueError):
        return []
    return presented
