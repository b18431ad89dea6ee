"""Requesting that promoted flavors retire. The synchronisation removes them from the nodes, then from the catalogue."""

from datetime import datetime

from flavors.catalogue.services import READ_METHODS
from flavors.models import Flavor, Retirement
from flavorsync_project.api.errors import MethodNotAllowedHere
from infrastructures.commits import write_certainly

MAX_NAME_LENGTH = 255


def retire(*, flavor: Flavor, requested_by: str, at: datetime | None = None, forced: bool | None = None) -> Retirement:
    """Retire a promoted flavor from the nodes and then the catalogue; a repeated call changes only what is given.

    Args:
        at: from when; by default now, or as in the previous call.
        forced: whether to remove it even where it was changed or servers use it; by default not, or as before.

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
    """Cancel a flavor's retirement; a synchronisation brings it back to nodes that it has already left.

    One query.
    """
    found = Retirement.objects.filter(flavor=flavor)

    def write() -> None:
        found.delete()

    write_certainly(write, is_written=lambda: not found.exists())


def apply(*, flavor: Flavor, requested_by: str, wanted: bool | None, at: datetime | None) -> None:
    """Retire a flavor, cancel its retirement, or neither, as a client has requested.

    Args:
        wanted: whether to retire it; None leaves that to *at*.
        at: from when; any time retires it, unless *wanted* is False.
    """
    if wanted is False:
        keep(flavor=flavor)
    elif wanted or at:
        retire(flavor=flavor, requested_by=requested_by, at=at)
