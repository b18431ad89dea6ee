"""Single changes of a cloud's flavors, each alone with its flavor."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from flavorsync_project.api.errors import Conflict
from infrastructures.locks import Locked, exclusive
from infrastructures.models import Infrastructure, Replacement
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor


def create_flavor(*, infrastructure: Infrastructure, nova: Nova, flavor: NovaFlavor) -> NovaFlavor:
    """Create a flavor in the cloud and return it as Nova has it.

    Raises:
        FlavorConflict, FlavorRefused, Forbidden, CloudUnavailable: as `Nova.create_flavor`.
        Conflict: somebody else is changing the flavor of this id right now.

    Cost: as `Nova.create_flavor` and `alone_with`.
    """
    with alone_with(infrastructure, flavor.id, name=flavor.name):
        return nova.create_flavor(flavor)


def delete_flavor(*, infrastructure: Infrastructure, nova: Nova, flavorid: str) -> None:
    """Delete a flavor from the cloud.

    Raises:
        FlavorNotFound, Forbidden, CloudUnavailable: as `Nova.delete_flavor`.
        Conflict: somebody else is changing the flavor right now.

    Cost: one upstream call.
    """
    with alone_with(infrastructure, flavorid):
        nova.delete_flavor(flavorid)


@contextmanager
def alone_with(infrastructure: Infrastructure, flavorid: str, *, name: str | None = None) -> Iterator[None]:
    """Keep everybody else from changing a flavor in a cloud meanwhile, and from taking its *name* there.

    Raises:
        Conflict: somebody else is changing it right now, or with *name* that or the id is that of a flavor
            whose replacement is still open.

    Cost: as `exclusive`, and one query with *name*.
    """
    locks = [lock_of(infrastructure, flavorid), *([] if name is None else [name_lock_of(infrastructure, name)])]
    try:
        with exclusive(*locks):
            if name is not None:
                _refuse_reserved(infrastructure, flavorid, name)
            yield
    except Locked as error:
        raise Conflict(f"{infrastructure}: flavor {flavorid} is being changed by somebody else.") from error


def has_replacements(infrastructure: Infrastructure) -> bool:
    """Say whether a replacement is open in a cloud, which is seldom, and asked before each flavor that is made there.

    Cost: one query, by hand: making a QuerySet takes longer than the answer.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM infrastructures_replacement WHERE infrastructure_id = %s", [infrastructure.pk])
        return cursor.fetchone() is not None


def lock_of(infrastructure: Infrastructure, flavorid: str) -> str:
    return f"flavor:{infrastructure.pk}:{flavorid}"


def name_lock_of(infrastructure: Infrastructure, name: str) -> str:
    """Return the lock on a name in a cloud; Nova's on MySQL tell no case apart."""
    return f"name:{infrastructure.pk}:{name.lower()}"


def _refuse_reserved(infrastructure: Infrastructure, flavorid: str, name: str) -> None:
    """Raise `Conflict` for the name or id of a flavor that is missing only because its replacement was cut short."""
    if not has_replacements(infrastructure):
        return
    for record in Replacement.objects.filter(infrastructure=infrastructure):
        if name.lower() in {record.old["name"].lower(), record.new["name"].lower()}:
            raise Conflict(f"{infrastructure}: the name {name} is that of a flavor that is being replaced.")
        if record.flavorid == flavorid:
            raise Conflict(f"{infrastructure}: the id {flavorid} is that of a flavor that is being replaced.")
