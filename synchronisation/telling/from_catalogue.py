"""Noticing changes of the catalogue since the last look, whoever wrote them, and however.

The promoted flavors are compared with their state at the last look, so nothing is missed: neither what a command, a
page or another program writes, nor what was written while no scheduler was running.
"""

from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from flavors.lists.revision import current_revision
from flavors.models import DIGESTED, Flavor, digest_of
from infrastructures.locks import Locked, exclusive
from synchronisation.delivery import note_written
from synchronisation.telling.models import Event, Kind, NoticedFlavor
from synchronisation.telling.outbox import announce


@dataclass
class Memory:
    """The last revision of the catalogue that a process has examined."""

    revision: str | None = field(default=None)


def notice_changes(memory: Memory) -> int:
    """Announce promoted, changed and removed flavors to subscribers, and return the number of changes.

    With SYNC_ON_CHANGE_SECONDS promoted and changed flavors are also to be delivered to the nodes.

    Cost: one query while the catalogue is unchanged; else three, and some for each change.
    """
    revision = current_revision()
    if revision == memory.revision:
        return 0
    try:
        with exclusive("catalogue's changes"), transaction.atomic():
            count = _notice()
    except Locked:
        return 0  # another scheduler is doing it
    memory.revision = revision
    return count


def _notice() -> int:
    then = {each.flavorid: each for each in NoticedFlavor.objects.all()}
    now = {each.flavorid: each for each in _promoted()}
    kinds = {
        **dict.fromkeys(now.keys() - then.keys(), Kind.FLAVOR_PROMOTED),
        **dict.fromkeys(then.keys() - now.keys(), Kind.FLAVOR_RETIRED),
        **{each: Kind.FLAVOR_CHANGED for each in now.keys() & then.keys() if now[each].digest != then[each].digest},
    }
    NoticedFlavor.objects.filter(flavorid__in=kinds).delete()
    NoticedFlavor.objects.bulk_create(now[flavorid] for flavorid in kinds if flavorid in now)
    announce([_event(kind, now.get(flavorid) or then[flavorid]) for flavorid, kind in sorted(kinds.items())])
    if settings.SYNC_ON_CHANGE_SECONDS:
        for flavorid in sorted(kinds.keys() & now.keys()):
            note_written(flavorid, written_by="change of the catalogue", seconds=settings.SYNC_ON_CHANGE_SECONDS)
    return len(kinds)


def _promoted() -> list[NoticedFlavor]:
    rows = Flavor.objects.promoted().order_by().values_list(*DIGESTED)
    return [NoticedFlavor(flavorid=row[0], name=row[1], digest=digest_of(row)) for row in rows]


def _event(kind: Kind, flavor: NoticedFlavor) -> Event:
    return Event(kind=kind, subject=flavor.name, data={"id": flavor.flavorid, "name": flavor.name})
