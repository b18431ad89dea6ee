"""Importing a cloud's flavors into the catalogue. The cloud is only read."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db.models import Value
from django.db.models.functions import Lower
from rest_framework.exceptions import NotFound

from flavors.catalogue import recording, services
from flavors.catalogue.comparison import differences_between
from flavors.catalogue.outcomes import Came
from flavors.models import Flavor, Installation
from flavorsync_project.api.errors import Conflict, reasons
from infrastructures.clouds import open_nova
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import FlavorNotFound
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor
from infrastructures.replacements import journal
from infrastructures.replacements.changes import alone_with


@dataclass(frozen=True, kw_only=True)
class Import:
    """The outcome for one flavor, and the reason if there is something to say."""

    flavorid: str
    name: str
    outcome: Came
    reason: str = ""


def import_flavors(
    *, infrastructure: Infrastructure, wanted: Collection[str] = (), promote: bool = False, dry_run: bool = False
) -> Iterator[Import]:
    """Import a cloud's flavors into the catalogue, one after the other, and yield the outcome of each.

    Args:
        wanted: their ids or names; by default all that are open to every project of the cloud.
        promote: promote those that are imported now, or were before.
        dry_run: change nothing; say what would happen, as far as one list shows.

    Raises:
        CloudError: the cloud could not be asked.

    Cost: one upstream call per page of Nova's list, and one to three per imported flavor; some five
    queries per flavor.
    """
    nova = open_nova(infrastructure)
    for flavor in _chosen(nova.list_flavors(), wanted):
        if isinstance(flavor, str):
            yield Import(flavorid="", name=flavor, outcome=Came.REFUSED, reason=f"{infrastructure} has no such flavor.")
        else:
            yield _import(infrastructure, nova, flavor, is_named=bool(wanted), promote=promote, dry_run=dry_run)


def _chosen(flavors: list[NovaFlavor], wanted: Collection[str]) -> Iterator[NovaFlavor | str]:
    """Yield the wanted flavors, and the wanted names that no flavor has."""
    if not wanted:
        yield from flavors
        return
    for name in dict.fromkeys(wanted):
        by_id = (flavor for flavor in flavors if flavor.id == name)
        by_name = (flavor for flavor in flavors if flavor.name == name)
        yield next(by_id, None) or next(by_name, None) or name


def _import(
    infrastructure: Infrastructure, nova: Nova, flavor: NovaFlavor, *, is_named: bool, promote: bool, dry_run: bool
) -> Import:
    outcome, reason = Came.REFUSED, ""
    if not (is_named or flavor.is_public):
        outcome, reason = Came.LEFT_OUT, "it is not open to every project of the cloud; name it to take it."
    else:
        try:
            if dry_run:
                outcome = _preview(infrastructure, flavor, promote=promote)
            else:
                outcome = _take(infrastructure, nova, flavor, promote=promote)
        except ValidationError as error:
            reason = "; ".join(reasons(error))
        except (Conflict, NotFound, FlavorNotFound) as error:
            reason = str(error.detail)
    return Import(flavorid=flavor.id, name=flavor.name, outcome=outcome, reason=reason)


def _preview(infrastructure: Infrastructure, flavor: NovaFlavor, *, promote: bool) -> Came:
    if _installed(infrastructure, flavor.id):
        return Came.KNOWN
    if _same_in_catalogue(flavor):
        return Came.ADOPTED
    Flavor.from_nova(flavor, public=True, promoted=promote).clean_fields()
    return Came.PUBLISHED


def _take(infrastructure: Infrastructure, nova: Nova, listed: NovaFlavor, *, promote: bool) -> Came:
    """Import the flavor as it is once nobody else can change it."""
    with alone_with(infrastructure, listed.id, name=listed.name):
        outcome, flavor = Came.KNOWN, _installed(infrastructure, listed.id)
        if flavor is None:
            outcome, flavor = _record(infrastructure, nova, listed, promote=promote)
    if promote and not flavor.promoted:
        services.promote(flavor=flavor)
    return outcome


def _record(infrastructure: Infrastructure, nova: Nova, listed: NovaFlavor, *, promote: bool) -> tuple[Came, Flavor]:
    flavor = nova.get_whole_flavor(listed.id)
    if flavor.row != listed.row:
        raise Conflict(f"{infrastructure}: somebody else has just changed the flavor {listed.id}.")
    same = _same_in_catalogue(flavor)
    journal.want([infrastructure], [flavor])
    if same:
        recording.record_installations(flavor=same, infrastructures=[infrastructure])
        return Came.ADOPTED, same
    new = Flavor.from_nova(flavor, public=True, promoted=promote)
    services.publish(flavor=new, infrastructures=[infrastructure])
    return Came.PUBLISHED, new


def _installed(infrastructure: Infrastructure, flavorid: str) -> Flavor | None:
    """Return the flavor that the catalogue records in this cloud under this id."""
    installations = Installation.objects.select_related("flavor")
    installation = installations.filter(infrastructure=infrastructure, flavorid=flavorid).first()
    return installation.flavor if installation else None


def _same_in_catalogue(flavor: NovaFlavor) -> Flavor | None:
    """Return the catalogue's flavor with this id and the same values, or None if both id and name are free.

    Raises:
        Conflict: another flavor has the id, or the name in any case.
    """
    known = Flavor.objects.filter(flavorid=flavor.id).first()
    if known is None:
        other = Flavor.objects.filter(name_key=Lower(Value(flavor.name))).first()
        if other:
            raise Conflict(f"the catalogue has a flavor named {other.name} under the id {other.flavorid}.")
        return None
    if differences := differences_between(known.as_nova(), flavor, exact=True):
        differing = ", ".join(difference.member for difference in differences)
        raise Conflict(f"the catalogue has it with different values ({differing}).")
    return known
