"""Secrets at rest: encrypted with the first of FIELD_ENCRYPTION_KEYS, readable with any of them.

Source: cryptography's MultiFernet; the keys are Fernet's, 32 bytes in URL-safe base64.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Undecryptable(Exception):
    """None of the keys decrypts it: the one that encrypted it is gone."""


def encrypt(secret: str) -> str:
    """Return *secret* encrypted, ready to be stored."""
    return _fernet().encrypt(secret.encode()).decode("ascii")


def decrypt(stored: str) -> str:
    """Return the secret that was stored.

    Raises:
        Undecryptable: none of the keys decrypts it.
    """
    fernet = _fernet()
    try:
        return fernet.decrypt(stored).decode()
    except (InvalidToken, ValueError):
        raise Undecryptable from None


def rotate(stored: str) -> str:
    """Return the same secret, encrypted with the first key.

    Raises:
        Undecryptable: none of the keys decrypts it.
    """
    fernet = _fernet()
    try:
        return fernet.rotate(stored.encode("ascii")).decode("ascii")
    except (InvalidToken, ValueError):
        raise Undecryptable from None


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
