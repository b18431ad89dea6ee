#!/usr/bin/env python3
"""Promote a flavor: python promote_flavor.py NAME VCPUS RAM_MIB DISK_GIB, and list all that are promoted.

It needs the client that docs/python-client.md makes, and `pip install httpx attrs`. FLAVOR_SYNC_URL says where Flavor
Sync is, FLAVOR_SYNC_TOKEN is a manager's token.
"""

import os
import sys

from flavor_sync_client import AuthenticatedClient
from flavor_sync_client.api.promotedflavors import create_promoted_flavor, list_promoted_flavors
from flavor_sync_client.models import (
    ErrorDocument,
    FlavorDocument,
    PromotedFlavorCreationDocumentRequest,
    PromotedFlavorCreationRequest,
)


def promote(client: AuthenticatedClient, name: str, vcpus: int, ram: int, disk: int) -> FlavorDocument:
    """Return the flavor as it was promoted; end with what the service says if it was not."""
    wanted = PromotedFlavorCreationRequest(name=name, vcpus=vcpus, ram=ram, disk=disk)
    answer = create_promoted_flavor.sync(client=client, body=PromotedFlavorCreationDocumentRequest(flavor=wanted))
    if isinstance(answer, FlavorDocument):
        return answer
    sys.exit(answer.error.message if isinstance(answer, ErrorDocument) else f"It was refused: {answer}")


def main() -> None:
    """Promote the flavor that is named, and list them all."""
    name, *numbers = sys.argv[1:]
    url, token = os.environ["FLAVOR_SYNC_URL"], os.environ["FLAVOR_SYNC_TOKEN"]
    with AuthenticatedClient(url, token, prefix="", auth_header_name="X-Auth-Token") as client:
        promoted = promote(client, name, *map(int, numbers)).flavor
        print(f"{promoted.name} is promoted, with the id {promoted.id}")  # noqa: T201 — a program for a terminal
        for flavor in list_promoted_flavors.sync(client=client).flavors:
            print(f"{flavor.name}: {flavor.vcpus} vCPUs, {flavor.ram} MiB, {flavor.disk} GiB")  # noqa: T201


if __name__ == "__main__":
    main()
