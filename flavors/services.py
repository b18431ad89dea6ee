"""What happens to the flavors of the catalogue."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Q, Value
from django.db.models.functions import Lower
from django.utils import timezone
from rest_framework.exceptions import NotFound

from flavors import sightings
from flavors.models import Flavor, Installation, Sighting, SyncOutcome
from flavors.sightings import Seen
from flavorsync_project.api.errors import Conflict, MethodNotAllowedHere
from infrastructures.commits import write_certainly, write_once
from infrastructures.models import Infrastructure, Replacement
from infrastructures.services import unregister_infrastructure

READ_METHODS = ("GET", "HEAD", "OPTIONS")


def create_promoted_flavor(*, values: Mapping[str, Any]) -> Flavor:
    """Put a promoted flavor into the catalogue, or promote the public one that is just so.

    OpenStack is not contacted: the synchronisation brings the flavor to the nodes.

    Args:
        values: by member; without `flavorid`, or with None, a new flavor gets a UUID.

    Raises:
        Conflict: the name, in any case, or the id is in the catalogue already.
        ValidationError: a value is not as Nova accepts it.

    Cost: one query, with `flavorid` two; four when it was there.
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
    """Return the flavor of the catalogue of this id, name and sizes that is public and not promoted, with its nodes."""
    values = {member: getattr(flavor, member) for member in ("flavorid", "name", "vcpus", "ram", "disk", "swap")}
    return Flavor.objects.published().filter(promoted=False, **values).with_nodes().first()


def change_promoted_flavor(*, flavor: Flavor, changes: Mapping[str, Any]) -> Flavor:
    """Change a promoted flavor's name or sizes in the catalogue.

    Raises:
        Conflict: the name is taken, or `promoted` or `public` would become false.
        MethodNotAllowedHere: `nodes` names some; installing is not done here.
        NotFound: somebody else has just deleted it.
        ValidationError: a value is not as Nova accepts it.

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
        raise _gone(flavor) from error
    return flavor


def delete_promoted_flavor(*, flavor: Flavor) -> None:
    """Take a promoted flavor that no node carries out of the catalogue.

    Raises:
        MethodNotAllowedHere: it is not promoted, or nodes still carry it.

    Cost: four queries, in one transaction.
    """
    write_certainly(lambda: _delete(flavor), is_written=lambda: not _has(flavor))


def require_free(*, name: str, flavorid: str) -> None:
    """Check that neither name nor id is in the catalogue, before a cloud is changed for nothing.

    Raises:
        Conflict: one of them is.

    Cost: one query, or two.
    """
    if Flavor.objects.filter(name_key=Lower(Value(name))).exists():
        raise _taken("name")
    if Flavor.objects.filter(flavorid=flavorid).exists():
        raise _taken("id")


def publish(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    """Put a new flavor into the catalogue, installed in these clouds, all of it or nothing.

    Raises:
        Conflict: the name, in any case, or the id is in the catalogue already.
        ValidationError: a value is not as Nova accepts it.
        NotWritten, MayBeWritten: as `write_once`.

    Cost: two queries, in one transaction.
    """
    flavor.clean_fields()

    def write() -> None:
        flavor.save()
        _install(flavor, infrastructures)

    _or_taken(flavor, lambda: write_once(write, is_written=lambda: _has(flavor, flavorid=flavor.flavorid)))


def find_in_catalogue(id_or_name: str) -> Flavor:
    """Return the flavor of the catalogue that has this id, or else this name in any case.

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
    """Show a flavor of the catalogue to everybody that was only prepared there; no cloud is contacted.

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
        raise Conflict(f"The flavor {flavor.flavorid} is not public, and so cannot be promoted.")
    _mark(flavor, promoted=True)


def record_installations(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    """Write down that these clouds' Novas have the flavor now, under its own id.

    Raises and cost: as `record_seen`.
    """
    record_seen(flavor=flavor, seen=[sightings.installed(flavor, infrastructure) for infrastructure in infrastructures])


def record_seen(*, flavor: Flavor, seen: Sequence[Seen]) -> None:
    """Write down what was just seen of the flavor in clouds, by whoever has brought it there or has tried to.

    Raises:
        NotFound: somebody else has just deleted the flavor.
        Conflict: another flavor of the catalogue has this id there.
        NotWritten, MayBeWritten: as `write_once`.

    Cost: one query, and those of `sightings.write`, in one transaction.
    """
    wanted = {(each.infrastructure.pk, each.flavorid) for each in seen if each.flavorid}

    def write() -> None:
        if not Flavor.objects.select_for_update().filter(pk=flavor.pk).exists():
            raise _gone(flavor)
        sightings.write(seen)

    def is_written() -> bool:
        recorded = Installation.objects.select_for_update().filter(flavor=flavor)
        return bool(wanted) and wanted <= set(recorded.values_list("infrastructure", "flavorid"))

    try:
        write_once(write, is_written=is_written)
    except IntegrityError as error:
        raise Conflict(f"A node has a flavor of the id {flavor.flavorid} already.") from error


def record_unseen(*, flavor: Flavor, infrastructure: Infrastructure) -> None:
    """Write down that a cloud is said to have the flavor, under its own id, when nobody has looked.

    Raises:
        Conflict: another flavor of the catalogue has this id there.

    Cost: two queries, in one transaction.
    """

    def write() -> None:
        Sighting.objects.filter(flavor=flavor, infrastructure=infrastructure).delete()
        Installation.objects.create(flavor=flavor, infrastructure=infrastructure, flavorid=flavor.flavorid)

    try:
        write_certainly(write, is_written=lambda: _is_installed(flavor, [infrastructure], flavor.flavorid))
    except IntegrityError as error:
        raise Conflict(f"A node has a flavor of the id {flavor.flavorid} already.") from error


def record_installation(*, flavor: Flavor, infrastructure: Infrastructure, flavorid: str, made: bool = False) -> None:
    """Write down that a cloud's Nova has the flavor, under which id, and whether a synchronisation has *made* it.

    Raises:
        NotFound: somebody else has just deleted the flavor.
        Conflict: another flavor of the catalogue has this id there.
        MayBeWritten: the database is away.

    Cost: three queries or four, in one transaction.
    """

    def write() -> None:
        if not Flavor.objects.select_for_update().filter(pk=flavor.pk).exists():
            raise _gone(flavor)
        sightings.write([sightings.installed(flavor, infrastructure, flavorid=flavorid, made=made)])

    try:
        write_certainly(write, is_written=lambda: _is_installed(flavor, [infrastructure], flavorid))
    except IntegrityError as error:
        raise Conflict(f"{infrastructure} has another flavor of the catalogue under the id {flavorid}.") from error


def record_repairs(
    *,
    infrastructure: Infrastructure,
    installed: Mapping[Flavor, str],
    outcomes: Sequence[SyncOutcome],
    made: Collection[Flavor] = (),
) -> None:
    """Write down what a synchronisation run has done in a cloud, and what its Nova has now; all of it or nothing.

    Args:
        installed: by flavor, its id there.
        outcomes: at least one, stored, of which the result, the reason and the seconds are written.
        made: those of the flavors that were created there, and not found.

    Raises:
        IntegrityError: somebody else has just deleted one of the flavors, or another flavor of the catalogue
            has its id there; `record_installation` says which.
        MayBeWritten: the database is away.

    Cost: three queries, in one transaction; one more for each flavor that is recorded there under another id.
    """

    def write() -> None:
        sightings.write(
            [
                sightings.installed(flavor, infrastructure, flavorid=flavorid, made=flavor in made)
                for flavor, flavorid in installed.items()
            ]
        )
        _write_results(outcomes)

    write_certainly(write, is_written=lambda: _has_results(outcomes))


def forget_installations(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    """Write down that these Novas no longer have the flavor, which leaves the catalogue with its last node.

    A promoted flavor stays.

    Raises:
        NotWritten, MayBeWritten: as `write_once`.

    Cost: some six queries, in one transaction.
    """

    def write() -> None:
        locked = Flavor.objects.select_for_update().filter(pk=flavor.pk).first()
        if locked is None:
            return
        sightings.forget(locked, infrastructures)
        if not locked.promoted and not locked.installations.exists():
            locked.delete()

    def is_written() -> bool:
        known = sightings.known_ids(infrastructures)
        return not any((flavor.pk, infrastructure.pk) in known for infrastructure in infrastructures)

    write_once(write, is_written=is_written)


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What went with a cloud: its flavors that left the catalogue, those that stay, and how many of what else."""

    leaving: tuple[Flavor, ...]
    staying: tuple[Flavor, ...]
    installations: int
    replacements: int


def forget_infrastructure(*, infrastructure: Infrastructure, dry_run: bool = False) -> Forgotten:
    """Forget a cloud that is gone for good, with what was installed or being replaced there; all of it or nothing.

    A flavor that no other cloud has leaves the catalogue, unless it is promoted. The cloud is not contacted.

    Raises:
        Conflict: a flavor is being installed there this very moment.

    Cost: some fifteen queries, in one transaction; four with *dry_run*.
    """
    with transaction.atomic():
        installations = Installation.objects.filter(infrastructure=infrastructure)
        # Of those that were seen to be missing there, what no node has
        missing = Sighting.objects.filter(infrastructure=infrastructure, flavor__promoted=False)
        missing = missing.exclude(flavor__in=Installation.objects.values("flavor"))
        known = Q(pk__in=installations.values("flavor")) | Q(pk__in=missing.values("flavor"))
        flavors = list(Flavor.objects.select_for_update().filter(known).with_nodes())
        leaving = tuple(
            flavor for flavor in flavors if not flavor.promoted and not {*flavor.nodes} - {infrastructure.name}
        )
        replacements = Replacement.objects.filter(infrastructure=infrastructure)
        forgotten = Forgotten(
            leaving=leaving,
            staying=tuple(flavor for flavor in flavors if flavor not in leaving),
            installations=installations.count(),
            replacements=replacements.count(),
        )
        if not dry_run:
            installations.delete()
            Flavor.objects.filter(pk__in=[flavor.pk for flavor in leaving]).delete()
            replacements.delete()
            unregister_infrastructure(infrastructure=infrastructure)
    return forgotten


def _delete(flavor: Flavor) -> None:
    locked = Flavor.objects.select_for_update().filter(pk=flavor.pk).first()
    if locked is None:
        return  # somebody else has just deleted it: that is what was asked for
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
            raise _gone(flavor)

    write_certainly(write, is_written=lambda: _has(flavor, **members))


def _or_taken(flavor: Flavor, write: Callable[[], None]) -> None:
    """Save *flavor* by *write*; the database alone can tell that a name or an id is taken."""
    try:
        write()
    except IntegrityError as error:
        # The database's own idea of lower case, which on SQLite is ASCII's alone
        taken = "name" if Flavor.objects.filter(name_key=Lower(Value(flavor.name))).exclude(pk=flavor.pk) else "id"
        raise _taken(taken) from error


def _has(flavor: Flavor, **members: Any) -> bool:
    """Say whether the database has the row of *flavor*, whose key was given to it alone, with these values."""
    return Flavor.objects.select_for_update().filter(pk=flavor.pk, **members).exists()


def _has_results(outcomes: Sequence[SyncOutcome]) -> bool:
    """Say whether the first of them is written down, and so whatever was with it."""
    first = outcomes[0]
    return SyncOutcome.objects.select_for_update().filter(pk=first.pk, result=first.result).exists()


def _is_installed(flavor: Flavor, infrastructures: Sequence[Infrastructure], flavorid: str) -> bool:
    recorded = Installation.objects.select_for_update().filter(
        flavor=flavor, infrastructure__in=infrastructures, flavorid=flavorid
    )
    return len(recorded.values_list("pk")) == len(infrastructures)


def _install(flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    sightings.write([sightings.installed(flavor, infrastructure) for infrastructure in infrastructures])


def _write_results(outcomes: Sequence[SyncOutcome]) -> None:
    """Write what came of each; one statement for all of them costs a fraction of an UPDATE for each."""
    SyncOutcome.objects.bulk_create(
        outcomes,
        update_conflicts=True,
        update_fields=["result", "reason", "seconds"],
        # MySQL's own form of it names no columns.
        unique_fields=["pk"] if connection.features.supports_update_conflicts_with_target else None,
    )


def _taken(what: str) -> Conflict:
    return Conflict(f"There is already a flavor of this {what} in the catalogue.")


def _gone(flavor: Flavor) -> NotFound:
    return NotFound(f"The flavor {flavor.flavorid} does not exist")
