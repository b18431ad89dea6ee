"""Importing a database of flavor-sync 1.0: its infrastructures, its flavors, and where each is installed.

Its tables are `infrastructure(name, keystone_url, username, password, tenant)`, `flavor(id, name, vcpus, ram, disk,
swap, public, promoted)` and `flavor_infrastructure_link(flavor_id, infrastructure_name)`; the passwords are in clear.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from environ import Env
from rest_framework.exceptions import APIException

from flavors.catalogue import recording, services
from flavors.catalogue.outcomes import Came
from flavors.models import Flavor
from flavorsync_project.api.errors import Conflict, reasons
from infrastructures.models import Infrastructure
from infrastructures.registration import ensure_infrastructure

CREDENTIALS = ("keystone_url", "username", "password", "tenant")
SIZES = ("name", "vcpus", "ram", "disk", "swap")
QUERIES = {
    "infrastructures": "SELECT name, keystone_url, username, password, tenant FROM infrastructure ORDER BY name",
    "flavors": "SELECT id, name, vcpus, ram, disk, swap, public, promoted FROM flavor ORDER BY name, id",
    "links": "SELECT flavor_id, infrastructure_name FROM flavor_infrastructure_link ORDER BY 1, 2",
}


class UnreadableDatabase(Exception):
    """The old database cannot be opened, or is not one of flavor-sync 1.0."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome for an infrastructure, a flavor or an installation of the old database, and why."""

    kind: str
    name: str
    came: Came
    reason: str = ""


@dataclass(frozen=True)
class LegacyDatabase:
    """The rows of an old database, by table, each by column."""

    infrastructures: list[dict[str, Any]] = field(repr=False)
    flavors: list[dict[str, Any]]
    links: list[dict[str, Any]]


def read_legacy_database(url: str) -> LegacyDatabase:
    """Read the whole database at *url*, which is opened read-only.

    Args:
        url: such as `mysql://user:password@host:3306/flavorsync` or `sqlite:////path/to/file`.

    Raises:
        UnreadableDatabase: it cannot be opened, or has other tables.

    Cost: three queries of that database.
    """
    with _opened(url) as connection, connection.cursor() as cursor:
        tables = {}
        for table, query in QUERIES.items():
            cursor.execute(query)
            columns = [column[0] for column in cursor.description]
            tables[table] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return LegacyDatabase(**tables)


def import_legacy_database(*, database: LegacyDatabase, dry_run: bool = False) -> list[Outcome]:
    """Import an old database, and return the outcome of each row. No cloud is contacted.

    What is already here with the same values is known; with different ones it stays as it is here. Private flavors
    are left out: they live only in their cloud's Nova.

    Args:
        dry_run: change nothing; say what would happen.

    Cost: some five queries for each row.
    """
    flavors: dict[str, Flavor] = {}
    infrastructures: dict[str, Infrastructure] = {}
    private = {row["id"] for row in database.flavors if not _is_public(row)}
    with transaction.atomic() if dry_run else nullcontext():
        outcomes = [
            *(
                _outcome("infrastructure", row["name"], partial(_register, row, infrastructures))
                for row in database.infrastructures
            ),
            *(
                _outcome("flavor", f"{row['name']} ({row['id']})", partial(_publish, row, flavors))
                for row in database.flavors
            ),
            *(
                _outcome(
                    "installation",
                    f"{row['flavor_id']} in {row['infrastructure_name']}",
                    partial(_install, row, flavors, infrastructures),
                )
                for row in database.links
                if row["flavor_id"] not in private
            ),
        ]
        if dry_run:
            transaction.set_rollback(True)
    return outcomes


def _outcome(kind: str, name: str, take: Callable[[], Came]) -> Outcome:
    came, reason = Came.REFUSED, ""
    try:
        came = take()
    except ValidationError as error:
        reason = "; ".join(reasons(error))
    except APIException as error:
        reason = str(error.detail)
    if came is Came.LEFT_OUT:
        reason = "a private flavor stays in its cloud's Nova"
    return Outcome(kind=kind, name=name, came=came, reason=reason)


def _register(row: dict[str, Any], infrastructures: dict[str, Infrastructure]) -> Came:
    values = {member: row[member] or "" for member in ("name", *CREDENTIALS)}
    if missing := [member for member in CREDENTIALS if not values[member]]:
        raise Conflict(f"it has no {', '.join(missing)}.")
    infrastructure, created = ensure_infrastructure(values=values)
    infrastructures[infrastructure.name] = infrastructure
    return Came.CREATED if created else Came.KNOWN


def _publish(row: dict[str, Any], flavors: dict[str, Flavor]) -> Came:
    if not _is_public(row):
        return Came.LEFT_OUT
    values = {member: row[member] for member in SIZES} | {"swap": row["swap"] or 0}
    known = Flavor.objects.filter(flavorid=row["id"]).first()
    if known:
        differing = [member for member, value in values.items() if getattr(known, member) != value]
        if differing:
            raise Conflict(f"the catalogue has it with different values ({', '.join(differing)}).")
        flavors[row["id"]] = known
        return Came.KNOWN
    flavor = Flavor(flavorid=row["id"], public=True, promoted=bool(row["promoted"]), **values)
    services.publish(flavor=flavor, infrastructures=[])
    flavors[row["id"]] = flavor
    return Came.CREATED


def _install(row: dict[str, Any], flavors: dict[str, Flavor], infrastructures: dict[str, Infrastructure]) -> Came:
    flavor, infrastructure = flavors.get(row["flavor_id"]), infrastructures.get(row["infrastructure_name"])
    if flavor is None or infrastructure is None:
        raise Conflict(f"the {'flavor' if flavor is None else 'infrastructure'} was not taken.")
    if flavor.installations.filter(infrastructure=infrastructure).exists():
        return Came.KNOWN
    recording.record_unseen(flavor=flavor, infrastructure=infrastructure)
    return Came.CREATED


def _is_public(row: dict[str, Any]) -> bool:
    """Say whether it belongs in the catalogue. Every promoted flavor does, whatever the old database says."""
    return bool(row["public"] or row["promoted"])


@contextmanager
def _opened(url: str) -> Iterator[BaseDatabaseWrapper]:
    """Open a connection to the database that refuses to write, and whose errors show no password."""
    try:
        connection = ConnectionHandler({"default": {}, "legacy": _settings(url)})["legacy"]
    except ImproperlyConfigured as error:
        raise UnreadableDatabase("MariaDB and MySQL need the packages in requirements-mysql.txt.") from error
    try:
        _connect(connection)
        yield connection
    except Error as error:
        raise UnreadableDatabase(f"The database cannot be read: {error.args[-1] if error.args else error}.") from error
    finally:
        connection.close()


def _connect(connection: BaseDatabaseWrapper) -> None:
    try:
        connection.ensure_connection()
    except (TypeError, ValueError) as error:  # what the drivers raise for options that they do not know
        raise UnreadableDatabase("The database's URL has an option or a name that cannot be used.") from error


def _settings(url: str) -> dict[str, Any]:
    """Return Django's settings for the database at *url*; the library would show a URL that it does not know."""
    scheme = url.partition(":")[0]
    if scheme not in {"mysql", "sqlite"}:
        raise UnreadableDatabase("The database's URL must begin with mysql:// or sqlite:///.")
    try:
        settings: dict[str, Any] = Env.db_url_config(url)
    except ValueError as error:
        raise UnreadableDatabase("The database's URL is malformed.") from error
    if scheme == "sqlite":
        # Django opens it as a URI; without the mode, a missing file would be created.
        return settings | {"NAME": f"file:{quote(str(Path(settings['NAME']).absolute()))}?mode=ro"}
    options = {"charset": "utf8mb4", "init_command": "SET SESSION TRANSACTION READ ONLY"}
    return settings | {"OPTIONS": options | settings.get("OPTIONS", {})}
