"""Validation of tokens by the identity providers, whose answers are remembered for a while.

No token is ever logged or stored: remembered answers are found by a digest.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, fields

from django.core.cache import cache
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import AuthenticationFailed, Throttled

from flavorsync_project.api.errors import ServiceUnavailable
from flavorsync_project.telemetry.redaction import RedactTokensFilter
from flavorsync_project.telemetry.request_id import note_secret
from identity.keyrock import Keyrock
from identity.keystone import Keystone
from identity.metrics import VALIDATIONS, counted
from identity.principals import TokenUser
from identity.providers import Provider, refused
from identity.throttling import TokenFailureThrottle

logger = logging.getLogger(__name__)

# Keyrock's tokens have 40 characters and Keystone's some 200; a JSON Web Token has some thousand.
MAX_TOKEN_CHARACTERS = 8_000

LOGGERS_OF_SECRETS = (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.util.retry",
    "authlib.integrations.base_client.sync_app",
)

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in (Keyrock(), Keystone())}


def validate(token: str, *, address: str = "") -> TokenUser:
    """Return the bearer of a token that was sent from *address*, "" if unknown.

    Refusals are counted for the address, but not remembered: while its database is down, Keyrock refuses valid tokens.

    Raises: as `ask`; Throttled, without asking, after too many refusals. A remembered token is accepted even then.

    Cost: no upstream call for a remembered token (`Provider.seconds_to_remember`, at most until it expires); else as
    `ask`.
    """
    _require_form(token)
    key = _cache_key(token)
    if remembered := cache.get(key):
        user = TokenUser(**remembered)
        VALIDATIONS.labels(user.provider, "remembered").inc()
        return user
    user = _ask_unless_too_many(token, address)
    cache.set(key, asdict(user), _seconds_to_remember(user))
    return user


def ask(token: str) -> TokenUser:
    """Ask the providers who bears the token, ignoring what is remembered.

    The provider that the token's form suggests is asked first, then the others until one accepts it.

    Raises: AuthenticationFailed when no provider accepts the token; ServiceUnavailable when none does, and one did not
    answer, or not as it should.

    Cost: one upstream call for each provider asked, two when a reused connection turns out to be broken.
    """
    _require_form(token)
    note_secret(token)
    errors: list[AuthenticationFailed | ServiceUnavailable] = []
    for provider in _in_order(token):
        try:
            with counted(provider.name):
                return provider.identify(token)
        except (AuthenticationFailed, ServiceUnavailable) as error:
            errors.append(error)
    raise next((error for error in errors if isinstance(error, ServiceUnavailable)), errors[0])


def forget(token: str) -> None:
    """Forget a token, so that its next use asks the providers."""
    cache.delete(_cache_key(token))


def hide_tokens_in_logs() -> None:
    """Redact what urllib3 and Authlib log, whatever handlers a deployment may have."""
    for name in LOGGERS_OF_SECRETS:
        logging.getLogger(name).addFilter(RedactTokensFilter())


def _ask_unless_too_many(token: str, address: str) -> TokenUser:
    throttle = TokenFailureThrottle(address)
    try:
        throttle.check()
        return ask(token)
    except Throttled:
        VALIDATIONS.labels(_in_order(token)[0].name, "throttled").inc()
        raise
    except AuthenticationFailed:
        throttle.record_failure()
        raise


def _require_form(token: str) -> None:
    if not token or len(token) > MAX_TOKEN_CHARACTERS:
        raise refused()


def _in_order(token: str) -> Sequence[Provider]:
    """Return the configured providers, first the one that the token's form suggests."""
    configured = [provider for provider in PROVIDERS.values() if provider.is_configured()]
    if not configured:
        logger.error("Neither KEYROCK_URL nor KEYSTONE_IDENTITY is set: no token can be checked")
        raise ServiceUnavailable(
            "This service has no identity provider configured (KEYROCK_URL, KEYSTONE_IDENTITY): it cannot check tokens."
        )
    return sorted(configured, key=lambda provider: not provider.recognises(token))


def _seconds_to_remember(user: TokenUser) -> float:
    seconds = PROVIDERS[user.provider].seconds_to_remember()
    if user.expires_at is None:
        return seconds
    return min(seconds, (user.expires_at - timezone.now()).total_seconds())


def _cache_key(token: str) -> str:
    """Return a digest of the token, the configuration, and the fields of `TokenUser`, which releases may change."""
    configuration = "\n\n".join(provider.configuration() for provider in PROVIDERS.values() if provider.is_configured())
    form = ",".join(field.name for field in fields(TokenUser))
    digest = salted_hmac(f"identity.tokens\n{form}\n{configuration}", token, algorithm="sha256").hexdigest()
    return f"identity.tokens.{digest}"
