"""`manage.py register_compute_endpoint`: the federation's OpenStack face in the central Keystone's catalogue."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from rest_framework.exceptions import APIException

from compute.registering import endpoint_url, steps_to_register, steps_to_remove
from flavorsync_project.console import commands
from flavorsync_project.console.tokens import read_token
from infrastructures.openstack.catalogue import KeystoneCatalogue

REGION = "Federation"


class Command(commands.Command):
    """Add the endpoint to the catalogue, or remove it."""

    help = (
        "Put the OpenStack face (COMPUTE_PUBLIC_URL) into the catalogue of the central Keystone (KEYSTONE_URL), as the "
        "compute service of its own region, so that OpenStack clients find it by region; or remove it again. The token "
        "must be an administrator's; it is read from the file, from standard input, or typed. What is already there "
        "stays as it is."
    )
    examples = (
        "openstack token issue -f value -c id | ./manage.py register_compute_endpoint --dry-run",
        "./manage.py register_compute_endpoint --token-file token.txt",
        "./manage.py register_compute_endpoint --token-file token.txt --remove",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the source of the token, and what to do."""
        parser.add_argument("--token-file", metavar="FILE", help="read the token from this file, not standard input")
        parser.add_argument("--url", help="where clients find /compute; by default COMPUTE_PUBLIC_URL")
        parser.add_argument("--region", default=REGION, help="the region's name (%(default)s)")
        parser.add_argument("--remove", action="store_true", help="remove it again")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def handle(
        self,
        *args: Any,
        token_file: str | None,
        url: str | None,
        region: str,
        remove: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Make the missing changes, and print a line for each and their number."""
        url = url or settings.COMPUTE_PUBLIC_URL
        if not settings.KEYSTONE_URL:
            raise CommandError("KEYSTONE_URL is not set: there is no Keystone to put it into.")
        if not (url or remove):
            raise commands.UsageError("Give the URL where clients find it: --url or COMPUTE_PUBLIC_URL.")
        catalogue = KeystoneCatalogue(settings.KEYSTONE_URL, read_token(token_file))
        count = 0
        try:
            steps = (
                steps_to_remove(catalogue=catalogue, region=region)
                if remove
                else steps_to_register(catalogue=catalogue, region=region, url=endpoint_url(url))
            )
            for what, do in steps:
                if not dry_run:
                    do()
                count += 1
                self.stdout.write(f"{what}: {_done(remove=remove, dry_run=dry_run)}")
        except APIException as error:
            raise CommandError(str(error.detail)) from None
        self.stdout.write(f"{count} change{'s' if count > 1 else ''}." if count else "Nothing to do.")


def _done(*, remove: bool, dry_run: bool) -> str:
    done = "removed" if remove else "made"
    return f"would be {done}" if dry_run else done
