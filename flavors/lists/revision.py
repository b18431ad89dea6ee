"""The catalogue's revision: a value that changes whenever anything in the catalogue does.

Triggers of the database set a new random value with every row that is written, in the same transaction. So nobody
can write without it, by whatever way (the admin site, `QuerySet.update`, another process, another program), and
nobody sees new rows with the old value. It is not a counter: a restored backup, or a transaction that is rolled
back, would use the same numbers again for something else.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from flavors.models import CatalogueRevision

# What lists are made of. An infrastructure's other columns are not in them; and it stays while a flavor is installed
# there.
_WRITES = (
    ("flavors_flavor", "insert", ""),
    ("flavors_flavor", "update", ""),
    ("flavors_flavor", "delete", ""),
    ("flavors_installation", "insert", ""),
    ("flavors_installation", "update", ""),
    ("flavors_installation", "delete", ""),
    ("infrastructures_infrastructure", "update", "OLD.name <> NEW.name"),
)
_RENEW = {
    "sqlite": """
        INSERT INTO flavors_cataloguerevision (id, value) VALUES (1, lower(hex(randomblob(16))))
        ON CONFLICT (id) DO UPDATE SET value = excluded.value
    """,
    "mysql": """
        INSERT INTO flavors_cataloguerevision (id, value) VALUES (1, UUID())
        ON DUPLICATE KEY UPDATE value = UUID()
    """,
}


def current_revision() -> str | None:
    """Return the revision of all that is committed, or None if nothing was ever written. Cost: one query."""
    return CatalogueRevision.objects.values_list("value", flat=True).first()


def install(database: BaseDatabaseWrapper) -> None:
    """Create the triggers that are missing, and a new revision. Cost: some ten queries."""
    with database.cursor() as cursor:
        cursor.execute(_EXISTING[database.vendor])
        existing = {name for (name,) in cursor.fetchall()}
        for name, statement in _triggers(database.vendor):
            if name not in existing:
                cursor.execute(statement)
        cursor.execute(_RENEW[database.vendor])


def remove(database: BaseDatabaseWrapper) -> None:
    """Drop the triggers."""
    with database.cursor() as cursor:
        for name, _ in _triggers(database.vendor):
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def install_after_migration(*, using: str = DEFAULT_DB_ALIAS, apps: Apps = apps, **_: Any) -> None:
    """Create the triggers again that a migration has dropped: SQLite changes a table by making a new one.

    Connected to `post_migrate`, whose *apps* hold the models as they are by now.
    """
    if ("flavors", "cataloguerevision") in {
        (model._meta.app_label, model._meta.model_name) for model in apps.get_models()
    }:
        install(connections[using])


_EXISTING = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "mysql": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
}


def _triggers(vendor: str) -> Iterator[tuple[str, str]]:
    """Yield each trigger's name, and the statement that creates it."""
    for table, write, condition in _WRITES:
        name = f"{table}_{write}_renews_revision"
        head = f"CREATE TRIGGER {name} AFTER {write.upper()} ON {table} FOR EACH ROW"
        if vendor == "sqlite":
            yield name, f"{head} {f'WHEN {condition} ' if condition else ''}BEGIN {_RENEW[vendor]}; END"
        elif condition:
            yield name, f"{head} IF {condition} THEN {_RENEW[vendor]}; END IF"
        else:
            yield name, f"{head} {_RENEW[vendor]}"
