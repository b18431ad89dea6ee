"""`manage.py rotate_encryption_keys`: encrypt all stored secrets with the newest key."""

from typing import Any

from django.core.management.base import CommandError

from flavorsync_project.console import commands
from flavorsync_project.console.words import counted
from flavorsync_project.encryption import Undecryptable, rotate_all


class Command(commands.Command):
    """Encrypt every stored password with the first of FIELD_ENCRYPTION_KEYS."""

    help = "Encrypt every stored password with the first of FIELD_ENCRYPTION_KEYS; the others can go afterwards."
    examples = ("FIELD_ENCRYPTION_KEYS=NEW,OLD ./manage.py rotate_encryption_keys",)

    def handle(self, *args: Any, **options: Any) -> None:
        """Encrypt them in one transaction, and print their number."""
        try:
            count = rotate_all()
        except Undecryptable as error:
            raise CommandError("None of the keys decrypts a stored password. Nothing was changed.") from error
        self.stdout.write(f"{counted(count, 'password')} encrypted anew.")
