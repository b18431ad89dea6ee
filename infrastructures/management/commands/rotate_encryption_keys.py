"""`manage.py rotate_encryption_keys`: encrypt the clouds' passwords by the newest key."""

from typing import Any

from django.core.management.base import CommandError

from flavorsync_project.console import commands
from flavorsync_project.console.words import counted
from flavorsync_project.encryption import Undecryptable
from infrastructures.registration import rotate_encryption_keys


class Command(commands.Command):
    """Encrypt every stored password anew by the first of FIELD_ENCRYPTION_KEYS."""

    help = "Encrypt every stored password anew by the first of FIELD_ENCRYPTION_KEYS; then the others can go."
    examples = ("FIELD_ENCRYPTION_KEYS=NEW,OLD ./manage.py rotate_encryption_keys",)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it in one transaction, and say of how many."""
        try:
            count = rotate_encryption_keys()
        except Undecryptable as error:
            raise CommandError("A stored password can be read with none of the keys. Nothing was changed.") from error
        self.stdout.write(f"{counted(count, 'password')} encrypted anew.")
