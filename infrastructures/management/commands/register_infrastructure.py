"""`manage.py register_infrastructure`: make a region known."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from infrastructures.services import register_region


class Command(BaseCommand):
    """Register a region that its users reach with their own Keystone tokens.

    Example: manage.py register_infrastructure Spain2 --keystone-url http://127.0.0.1:5001/v3
    """

    help = (
        "Register a region that its users reach with their own Keystone tokens. "
        "Example: manage.py register_infrastructure Mordor --keystone-url https://mordor.example.org:5000/v3"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the region's name, and its Keystone where it has one of its own."""
        parser.add_argument("name", help="the region's name in the API")
        parser.add_argument("--keystone-url", default="", help="the cloud's own Keystone; by default KEYSTONE_URL")
        parser.add_argument("--region", default="", help="its name in the Keystone catalogue, when it is another")

    def handle(self, *args: Any, name: str, keystone_url: str, region: str, **options: Any) -> None:
        """Register it, or say that it was registered just so before."""
        try:
            infrastructure, created = register_region(name=name, keystone_url=keystone_url, region=region)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(f"{infrastructure}: {'registered' if created else 'already registered'}.")
