"""`manage.py dump_catalogue`: the catalogue as a YAML document."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from flavors.documents import write_document
from flavors.models import Flavor


class Command(BaseCommand):
    """Print the catalogue as a YAML document that load_catalogue reads."""

    help = (
        "Print the catalogue as a YAML document that load_catalogue reads: every member of every flavor, but not where "
        "it is installed. Example: manage.py dump_catalogue > catalogue.yaml"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which flavors."""
        parser.add_argument("--promoted", action="store_true", help="only those that every node should have")

    def handle(self, *args: Any, promoted: bool, **options: Any) -> None:
        """Print it; one query."""
        flavors = Flavor.objects.promoted() if promoted else Flavor.objects.all()
        self.stdout.write(write_document(flavors), ending="")
