"""Recording which nodes have which flavors, and forgetting it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Q
from rest_framework.exceptions import NotFound

from flavors.catalogue import sightings
from flavors.catalogue.sightings import Seen
from flavors.models import Flavor, Installation, Sighting
from flavorsync_project.api.errors import Conflict
from infrastructures.commits import write_certainly, write_once
from infrastructures.models import Infrastructure, Replacement
from infrastructures.registration import unregister_infrastructure


def record_installations(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    """Record that these clouds' Novas now have the flavor, under its own id.

    Raises and cost: as `record_seen`.
    """
    record_seen(flavor=flavor, seen=[sightings.installed(flavor, infrastructure) for infrastructure in infrastructures])


def record_seen(*, flavor: Flavor, seen: Sequence[Seen]) -> None:
    """Record what was just seen of the flavor in clouds, by whoever brought it there or tried to.

    Raises:
        NotFound: somebody else has just deleted the flavor.
        Conflict: another flavor of the catalogue has this id there.
        NotWritten, MayBeWritten: as `write_once`.

    Cost: one query, and those of `sightings.write`, in one transaction.
    """
    wanted = {(each.infrastructure.pk, each.flavorid) for each in seen if each.flavorid}

    def write() -> None:
        if not Flavor.objects.select_for_update().filter(pk=flavor.pk).exists():
            raise gone(flavor)
        sightings.write(seen)

    def is_written() -> bool:
        recorded = Installation.objects.select_for_update().filter(flavor=flavor)
        return bool(wanted) and wanted <= set(recorded.values_list("infrastructure", "flavorid"))

    try:
        write_once(write, is_written=is_written)
    except IntegrityError as error:
        raise Conflict(f"A node already has a flavor with the id {flavor.flavorid}.") from error


def record_unseen(*, flavor: Flavor, infrastructure: Infrastructure) -> None:
    """Record that a cloud is said to have the flavor, under its own id, though nobody has looked.

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
        raise Conflict(f"A node already has a flavor with the id {flavor.flavorid}.") from error


def record_installation(
    *,
    flavor: Flavor,
    infrastructure: Infrastructure,
    flavorid: str,
    made: bool = False,
    applied: Mapping[str, object] | None = None,
) -> None:
    """Record that a cloud's Nova has the flavor, under which id, and whether a synchronisation *made* it.

    Args:
        applied: what we have given it there, as in a `Sighting`.

    Raises:
        NotFound: somebody else has just deleted the flavor.
        Conflict: another flavor of the catalogue has this id there.
        MayBeWritten: the database is away.

    Cost: three queries or four, in one transaction.
    """

    def write() -> None:
        if not Flavor.objects.select_for_update().filter(pk=flavor.pk).exists():
            raise gone(flavor)
        sightings.write([sightings.installed(flavor, infrastructure, flavorid=flavorid, made=made, applied=applied)])

    try:
        write_certainly(write, is_written=lambda: _is_installed(flavor, [infrastructure], flavorid))
    except IntegrityError as error:
        raise Conflict(f"{infrastructure} has another flavor of the catalogue under the id {flavorid}.") from error


def forget_installations(*, flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    """Record that these Novas no longer have the flavor. It leaves the catalogue with its last node.

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
    """What went with a cloud: which of its flavors left the catalogue, which stay, and how many rows of other kinds."""

    leaving: tuple[Flavor, ...]
    staying: tuple[Flavor, ...]
    installations: int
    replacements: int


def forget_infrastructure(*, infrastructure: Infrastructure, dry_run: bool = False) -> Forgotten:
    """Forget a cloud that is gone for good, and all that was installed or being replaced there, or change nothing.

    A flavor that no other cloud has leaves the catalogue, unless it is promoted. The cloud is not contacted.

    Raises:
        Conflict: a flavor is being installed there at this moment.

    Cost: some fifteen queries, in one transaction; four with *dry_run*.
    """
    with transaction.atomic():
        installations = Installation.objects.filter(infrastructure=infrastructure)
        # Flavors that were seen to be missing there, and that no node has
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


def _is_installed(flavor: Flavor, infrastructures: Sequence[Infrastructure], flavorid: str) -> bool:
    recorded = Installation.objects.select_for_update().filter(
        flavor=flavor, infrastructure__in=infrastructures, flavorid=flavorid
    )
    return len(recorded.values_list("pk")) == len(infrastructures)


def install_in(flavor: Flavor, infrastructures: Sequence[Infrastructure]) -> None:
    """Record that these clouds' Novas have the flavor, within the transaction that creates it."""
    sightings.write([sightings.installed(flavor, infrastructure) for infrastructure in infrastructures])


def gone(flavor: Flavor) -> NotFound:
    """Return the error for a flavor that was deleted meanwhile."""
    return NotFound(f"The flavor {flavor.flavorid} does not exist")
