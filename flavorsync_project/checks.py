"""System checks of settings in combination and in a deployment. Each single setting is checked when it is read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

# By code point, and "a " is not "a": MariaDB's, and MySQL's.
COLLATIONS = ("utf8mb4_nopad_bin", "utf8mb4_0900_bin")


@register(Tags.database)
def check_collation(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that MariaDB compares names by code point, as SQLite does; `migrate` runs this first.

    Cost: one query per MariaDB or MySQL database.
    """
    return [
        message
        for alias in databases or ()
        if connections[alias].vendor == "mysql"
        for message in _collation_messages(alias)
    ]


def _collation_messages(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT @@collation_database")
        (collation,) = cursor.fetchone()
    if collation in COLLATIONS:
        return []
    return [
        Error(
            f"The database's collation is {collation}, which takes different names for the same.",
            hint=f"ALTER DATABASE name CHARACTER SET utf8mb4 COLLATE {COLLATIONS[0]}; and then migrate.",
            id="flavorsync.E003",
        )
    ]


@register(Tags.security, deploy=True)
def check_encryption_keys_named(**_: Any) -> list[CheckMessage]:
    """Check that the keys of the clouds' passwords do not come from the file that development uses."""
    if not _is_kept_in(settings.DATA_FOLDER / ".encryption_key", settings.FIELD_ENCRYPTION_KEYS[0]):
        return []
    return [
        Error(
            "FIELD_ENCRYPTION_KEYS is not set: a key generated for development encrypts the clouds' passwords.",
            hint="Set your own, keep it apart from the database, and give every process the same.",
            id="flavorsync.E005",
        )
    ]


@register(Tags.security, deploy=True)
def check_secret_key(**_: Any) -> list[CheckMessage]:
    """Check that the secret key does not come from the file that development uses."""
    if not _is_kept_in(settings.DATA_FOLDER / ".secret_key", settings.SECRET_KEY):
        return []
    return [
        Warning(
            "SECRET_KEY is the one that was generated for development.",
            hint="Set one in the environment or in .env, and give every process the same.",
            id="flavorsync.W001",
        )
    ]


@register(Tags.security, deploy=True)
def check_allowed_hosts(**_: Any) -> list[CheckMessage]:
    """Check that the service does not answer to every host name: its links repeat that name."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS has *: links in answers lead to whatever host a request's Host header names.",
            hint="Name the hosts that people know the service by.",
            id="flavorsync.W002",
        )
    ]


@register(Tags.security, deploy=True)
def check_proxies(**_: Any) -> list[CheckMessage]:
    """Check that we see the clients' own addresses when there is a proxy."""
    if not settings.HTTPS or settings.REST_FRAMEWORK["NUM_PROXIES"]:
        return []
    return [
        Warning(
            "HTTPS says that there is a proxy, and NUM_PROXIES that there is none: "
            "failed sign-ins are counted for the proxy's address, or for none.",
            hint="Set NUM_PROXIES to the number of your proxies that add to X-Forwarded-For.",
            id="flavorsync.W003",
        )
    ]


def _is_kept_in(path: Path, secret: str) -> bool:
    return path.exists() and path.read_text(encoding="ascii") == secret
