"""Retiring promoted flavors: saying so. The synchronisation takes them out of the nodes, and then of the catalogue."""

from datetime import datetime

from flavors.catalogue.services import READ_METHODS
from flavors.models import Flavor, Retirement
from flavorsync_project.api.errors import MethodNotAllowedHere
from infrastructures.commits import write_certainly

MAX_NAME_LENGTH = 255


def retire(*, flavor: Flavor, requested_by: str, at: datetime | None = None, forced: bool | None = None) -> Retirement:
    """Have a promoted flavor leave the nodes and then the catalogue; done again it changes what is given.

    Args:
        at: from when; by default now, or as it was said before.
        forced: whether it goes also where it was changed or servers use it; by default not, or as before.

    Raises:
        MethodNotAllowedHere: it is not promoted.

    Cost: some four queries, in one transaction.
    """
    if not flavor.promoted:
        raise MethodNotAllowedHere("The flavor is not promoted.", allow=READ_METHODS)
    given = {name: value for name, value in (("retire_at", at), ("forced", forced)) if value is not None}
    found: list[Retirement] = []

    def write() -> None:
        by = {"requested_by": requested_by[:MAX_NAME_LENGTH]}
        found[:] = [
            Retirement.objects.update_or_create(flavor=flavor, defaults=given, create_defaults={**given, **by})[0]
        ]

    write_certainly(write, is_written=lambda: Retirement.objects.filter(flavor=flavor, **given).exists())
    return found[0] if found else Retirement.objects.get(flavor=flavor)


def keep(*, flavor: Flavor) -> None:
    """Have a flavor stay that was to be retired; where it has gone already, a synchronisation brings it back.

    One query.
    """
    found = Retirement.objects.filter(flavor=flavor)

    def write() -> None:
        found.delete()

    write_certainly(write, is_written=lambda: not found.exists())


def apply(*, flavor: Flavor, requested_by: str, wanted: bool | None, at: datetime | None) -> None:
    """Retire a flavor, have it stay, or neither, as a client has said.

    Args:
        wanted: whether it is to be retired; None when only *at* may say so.
        at: from when.
    """
    if wanted is False:
        keep(flavor=flavor)
    elif wanted or at:
        retire(flavor=flavor, requested_by=requested_by, at=at)
