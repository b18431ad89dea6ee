"""Make the database ready to serve from."""

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
    """Migrate when there is something to migrate, and make the first administrator when there is none."""

    help = (
        "Make the database ready: apply what migrations are pending, and make a first administrator, whose "
        "generated password is printed this once, when there is none. Does nothing when nothing is missing."
    )
    examples = ("./manage.py prepare --dry-run",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take --dry-run."""
        parser.add_argument("--dry-run", action="store_true", help="only say what is missing")

    def handle(self, *, dry_run: bool, verbosity: int, **options: Any) -> None:
        """Do, or with --dry-run tell, what is missing; four queries when nothing is."""
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
            # Another start was faster; or somebody of that name is there, and must not become more by our doing.
            if not has_administrator():
                self.stderr.write(f"The account {ADMINISTRATOR} is no administrator; createsuperuser makes another one")
            return
        self.stdout.write(f"Administrator: {ADMINISTRATOR}\nPassword: {password} (shown this once)")


def count_pending_migrations() -> int:
    """Return how many migrations of the code the database has not seen."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def has_administrator() -> bool:
    """Say whether anybody may already do everything."""
    return get_user_model().objects.filter(is_superuser=True).exists()


def create_administrator() -> str:
    """Make the first administrator and return the password generated for them."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        get_user_model().objects.create_superuser(ADMINISTRATOR, password=password)
    return password
