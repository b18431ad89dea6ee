"""Creating, changing, promoting and deleting flavors of the catalogue."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, IntegrityError, OperationalError
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils import timezone
from rest_framework.exceptions import NotFound

from flavors.catalogue.recording import gone, install_in
from flavors.models import Flavor
from flavorsync_project.api.errors import Conflict, MethodNotAllowedHere
from infrastructures.commits import write_certainly, write_once
from infrastructures.models import Infrastructure

READ_METHODS = ("GET", "HEAD", "OPTIONS")


def create_promoted_flavor(*, values: Mapping[str, Any]) -> Flavor:
    """Put a promoted flavor into the catalogue, or promote a public one that is exactly the same.

    OpenStack is not contacted: the synchronisation brings the flavor to the nodes.

    Args:
        values: by member; a new flavor without a `flavorid` gets a UUID.

    Raises:
        Conflict: the catalogue already has the id, or the name in any case.
        ValidationError: Nova would not accept a value.

    Cost: one query, with `flavorid` two; four if it was there.
    """
    given = {member: value for member, value in values.items() if value is not None}
    flavor = Flavor(**given, public=True, promoted=True)
    flavor.clean_fields()
    if "flavorid" in given and (published := _published_as(flavor)):
        promote(flavor=published)
        published.promoted = True
        return published
    _or_taken(flavor, lambda: write_certainly(flavor.save, is_written=lambda: _has(flavor, flavorid=flavor.flavorid)))
    return flavor


def _published_as(flavor: Flavor) -> Flavor | None:
    """Return the public, not promoted flavor of the catalogue with this id, name and sizes, with its nodes."""
    values = {member: getattr(flavor, member) for member in ("flavorid", "name", "vcpus", "ram", "disk", "swap")}
    return Flavor.objects.published().filter(promoted=False, **values).with_nodes().first()


def change_promoted_flavor(*, flavor: Flavor, changes: Mapping[str, Any]) -> Flavor:
    """Change a promoted flavor's name or sizes in the catalogue.

    Raises:
        Conflict: the name is taken, or `promoted` or `public` would become false.
        MethodNotAllowedHere: `nodes` is not empty; installing is done elsewhere.
        NotFound: somebody else has just deleted it.
        ValidationError: Nova would not accept a value.

    Cost: one query.
    """
    changes = dict(changes)
    if changes.pop("nodes", None):
        raise MethodNotAllowedHere(
            "nodes: a promoted flavor is not installed in nodes here.", allow=(*READ_METHODS, "DELETE")
        )
    if not (changes.pop("promoted", True) and changes.pop("public", True)):
        raise Conflict("A promoted flavor stays promoted and public.")
    for member, value in changes.items():
        setattr(flavor, member, value)
    flavor.clean_fields()
    try:
        _or_taken(
            flavor,
            lambda: write_certainly(
                lambda: flavor.save(update_fields=[*changes, "updated_at"]), is_written=lambda: _has(flavor, **changes)
            ),
        )
    except OperationalError:
        raise
    except DatabaseError as error:
        if Flavor.objects.filter(pk=flavor.pk).exists():
            raise
        raise gone(flavor) from error
    return flavor


def delete_promoted_flavor(*, flavor: Flavor) -> None:
    """Delete a promoted flavor from the catalogue, if no node has it.

    Raises:
        MethodNotAllowedHere: it is not promoted, or nodes still have it.

    Cost: four queries, in one transaction.
    """
    write_certainly(lambda: _delete(flavor), is_written=lambda: not _has(flavor))


def require_free(*, name: str, flavorid: str) -> None:
    """Check that the catalogue has neither the name nor the id, before a cloud is changed for nothing.

    Raises:
        Conflict: it has one of them.

    Cost: one query, or two.
    """
    if Flavor.objects.filter(name_key=Lower(Value(name))).exists():
        raise _taken("name")
    if Flavor.objects.filter(flavorid=flavorid).exists():
        raise _taken("id")


def publish(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    """Put a new flavor into the catalogue and record it in these clouds: both, or neither.

    Raises:
        Conflict: the catalogue already has the id, or the name in any case.
        ValidationError: Nova would not accept a value.
        NotWritten, MayBeWritten: as `write_once`.

    Cost: two queries, in one transaction.
    """
    flavor.clean_fields()

    def write() -> None:
        flavor.save()
        install_in(flavor, infrastructures)

    _or_taken(flavor, lambda: write_once(write, is_written=lambda: _has(flavor, flavorid=flavor.flavorid)))


def find_in_catalogue(id_or_name: str) -> Flavor:
    """Return the catalogue's flavor with this id, or else with this name in any case.

    Raises:
        NotFound: there is none.

    Cost: one query, or two.
    """
    flavor = Flavor.objects.filter(flavorid=id_or_name).first()
    flavor = flavor or Flavor.objects.filter(name_key=Lower(Value(id_or_name))).first()
    if flavor is None:
        raise NotFound(f"There is no flavor {id_or_name} in the catalogue.")
    return flavor


def publish_draft(*, flavor: Flavor) -> None:
    """Publish a draft: everybody sees it from now on. No cloud is contacted.

    Raises:
        NotFound: somebody else has just deleted it.

    Cost: one query.
    """
    _mark(flavor, public=True)


def promote(*, flavor: Flavor) -> None:
    """Mark a flavor of the catalogue as one that every node should have.

    Raises:
        Conflict: it is not public.
        NotFound: somebody else has just deleted it.

    Cost: one query.
    """
    if not flavor.public:
        raise Conflict(f"The flavor {flavor.flavorid} is not public, so it cannot be promoted.")
    _mark(flavor, promoted=True)


def _delete(flavor: Flavor) -> None:
    locked = Flavor.objects.select_for_update().filter(pk=flavor.pk).first()
    if locked is None:
        return  # somebody else has just deleted it, and that is what was wanted
    if not locked.promoted:
        raise MethodNotAllowedHere("The flavor is not promoted.", allow=READ_METHODS)
    if locked.nodes:
        raise MethodNotAllowedHere(
            f"The flavor is still installed in {', '.join(locked.nodes)}.", allow=(*READ_METHODS, "PUT")
        )
    locked.delete()


def _mark(flavor: Flavor, **members: bool) -> None:
    def write() -> None:
        if not Flavor.objects.filter(pk=flavor.pk).update(**members, updated_at=timezone.now()):
            raise gone(flavor)

    write_certainly(write, is_written=lambda: _has(flavor, **members))


def _or_taken(flavor: Flavor, write: Callable[[], None]) -> None:
    """Save *flavor* by *write*; only the database can know that a name or an id is taken."""
    try:
        write()
    except IntegrityError as error:
        # In the database's own lower case, which on SQLite means ASCII only
        taken = "name" if Flavor.objects.filter(name_key=Lower(Value(flavor.name))).exclude(pk=flavor.pk) else "id"
        raise _taken(taken) from error


def _has(flavor: Flavor, **members: Any) -> bool:
    """Say whether the database has the row of *flavor*, whose key nothing else has, with these values."""
    return Flavor.objects.select_for_update().filter(pk=flavor.pk, **members).exists()


def _taken(what: str) -> Conflict:
    return Conflict(f"There is already a flavor of this {what} in the catalogue.")
