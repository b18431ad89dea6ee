"""Fill an empty database: `python -m benchmarks.catalogue FLAVORS NODES [PORT]`, each flavor promoted.

Each is in every node; with the port of a farm the nodes are its clouds, and what they have is unknown.
"""

import os
import sys
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flavorsync_project.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402

from benchmarks.data import ACCOUNT, flavor_values  # noqa: E402
from flavors.lists import revision  # noqa: E402
from flavors.models import Flavor, Installation  # noqa: E402
from identity.models import User  # noqa: E402
from infrastructures.models import Infrastructure  # noqa: E402

BATCH = 5_000


def fill(flavors: int, nodes: int, port: int = 0) -> None:
    """Create the flavors, the nodes, and a local account."""
    User.objects.create_superuser(ACCOUNT[0], password=ACCOUNT[1])
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    infrastructures = Infrastructure.objects.bulk_create(
        _of_the_farm(number, port) if port else Infrastructure(name=f"Node{number:02}") for number in range(nodes)
    )
    # Once at the end is enough, instead of for each of 200,000 rows.
    revision.remove(connection)
    with transaction.atomic():
        Flavor.objects.bulk_create(
            [Flavor(**flavor_values(number), public=True, promoted=True) for number in range(flavors)],
            BATCH,
        )
        Installation.objects.bulk_create(
            (
                Installation(flavor=flavor, infrastructure=node, flavorid=flavor.flavorid, installed_at=moment)
                for flavor in Flavor.objects.all()
                for node in infrastructures
                if not port
            ),
            BATCH,
        )
    revision.install(connection)


def _of_the_farm(number: int, port: int) -> Infrastructure:
    cloud = Infrastructure(
        name=f"Cloud{number}",
        keystone_url=f"http://127.0.0.1:{port}/cloud/{number}/v3",
        tenant="benchmark",
        username="benchmark",
    )
    cloud.set_password("a password of the farm")
    return cloud


if __name__ == "__main__":
    fill(*map(int, sys.argv[1:]))
