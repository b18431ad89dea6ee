"""`manage.py prepare`: make the database ready to serve."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from flavorsync_project.console import commands
from flavorsync_project.console.words import counted

ADMINISTRATOR = "admin"


class Command(commands.Command):
    """Apply pending migrations, and create the first administrator if there is none."""

    help = (
        "Make the database ready: apply pending migrations, and create a first administrator if there is none, whose "
        "generated password is printed once. Does nothing if nothing is missing."
    )
    examples = ("./manage.py prepare --dry-run",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="only say what is missing")

    def handle(self, *, dry_run: bool, verbosity: int, **options: Any) -> None:
        """Do what is missing, or with --dry-run say what that is. Cost: four queries if nothing is missing."""
        try:
            pending = count_pending_migrations()
            if pending:
                self.stdout.write(f"{counted(pending, 'migration')} to apply")
            if pending and not dry_run:
                call_command("migrate", interactive=False, verbosity=max(verbosity - 1, 0), stdout=self.stdout)
            if not (dry_run and pending) and not has_administrator():
                self._make_administrator(dry_run=dry_run)
        except DatabaseError as error:
            raise CommandError(f"The database could not be made ready: {error}") from error

    def _make_administrator(self, *, dry_run: bool) -> None:
        if dry_run:
            self.stdout.write(f"An administrator to make: {ADMINISTRATOR}")
            return
        try:
            password = create_administrator()
        except IntegrityError:
            # Another start was faster; or there is an account of that name, which we must not make an administrator.
            if not has_administrator():
                self.stderr.write(f"The account {ADMINISTRATOR} is no administrator; createsuperuser makes one")
            return
        self.stdout.write(f"Administrator: {ADMINISTRATOR}\nPassword: {password} (shown this once)")


def count_pending_migrations() -> int:
    """Return how many of the code's migrations the database has not had."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def has_administrator() -> bool:
    """Say whether there is an administrator."""
    return get_user_model().objects.filter(is_superuser=True).exists()


def create_administrator() -> str:
    """Create the first administrator, and return their generated password."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        get_user_model().objects.create_superuser(ADMINISTRATOR, password=password)
    return password
