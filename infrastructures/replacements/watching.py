"""Looking after what is written down of flavors when nobody contacts their clouds."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from django.db import connections

from infrastructures.clouds import CLOUDS_AT_ONCE, open_nova
from infrastructures.models import Infrastructure
from infrastructures.openstack.errors import CloudError
from infrastructures.replacements.replacing import settle_replacements

logger = logging.getLogger(__name__)


def settle_everywhere() -> int:
    """Settle what was cut short in the clouds that we can enter, and look at what is watched; return how many clouds.

    Each cloud has a thread and a database connection of its own: one that is dead holds up no other.

    Cost: one query; where something is written down, what `settle_replacements` costs in the slowest of the clouds.
    """
    infrastructures = list(Infrastructure.objects.with_credentials().filter(replacements__isnull=False).distinct())
    if infrastructures:
        with ThreadPoolExecutor(min(len(infrastructures), CLOUDS_AT_ONCE)) as pool:
            futures = [pool.submit(copy_context().run, _settle_in, one) for one in infrastructures]
        for future in futures:
            future.result()
    return len(infrastructures)


def _settle_in(infrastructure: Infrastructure) -> None:
    try:
        settle_replacements(infrastructure=infrastructure, nova=open_nova(infrastructure))
    except CloudError as error:  # it is looked at again soon
        logger.warning("%s: what is written down of its flavors is not settled: %s", infrastructure, error)
    finally:
        connections.close_all()
