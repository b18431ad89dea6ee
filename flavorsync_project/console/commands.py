"""The command that all of ours are: one whose exit status tells a slip at the keyboard from what it has found."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

# What argparse ends with when the arguments are wrong, which is a finding of `sync_flavors`
ARGPARSE_ERROR = 2


class UsageError(CommandError):
    """The command was typed in a way that it does not take; it did nothing."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, returncode=os.EX_USAGE)


class Command(BaseCommand):
    """A command that ends with 64 (EX_USAGE) when it is typed in a way that it does not take."""

    _has_begun = False

    def run_from_argv(self, argv: list[str]) -> None:
        """Do what is typed, as Django does, and tell wrong arguments by their own exit status."""
        try:
            super().run_from_argv(argv)
        except SystemExit as ended:
            if ended.code == ARGPARSE_ERROR and not self._has_begun:
                sys.exit(os.EX_USAGE)
            raise

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Do it, now that the arguments are understood."""
        self._has_begun = True
        return super().execute(*args, **options)
