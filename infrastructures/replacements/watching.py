"""Settling the journal's replacements in clouds that nobody contacts."""

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
    """Settle what was cut short in the clouds we can enter, and check watched flavors; return the number of clouds.

    Each cloud has its own thread and database connection, so a dead one does not hold up the others.

    Cost: one query; if the journal is not empty, as `settle_replacements` in the slowest cloud.
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
    except CloudError as error:  # the next run tries again
        logger.warning("%s: its replacements could not be settled: %s", infrastructure, error)
    finally:
        connections.close_all()
