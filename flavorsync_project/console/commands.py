"""The base of our commands: help that begins with a command's own options, and an exit status for wrong arguments."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

# Argparse's exit status for wrong arguments, which `sync_flavors` uses for something else
ARGPARSE_ERROR = 2


# How our commands are typed in a clone, and where pip has installed them
MANAGE, INSTALLED = "manage.py", "flavor-sync"


class UsageError(CommandError):
    """The command was typed wrongly; it did nothing."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, returncode=os.EX_USAGE)


class HelpFormatter(DjangoHelpFormatter):
    """Django's formatter, which puts a command's own options first; it keeps the lines of examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(line if line.startswith(" ") else fill(line, width, indent) for line in text.splitlines())


class Command(BaseCommand):
    """A command that exits with 64 (EX_USAGE) when it is typed wrongly."""

    examples: Sequence[str] = ()
    """What people type, in the project's folder."""

    # What Django adds to the help of every command; it still works.
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--traceback"}
    _has_begun = False

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """Return the parser, whose help shows the examples before the options."""
        parser = super().create_parser(prog_name, subcommand, formatter_class=HelpFormatter, **options)
        typed = prog_name if prog_name == INSTALLED else f"./{MANAGE}"
        described = [self.help, "", "Examples:", *(f"  {example}" for example in self.examples)]
        parser.description = "\n".join(described).replace(f"./{MANAGE}", typed)
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Run it as Django does, but with an exit status of its own for wrong arguments."""
        try:
            super().run_from_argv(argv)
        except SystemExit as ended:
            if ended.code == ARGPARSE_ERROR and not self._has_begun:
                sys.exit(os.EX_USAGE)
            raise

    def check(self, *arguments: Any, **options: Any) -> None:
        """Make no checks of models and URLs, with or without --skip-checks.

        They take a quarter of a second, and cannot fail in one installation and hold in another; `check` and `migrate`
        make them. Settings are checked when they are read.
        """

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it, now that the arguments are parsed."""
        self._has_begun = True
        return super().execute(*args, **options)
