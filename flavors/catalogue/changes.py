"""Recording what somebody has changed in a node through us."""

import logging
from functools import partial

from django.db import Error
from django.db.models import Q

from flavors.catalogue.comparison import differences_between
from flavors.catalogue.sightings import Seen, State, is_told, known_ids, write
from flavors.models import Flavor, Installation, Sighting
from infrastructures.commits import write_certainly
from infrastructures.models import Infrastructure
from infrastructures.openstack.nova import Nova
from infrastructures.openstack.records import NovaFlavor

logger = logging.getLogger(__name__)


def record_change(*, infrastructure: Infrastructure, nova: Nova, flavorid: str, has: NovaFlavor | None) -> None:
    """Record what a node has under this id (None: nothing), after somebody has changed it there through us.

    If it cannot be recorded, the change stands all the same, and the next comparison will see it.

    Cost: one query; for a flavor of the catalogue two more, and those of `write`.
    """
    try:
        seen = _changed(infrastructure, nova, flavorid, has)
        if seen:
            write_certainly(partial(write, seen), is_written=partial(is_told, seen))
    except Error as error:
        logger.warning("%s: the change of flavor %s could not be recorded: %s", infrastructure, flavorid, error)


def _changed(infrastructure: Infrastructure, nova: Nova, flavorid: str, has: NovaFlavor | None) -> list[Seen]:
    here = {"infrastructure": infrastructure, "flavorid": flavorid}
    known_here = Q(pk__in=Installation.objects.filter(**here).values("flavor")) | Q(
        pk__in=Sighting.objects.filter(**here).values("flavor")
    )
    flavors = list(Flavor.objects.filter(Q(promoted=True, flavorid=flavorid) | known_here))
    known = known_ids([infrastructure]) if flavors else {}
    return [
        _now(flavor, infrastructure, nova, has)
        for flavor in flavors
        if known.get((flavor.pk, infrastructure.pk), flavorid) == flavorid
    ]


def _now(flavor: Flavor, infrastructure: Infrastructure, nova: Nova, has: NovaFlavor | None) -> Seen:
    if has is None:
        return Seen(flavor=flavor, infrastructure=infrastructure, state=State.MISSING)
    differences = differences_between(flavor.as_nova(), has, descriptions=nova.keeps_descriptions)
    return Seen(
        flavor=flavor,
        infrastructure=infrastructure,
        state=State.DIFFERENT if differences else State.IN_SYNC,
        differences=[difference.as_json() for difference in differences],
        id_there=has.id,
    )
