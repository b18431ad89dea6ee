"""How each engine of databases is set for this service."""

from typing import Any

_SQLITE_OPTIONS = {
    # Readers and the one writer do not wait for each other; whoever must wait does so for up to 20 s; and a
    # transaction takes the write lock when it begins, since taking it half-way fails at once whatever the
    # time-out.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
}
_MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "init_command": "SET sql_mode='STRICT_TRANS_TABLES'",
    "isolation_level": "read committed",
}


def tuned(database: dict[str, Any]) -> dict[str, Any]:
    """Return Django's settings of the database, tuned for its engine."""
    database = {"ATOMIC_REQUESTS": False, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, **database}
    engines: dict[str, dict[str, Any]] = {"sqlite3": _SQLITE_OPTIONS, "mysql": _MYSQL_OPTIONS}
    options = engines.get(database["ENGINE"].rpartition(".")[2], {})
    database["OPTIONS"] = {**options, **database.get("OPTIONS", {})}
    # Every engine orders and compares names by code point.
    if "mysql" in database["ENGINE"]:
        database["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_nopad_bin"}
    return database
