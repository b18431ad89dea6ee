"""Secrets with which receivers verify our webhooks. Source: standardwebhooks.com, "Signature scheme"."""

import secrets
from base64 import b64encode

_PREFIX = "whsec_"
_BYTES = 24


def new_secret() -> str:
    """Return a new secret, in the format of the Standard Webhooks libraries."""
    return _PREFIX + b64encode(secrets.token_bytes(_BYTES)).decode("ascii")
