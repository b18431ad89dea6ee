"""The secrets by which receivers know that it is we who tell them. Source: standardwebhooks.com, "Signature scheme"."""

import secrets
from base64 import b64encode

_PREFIX = "whsec_"
_BYTES = 24


def new_secret() -> str:
    """Return a new secret, as libraries for Standard Webhooks take it."""
    return _PREFIX + b64encode(secrets.token_bytes(_BYTES)).decode("ascii")
