"""Secrets at rest: encrypted with the first of FIELD_ENCRYPTION_KEYS, readable with any of them.

Source: cryptography's MultiFernet; the keys are Fernet's, 32 bytes in URL-safe base64.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.db.models import Model

_columns: list[tuple[type[Model], str]] = []
"""What is encrypted at rest for good, as the apps have said."""


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


def keep_encrypted(model: type[Model], column: str) -> None:
    """Have `rotate_all` encrypt a column of a model anew, too; to be called when the apps are ready."""
    _columns.append((model, column))


def rotate_all() -> int:
    """Encrypt every stored secret with the first of FIELD_ENCRYPTION_KEYS; return how many there are.

    Raises:
        Undecryptable: none of the keys decrypts one of them. Nothing was changed.

    Cost: a query for each column, and one per secret, in one transaction.
    """
    with transaction.atomic():
        return sum(_rotate_column(model, column) for model, column in _columns)


def _rotate_column(model: type[Model], column: str) -> int:
    rows = list(model._default_manager.exclude(**{column: ""}).select_for_update())
    for row in rows:
        setattr(row, column, rotate(getattr(row, column)))
        row.save(update_fields=[column])
    return len(rows)


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
